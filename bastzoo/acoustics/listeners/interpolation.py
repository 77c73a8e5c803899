"""Responses between the measured directions of a listener, so that a coarse measurement serves a fine grid.

Delays are interpolated apart from the responses, which are added up on top of each other: so delays move
evenly, and neighbours do not cancel (Matsumoto et al. 2003, Acoust. Sci. Technol.
24:284).
"""

from __future__ import annotations

import hashlib

import numpy as np

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.acoustics.listeners.listener import Listener

SAME_DEG = 0.5
"""A direction measured this close is taken as it is."""

WIDEST_DEG = 45.0
"""Between measured directions further apart than this the nearest one is taken: the gap is no grid."""

CLOSE_DEG = 22.0
"""A direction between measured ones no further apart than this counts as measured (`Listener.gap`): the
hole that CIPIC's interaural-polar grid leaves at the side is 20 degrees across."""

WIDEST_DELAY = 0.0008
"""Seconds: neighbours' delays at an ear differ by no more."""

_FINE = 16
_GRID = 2.0**24
_FLAT = 1e-6


def interpolated(listener: Listener, directions: np.ndarray) -> Listener:
    """`listener` with responses for `directions` [A, 3] besides the measured ones.

    Each is made of the three measured ones around it, or of the two beside it where only one elevation
    was measured. Where nothing surrounds it (below the lowest elevation, say) the listener stays as it is,
    and the nearest measured direction answers as it did.
    """
    wanted = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    nearest = listener.directions[listener.nearest(wanted)]
    new = wanted[_angle(wanted, nearest) > SAME_DEG]
    corners, weights = _surrounding(listener.directions, new)
    widest = np.max(
        [
            _angle(listener.directions[corners[:, i]], listener.directions[corners[:, i - 1]])
            for i in range(3)
        ],
        axis=0,
    )
    inside = np.isfinite(weights).all(axis=1) & (widest <= WIDEST_DEG)
    if not inside.any():
        return listener
    new, corners, weights = new[inside], corners[inside], weights[inside]
    responses = _mixed(listener, corners, weights)
    gaps = np.zeros(len(listener.directions)) if listener.gaps is None else listener.gaps
    far = np.where(widest[inside] <= CLOSE_DEG, 0.0, listener.gap(new))
    return Listener(
        id=f"{listener.id}-interpolated-{_name(new)}",
        directions=np.concatenate([listener.directions, new]),
        responses=np.concatenate([listener.responses, responses]),
        gaps=np.concatenate([gaps, far]),
        notes=listener.notes,
    )


def _surrounding(measured: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Three measured directions around each wanted one, and their weights, NaN where there are none."""
    nothing = np.zeros((len(wanted), 3), np.int64), np.full((len(wanted), 3), np.nan)
    if not len(wanted) or len(measured) < 2:
        return nothing
    if np.ptp(measured[:, 2]) < _FLAT:
        return _beside(measured, wanted)
    from scipy.spatial import ConvexHull, QhullError

    try:
        triangles = ConvexHull(measured).simplices
    except QhullError:  # all in one plane that is not level, or too few: nothing lies between them
        return nothing
    # A direction is a sum of a triangle's corners with positive weights only in the triangle around it.
    inverse = np.linalg.pinv(measured[triangles].transpose(0, 2, 1))
    weights = np.einsum("tij,wj->wti", inverse, wanted)
    chosen = weights.min(axis=2).argmax(axis=1)
    found = weights[np.arange(len(wanted)), chosen]
    found = np.where(found.min(axis=1, keepdims=True) > -1e-9, np.maximum(found, 0.0), np.nan)
    return triangles[chosen], found / found.sum(axis=1, keepdims=True)


def _beside(measured: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for a ring of one elevation: the neighbours in azimuth (the first of them twice)."""
    azimuths = np.arctan2(measured[:, 1], measured[:, 0])
    order = np.argsort(azimuths, kind="stable")
    around = np.concatenate([azimuths[order], [azimuths[order[0]] + 2 * np.pi]])
    target = np.arctan2(wanted[:, 1], wanted[:, 0])
    target = np.where(target < around[0], target + 2 * np.pi, target)
    low = np.clip(np.searchsorted(around, target, side="right") - 1, 0, len(order) - 1)
    share = (target - around[low]) / (around[low + 1] - around[low])
    first, second = order[low], order[(low + 1) % len(order)]
    level = np.abs(wanted[:, 2] - measured[first, 2]) < np.sin(np.radians(SAME_DEG))
    weights = np.stack([(1 - share) / 2, share, (1 - share) / 2], axis=1)
    return np.stack([first, second, first], axis=1), np.where(level[:, None], weights, np.nan)


def _mixed(listener: Listener, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sums [A, 2, K] of responses, each moved to where their weighted mean delay is."""
    size = 2 * listener.responses.shape[-1]
    spectra = np.fft.rfft(listener.responses, size)[corners]
    delays = _delays(spectra, size)
    later = np.einsum("ac,ace->ae", weights, delays)[:, None] - delays
    phase = np.exp(-2j * np.pi * later[..., None] * np.fft.rfftfreq(size))
    mixed = np.einsum("ac,acef->aef", weights, spectra * phase)
    responses = np.fft.irfft(mixed, size)[..., : listener.responses.shape[-1]]
    # The grid takes away the last bits, in which machines differ.
    return np.rint(responses * _GRID) / _GRID


def _delays(spectra: np.ndarray, size: int) -> np.ndarray:
    """Samples [A, 3, 2] by which each corner's response comes after the first one's.

    Where their cross-correlation is highest, in sixteenths of a sample: onsets, which a threshold finds,
    jump by half a sample from one direction to the next.
    """
    across = spectra * spectra[:, :1].conj()
    fine = np.fft.irfft(across, _FINE * size)
    reach = int(_FINE * WIDEST_DELAY * SAMPLE_RATE)
    near = np.concatenate([fine[..., -reach:], fine[..., : reach + 1]], axis=-1)
    return (near.argmax(axis=-1) - reach) / _FINE


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between unit vectors, row by row."""
    return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2, 0, 1)))


def _name(directions: np.ndarray) -> str:
    return hashlib.sha256(np.rint(directions * 1e6).astype("<i8").tobytes()).hexdigest()[:8]
