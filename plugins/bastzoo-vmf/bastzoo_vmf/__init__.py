"""Directions with a confidence: von Mises-Fisher heads and their loss."""

from __future__ import annotations

from bastzoo import Component, hookimpl

_CITATION = "Mardia, Jupp, Directional Statistics (2000)"


@hookimpl
def bastzoo_heads() -> list[Component]:
    """A distribution over the circle, and one over the sphere."""
    rows = [
        ("vmf-azimuth", 2, "azimuth as a von Mises distribution: a direction and a concentration"),
        ("vmf", 3, "direction as a von Mises-Fisher distribution: it says how sure it is"),
    ]
    return [
        Component(
            kind="head",
            name=name,
            target="bastzoo_vmf.head:VonMisesFisher",
            summary=summary,
            citation=_CITATION,
            licence="Apache-2.0",
            parameters={"coordinates": coordinates},
            gives=("vector", "concentration"),
            budget={"ms": 2, "mib": 2},
        )
        for name, coordinates, summary in rows
    ]


@hookimpl
def bastzoo_losses() -> list[Component]:
    """The likelihood that both heads are trained with."""
    return [
        Component(
            kind="loss",
            name="VMF",
            target="bastzoo_vmf.loss:NegativeLogLikelihood",
            summary="negative log likelihood of the true direction (von Mises-Fisher)",
            citation=_CITATION,
            licence="Apache-2.0",
            needs=("vector", "concentration"),
        )
    ]
