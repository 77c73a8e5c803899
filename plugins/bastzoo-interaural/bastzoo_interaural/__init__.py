"""Frontends that keep what a magnitude spectrogram throws away: the phase between the ears."""

from __future__ import annotations

from bastzoo import Component, hookimpl


@hookimpl
def bastzoo_frontends() -> list[Component]:
    """Three ways to say when a sound arrives at one ear and when at the other."""
    rows = [
        (
            "ipd",
            "Ipd",
            "log magnitude, and cosine and sine of each ear's phase and of the phase between the ears",
            "Woodruff, Wang, IEEE Trans. Audio Speech Lang. Process. 20:1503 (2012)",
        ),
        (
            "gcc",
            "Gcc",
            "log magnitude, and GCC-PHAT in bands: 129 lags to ±1 ms for every frame",
            "Knapp, Carter, IEEE Trans. ASSP 24:320 (1976)",
        ),
        (
            "btff",
            "Btff",
            "mel spectra, their differences along time and frequency, ITD below 1.5 kHz, "
            "ILD above 5 kHz",
            "after BiSELDnet, arXiv:2507.20530 (2025)",
        ),
    ]
    return [
        Component(
            kind="frontend",
            name=name,
            target=f"bastzoo_interaural.frontends:{target}",
            summary=summary,
            citation=citation,
            licence="Apache-2.0",
            budget={"ms": 60, "mib": 30},
        )
        for name, target, summary, citation in rows
    ]
