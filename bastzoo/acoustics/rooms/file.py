"""What a file of a measured room gives, before it is brought to the rate and level of all rooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Responses:
    """What a file gives: `told` its name, `directions` [A, 3], `responses` [A, 2, N] at `rate` Hz."""

    told: str
    directions: np.ndarray
    responses: np.ndarray
    rate: float
    right_first: bool = False
    listener: str = ""
    notes: tuple[str, ...] = ()
