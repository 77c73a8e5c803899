"""What is in a file of ear responses: directions and gaps, rate, distances, level, delays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bastzoo.acoustics.listeners.listener import level_gain, read_sofa
from bastzoo.acoustics.listeners.sofa import read_measurement
from bastzoo.directions import azimuth_of, direction_from_angles, elevation_of

if TYPE_CHECKING:
    from bastzoo.acoustics.listeners.sofa import AzimuthDirection

_LEVEL = 0.5


def describe_listener(
    path: str | Path, *, azimuths: AzimuthDirection = "counter-clockwise"
) -> dict[str, Any]:
    """Counts and ranges of a SimpleFreeFieldHRIR file, in degrees, hertz, metres, dB and microseconds.

    Gaps are from a direction to the nearest measured one: at worst in the horizontal plane, and at worst
    over the part of the sphere above the lowest elevation. Raises DataError for what `read_sofa` refuses.

        describe_listener("head.sofa")["gaps"]
    """
    measured = read_measurement(path, azimuths=azimuths)
    listener = read_sofa(path, azimuths=azimuths)
    elevations, around = elevation_of(measured.directions), azimuth_of(measured.directions)
    plane = direction_from_angles(np.arange(-179.0, 181.0))
    apart = 1e6 * np.diff(measured.onsets, axis=-1)[:, 0]
    known = measured.distances[measured.distances > 0]
    gain = level_gain(measured)
    return {
        "id": listener.id,
        "sha256": listener.digest,
        "directions": len(measured.directions),
        "azimuth_range": _range(around, "°"),
        "elevation_range": _range(elevations, "°"),
        "horizontal_directions": int((np.abs(elevations) < _LEVEL).sum()),
        "gaps": {
            "horizontal plane": f"{listener.gap(plane).max():.1f}°",
            "sphere": f"{listener.gap(_sphere(float(elevations.min()))).max():.1f}°",
        },
        "sample_rate": f"{measured.rate:,.10g} Hz",
        "samples": measured.responses.shape[-1],
        "distances": _range(known, " m") if len(known) else "unknown",
        "level": f"{-gain:+.2f} dB against KEMAR, levelled",
        "largest_interaural_delay": f"{np.abs(apart).max():.0f} µs",
        "delays": _range(1e6 * measured.delays / measured.rate, " µs"),
        "after_10_ms": f"{measured.late_db:.0f} dB" if np.isfinite(measured.late_db) else "nothing",
        "notes": list(measured.notes),
    }


def _range(values: np.ndarray, unit: str) -> str:
    low, high = values.min() + 0.0, values.max() + 0.0
    return f"{low:.4g}{unit}" if high - low < 1e-3 else f"{low:.4g} to {high:.4g}{unit}"


def _sphere(lowest: float) -> np.ndarray:
    """Directions about 2 degrees apart, from the lowest elevation up: a Fibonacci lattice."""
    count = 10_000
    height = np.linspace(np.sin(np.radians(lowest)), 1.0, count)
    turn = np.arange(count) * np.pi * (3.0 - 5.0**0.5)
    level = np.sqrt(np.maximum(0.0, 1.0 - height**2))
    return np.stack([level * np.cos(turn), level * np.sin(turn), height], axis=-1)
