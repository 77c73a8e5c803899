"""The listeners that bastzoo comes with, as a data set like any other."""

from __future__ import annotations

from pathlib import Path

from bastzoo.acoustics.listeners.listener import (
    KEMAR,
    Listener,
    default_listener,
    kemar,
    virtual_listener,
)
from bastzoo.data.sets.index import DataIndex

_VIRTUAL = "virtual-"
_FAMILY = range(1, 13)


def embedded() -> DataIndex:
    """KEMAR, the default listener made from it, and the first twelve of the virtual family."""
    names = ["default", "kemar", *(f"{_VIRTUAL}{number}" for number in _FAMILY)]
    return DataIndex(
        name="embedded",
        holds="listeners",
        licence="free, the authors to be cited",
        citation="Gardner & Martin, J. Acoust. Soc. Am. 97:3907 (1995)",
        source="part of bastzoo",
        read=_read,
        members=dict.fromkeys(names, ()),
        installed=str(KEMAR.parent),
    )


def _read(folder: Path, name: str) -> Listener:
    if name.startswith(_VIRTUAL):
        return virtual_listener(int(name.removeprefix(_VIRTUAL)))
    return kemar() if name == "kemar" else default_listener()
