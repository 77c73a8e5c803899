"""Convolutional networks: a small one on spectrograms, and one on the raw waveform."""

from __future__ import annotations

from bastzoo import Component, hookimpl

_BLINDNESS = {
    "ADD+SP": "swapping the ears changes nothing: left and right cannot be told apart",
    "SUB+SP": "clips with identical ears all give one answer",
}
_WAVELOC = (
    "after WaveLoc: Vecchiotti, Ma, Squartini, Brown, End-to-end binaural sound localisation from the "
    "raw waveform, ICASSP (2019)"
)


@hookimpl
def bastzoo_backbones() -> list[Component]:
    """What the field used before attention."""
    return [
        Component(
            kind="backbone",
            name="cnn",
            target="bastzoo_cnn.spectral:Cnn",
            summary="three convolution blocks for each ear, two residual ones for both",
            citation="in the manner of Adavanne et al., SELDnet, arXiv:1807.00129 (2018)",
            licence="Apache-2.0",
            blindness=_BLINDNESS,
            budget={"ms": 150, "mib": 50},
        ),
        Component(
            kind="backbone",
            name="waveloc",
            target="bastzoo_cnn.waveform:WaveLoc",
            summary="a gammatone filter bank that is trained along, on the raw waveform",
            citation=_WAVELOC,
            licence="Apache-2.0",
            needs=("waveform",),
            blindness=_BLINDNESS,
            budget={"ms": 150, "mib": 50},
        ),
    ]


@hookimpl
def bastzoo_frontends() -> list[Component]:
    """No features at all."""
    return [
        Component(
            kind="frontend",
            name="waveform",
            target="bastzoo_cnn.waveform:Waveform",
            summary="the samples themselves, at the same level in every clip; for waveloc",
            citation=_WAVELOC,
            licence="Apache-2.0",
            gives=("waveform",),
            budget={"ms": 5, "mib": 5},
        )
    ]
