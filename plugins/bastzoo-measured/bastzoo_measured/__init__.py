"""Measured data by name: CIPIC listeners, Surrey rooms, natural sounds. Nothing is fetched unless asked."""

from __future__ import annotations

from bastzoo import Component, hookimpl

_SURREY = "Hummersone, Mason & Brookes, IEEE Trans. Audio Speech Lang. Process. 18:1867 (2010)"


@hookimpl
def bastzoo_datasets() -> list[Component]:
    """What can be fetched."""
    return [
        Component(
            kind="dataset",
            name="cipic",
            target="bastzoo_measured.cipic:cipic",
            summary="45 listeners, 1,250 directions each, interaural-polar grid",
            citation="Algazi et al., IEEE WASPAA, 99-102 (2001)",
            licence="LicenseRef-CIPIC",
        ),
        Component(
            kind="dataset",
            name="surrey",
            target="bastzoo_measured.surrey:surrey",
            summary="four rooms and an anechoic set, a dummy head, 37 azimuths in front",
            citation=_SURREY,
            licence="MIT",
        ),
        Component(
            kind="dataset",
            name="tuxpaint",
            target="bastzoo_measured.tuxpaint:tuxpaint",
            summary="natural sounds and spoken words of Debian's tuxpaint-stamps-default",
            citation="none",
            licence="GPL-2.0-only",
        ),
    ]


@hookimpl
def bastzoo_environments() -> list[Component]:
    """Surrey's rooms: all four, and each of them as surrey/A to surrey/D and surrey/anechoic.

    Three of them are surrey/BCD and so on; cipic/003 and so on are the open air as CIPIC's listeners hear it.
    """
    return [
        Component(
            kind="environment",
            name="surrey",
            target="bastzoo_measured.surrey:rooms",
            summary="Surrey's rooms A to D as measured",
            citation=_SURREY,
            licence="MIT",
            probe="bastzoo_measured.surrey:is_there",
        ),
        Component(
            kind="environment",
            name="surrey/*",
            target="bastzoo_measured.surrey:room",
            summary="one of Surrey's rooms as measured, or three of them (surrey/BCD)",
            citation=_SURREY,
            licence="MIT",
            members="bastzoo_measured.surrey:names",
            probe="bastzoo_measured.surrey:is_there",
        ),
        Component(
            kind="environment",
            name="cipic/*",
            target="bastzoo_measured.heads:open_air",
            summary="the open air as one of CIPIC's listeners hears it, in steps of 10°",
            citation="Algazi et al., IEEE WASPAA, 99-102 (2001)",
            licence="LicenseRef-CIPIC",
            members="bastzoo_measured.heads:names",
            probe="bastzoo_measured.heads:is_there",
        ),
    ]
