"""What is known of clips, for heads that answer more than a direction, and whether it can be learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bastzoo.directions import elevation_of

if TYPE_CHECKING:
    from bastzoo.data.batches import ClipSet

ALWAYS_KNOWN = ("class", "elevation")
"""Targets beside the direction that every data set gives; the elevation is the direction's."""


def without_variety(name: str, clips: ClipSet) -> str:
    """A sentence where all training clips have the same value of a target, or nothing."""
    if name == "class":
        if len(clips.classes) > 1:
            return ""
        return (
            f"All clips are of one class, {clips.classes[0]!r}; every answer is right, and the class "
            "figures say nothing."
        )
    if name == "elevation":
        heights = np.unique(np.round(elevation_of(clips.directions_seen()), 3))
        if len(heights) > 1:
            return ""
        return (
            f"All training clips are at one elevation, {heights[0]:g}°; how high a sound is "
            "cannot be learned from them."
        )
    values = getattr(clips, "known", {}).get(name, ())
    if len(set(values)) != 1:
        return ""
    return f"All training clips have the {name} {values[0]:g}, which can only be learned by heart."
