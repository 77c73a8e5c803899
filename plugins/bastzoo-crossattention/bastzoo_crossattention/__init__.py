"""Integrations in which the ears listen to each other."""

from __future__ import annotations

from bastzoo import Component, hookimpl


@hookimpl
def bastzoo_integrations() -> list[Component]:
    """Cross-attention, and the plain sum and difference side by side."""
    return [
        Component(
            kind="integration",
            name="CROSSATTENTION",
            target="bastzoo_crossattention.integrations:CrossAttention",
            summary="each ear attends to the other, then both side by side: twice the width",
            citation="Vaswani et al., arXiv:1706.03762 (2017)",
            licence="Apache-2.0",
            budget={"ms": 5, "mib": 3},
        ),
        Component(
            kind="integration",
            name="DIFFSUM",
            target="bastzoo_crossattention.integrations:DifferenceAndSum",
            summary="left - right and left + right side by side: twice the width",
            citation="none",
            licence="Apache-2.0",
            budget={"ms": 2, "mib": 2},
        ),
    ]
