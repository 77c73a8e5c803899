"""Natural sounds and spoken words of Debian's package tuxpaint-stamps-default, where apt puts them."""

from __future__ import annotations

from pathlib import Path

from bastzoo.data.sets.index import DataIndex


def tuxpaint() -> DataIndex:
    """A folder of OGG files; its sub-folders are the classes."""
    return DataIndex(
        name="tuxpaint",
        holds="sounds",
        licence="GPL-2.0-only",
        citation="none",
        source="apt install tuxpaint-stamps-default",
        read=lambda folder, member: Path(folder),
        members={"stamps": ()},
        installed="/usr/share/tuxpaint/stamps",
    )
