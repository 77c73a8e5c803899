"""Scenes by the thousand: a room, somebody in it, and sources around them, all drawn from a number.

A scene is data; `responses.scene_responses` says what is heard in it. Scenes of two splits come from two
streams of numbers, so no room, place or source of one is in the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bastzoo.acoustics.rooms.materials import BANDS_HZ, CEILINGS, FLOORS, WALLS, reverberation_time

SCENES_VERSION = 1
"""Raised when a change draws other scenes from the same number."""

_STREAMS = {"test": 0, "validation": 1, "train": 2}

# Rooms where people live, work and learn; and how close to a wall a head or a loudspeaker stands.
_SIZES = ((2.5, 10.0), (2.5, 13.0), (2.3, 4.5))
_RT60 = (0.15, 1.3)
_FROM_WALL = 0.6
_DISTANCES = (0.5, 4.0)
_ANECHOIC = 0.15
_TRIES = 24


@dataclass(frozen=True, eq=False)
class Scene:
    """A listener in a room, and sources around.

    size: (x, y, z) in m, or None for the open air. absorption: `[6, 7]`, of the walls at x = 0, x = max,
    y = 0, and so on, in the octave bands from 125 Hz to 8 kHz. place: the centre of the head, m from a
    corner. facing: degrees counter-clockwise from the room's x axis. azimuths `[A]` (degrees, as the
    listener hears them) and distances `[A]` (m) of the sources, at the height of the ears. stream: what
    the number counts within, so that no two scenes have the same diffuse tail.
    """

    number: int
    size: np.ndarray | None
    absorption: np.ndarray
    place: np.ndarray
    facing: float
    azimuths: np.ndarray
    distances: np.ndarray
    stream: tuple[int, int] = (0, 0)

    @property
    def rt60(self) -> np.ndarray:
        """Reverberation time (s) of each octave band; 0 in the open air."""
        if self.size is None:
            return np.zeros(len(BANDS_HZ))
        return reverberation_time(self.size, self.absorption)

    def in_the_open(self) -> Scene:
        """The same listener and sources without the room."""
        return replace(self, size=None, absorption=np.ones((6, 7)), place=np.zeros(3))


def draw_scene(number: int, *, split: str = "train", seed: int = 0, sources: int = 10) -> Scene:
    """Scene `number` of a split.

    Rooms of 2.5 to 13 m with walls, floor and ceiling of tabulated materials; of several drawn, the one
    whose reverberation time at 1 kHz is nearest to a time drawn log-uniformly from 0.15 to 1.3 s. One
    scene in seven is in the open air. The sources are 0.5 to 4 m away, one in each part of a circle that
    begins anywhere, so azimuths lie on no grid.

    >>> draw_scene(3, split="test", sources=2).azimuths.round(1)
    array([-83.7,  81.3])
    """
    stream = (seed, _STREAMS[split])
    generator = np.random.default_rng((*stream, number))
    parts = np.arange(sources) + generator.random(sources)
    azimuths = (360 * (parts / sources + generator.random())) % 360 - 180
    distances = _log_uniform(generator, *_DISTANCES, sources)
    facing = float(generator.uniform(-180, 180))
    if generator.random() < _ANECHOIC:
        nowhere = np.zeros(3)
        return Scene(number, None, np.ones((6, 7)), nowhere, facing, azimuths, distances, stream)
    wanted = np.log(_log_uniform(generator, *_RT60, 1)[0])
    rooms = [_room(generator) for _ in range(_TRIES)]
    times = [np.log(reverberation_time(size, absorption)[3]) for size, absorption in rooms]
    size, absorption = rooms[int(np.argmin(np.abs(np.array(times) - wanted)))]
    place = generator.uniform([_FROM_WALL] * 3, size - _FROM_WALL)
    place[2] = generator.uniform(1.1, 1.75)
    return Scene(number, size, absorption, place, facing, azimuths, distances, stream)


def source_places(scene: Scene, directions: np.ndarray) -> np.ndarray:
    """Where the sources are `[A, 3]`: m from the room's corner, or from the head in the open air.

    directions: unit vectors `[A, 3]` in which the listener hears them. A source whose distance would put
    it behind a wall, or against one, stands as far away as there is room.
    """
    turn = np.radians(scene.facing)
    x = directions[:, 0] * np.cos(turn) - directions[:, 1] * np.sin(turn)
    y = directions[:, 0] * np.sin(turn) + directions[:, 1] * np.cos(turn)
    outward = np.stack([x, y, directions[:, 2]], axis=1)
    if scene.size is None:
        return outward * scene.distances[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(outward > 0, scene.size - scene.place, -scene.place) / outward
    farthest = np.nanmin(np.where(outward == 0, np.inf, room), axis=1)
    distances = np.minimum(scene.distances, 0.9 * farthest)
    return np.asarray(scene.place + outward * distances[:, None])


def _room(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Size and absorption: two materials on the walls, one on the floor, one on the ceiling."""
    size = np.array([generator.uniform(*limits) for limits in _SIZES])
    walls, floors, ceilings = (np.array(list(t.values())) for t in (WALLS, FLOORS, CEILINGS))
    two = walls[generator.integers(len(walls), size=2)]
    sides = two[generator.integers(2, size=4)]
    floor = floors[generator.integers(len(floors))]
    ceiling = ceilings[generator.integers(len(ceilings))]
    # No absorber covers all of a surface, and no surface reflects all.
    return size, np.clip(np.vstack([sides, floor, ceiling]), 0.01, 0.95)


def _log_uniform(generator: np.random.Generator, low: float, high: float, count: int) -> np.ndarray:
    return np.exp(generator.uniform(np.log(low), np.log(high), count))
