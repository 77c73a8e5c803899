"""What the tests of acoustics share: directions, and SOFA files with known contents."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SofaWriter = Callable[..., Path]


def horizontal(*azimuths: float) -> np.ndarray:
    """Unit vectors [A, 3] of azimuths (degrees, counter-clockwise) at eye level."""
    angles = np.radians(azimuths)
    return np.stack([np.cos(angles), np.sin(angles), np.zeros(len(azimuths))], axis=-1)


def toy_responses(rate: float = 48_000) -> np.ndarray:
    """Impulses [36, 2, 256] every 10 degrees, delayed and attenuated in the ear away from the sound."""
    lateral = np.sin(np.radians(np.arange(0, 360, 10.0)))
    responses = np.zeros((36, 2, 256))
    for ear, side in ((0, 1), (1, -1)):
        delays = np.rint((0.001 - 0.0003 * side * lateral) * rate).astype(int)
        responses[np.arange(36), ear, delays] = 0.5 + 0.3 * side * lateral
    return responses


def toy_sofa(path: Path, rate: float = 48_000, **changes: Any) -> Path:
    """Write `toy_responses` as a SimpleFreeFieldHRIR file, 1.2 m from the sources.

    Keyword arguments replace variables of the file; `rate` sets its sampling rate.
    """
    import sofar

    azimuths = np.arange(0, 360, 10.0)
    sofa = sofar.Sofa("SimpleFreeFieldHRIR")
    sofa.Data_IR = toy_responses(rate)
    sofa.Data_SamplingRate = rate
    sofa.SourcePosition = np.stack([azimuths, 0 * azimuths, 0 * azimuths + 1.2], axis=-1)
    for name, value in changes.items():
        setattr(sofa, name, value)
    sofar.write_sofa(str(path), sofa)
    return path


@pytest.fixture
def write_sofa(tmp_path: Path) -> SofaWriter:
    """`toy_sofa` in the test's own folder."""
    return partial(toy_sofa, tmp_path / "listener.sofa")
