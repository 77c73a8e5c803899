"""What a number or a name in a preset, an experiment or a record may be.

Presets and records come from files that anybody can have written. A number that no machine could work with
is refused with its field's name when the file is read, before anything is made of it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

MOST = 10**15
"""No count here is larger, and no figure by far."""
_LONGEST_TEXT = 10_000
_DEEPEST = 8

Count = Annotated[int, Field(strict=True, ge=1, le=10**9)]
"""Steps, clips: something counted; `true` is none."""
Size = Annotated[int, Field(strict=True, ge=1, le=2**20)]
"""Channels, widths, sounds."""
Depth = Annotated[int, Field(strict=True, ge=1, le=1_000)]
"""Layers, heads, steps of a patch."""
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""What numpy's generators take."""
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e30, le=1e30)]
Whole = Annotated[int, Field(ge=-MOST, le=MOST)]
Natural = Annotated[int, Field(ge=0, le=MOST)]
Amount = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e15)]
"""Seconds, megabytes: what is measured and never negative."""
Angle = Annotated[float, Field(allow_inf_nan=False, ge=0, le=180 + 1e-6)]
"""A distance between directions, degrees."""
Name = Annotated[str, Field(max_length=1_000)]
Text = Annotated[str, Field(max_length=2**20)]


def _plain(value: Any, depth: int = 0) -> Any:
    """Values as JSON has them: raises ValueError for anything else, for numbers too large, and for depth."""
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        for name, each in value.items():
            if not isinstance(name, str) or len(name) > _LONGEST_TEXT:
                raise ValueError("a name in it is no short text")
            _plain(each, depth + 1)
    elif isinstance(value, list | tuple):
        for each in value:
            _plain(each, depth + 1)
    elif isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            raise ValueError(f"a text in it has more than {_LONGEST_TEXT:,} letters")
    elif isinstance(value, int | float):
        if not abs(value) <= MOST:  # nor is NaN
            raise ValueError(f"a number in it is not finite, or beyond {MOST:.0e}")
    elif value is not None:
        raise ValueError(f"a {type(value).__name__} in it is no number, text or list")
    return value


Plain = Annotated[dict[str, Any], AfterValidator(_plain)]
"""Values of no fixed form: parameters of components, notes."""
