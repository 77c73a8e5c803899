"""The grid over the sphere: evenly spread, and measured nearly everywhere."""

from __future__ import annotations

import numpy as np

from bastzoo.acoustics.listeners.listener import kemar
from bastzoo.acoustics.sphere import SPACING, sphere_grid
from bastzoo.directions import direction_from_angles


def test_every_direction_is_there_once_and_kemar_was_measured_within_3_degrees_of_it() -> None:
    azimuths, elevations = sphere_grid().T
    assert len(np.unique(sphere_grid(), axis=0)) == len(azimuths) == 88
    assert ((azimuths > -180) & (azimuths <= 180)).all()
    wanted = direction_from_angles(azimuths, elevations)
    nearest = kemar().directions[kemar().nearest(wanted)]
    assert np.linalg.norm(nearest - wanted, axis=1).max() < np.radians(3)


def test_neighbours_are_about_equally_far_apart() -> None:
    grid = direction_from_angles(*sphere_grid().T)
    angles = np.degrees(np.arccos(np.clip(grid @ grid.T, -1, 1)))
    np.fill_diagonal(angles, np.inf)
    nearest = angles.min(axis=1)
    assert nearest.min() > 0.7 * SPACING
    assert nearest.max() < 1.1 * SPACING


def test_every_ring_holds_the_median_plane() -> None:
    azimuths, elevations = sphere_grid().T
    for elevation in np.unique(elevations):
        ring = set(azimuths[elevations == elevation])
        assert {0.0, 180.0} <= ring
