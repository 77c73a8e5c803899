"""What a reader of recorded data finds: one row a clip, with its file, split, sound, room and angles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from bastzoo.acoustics.sounds import SPLITS
from bastzoo.data.recorded.faults import Faults
from bastzoo.errors import DataError

TRAIN, VALIDATION, TEST = range(len(SPLITS))
"""What `RecordedIndex.split` holds: places in `SPLITS`."""

AzimuthDirection = Literal["clockwise", "counter-clockwise"]


@dataclass(frozen=True, eq=False)
class RecordedIndex:
    """The usable clips of a recorded data set, sorted by file name, and the faults of the others.

    kind: `bast`, files of samples, or `csv`, files of features.
    files: POSIX paths, relative to `root` or absolute.
    split [n] int8, sound, room and label [n] int64 index `SPLITS`, `sound_ids`, `rooms` and `classes`.
    azimuth, elevation: [n] float64, degrees; azimuths counter-clockwise, +90 left, (-180, 180].
    faults: one for each row that is left out; the caller decides whether to go on without them.
    more_label, more_azimuth, more_elevation: [n, M], of the further sources of clips with several; -1 and
        NaN where there is none. M is 0 where every clip has one.
    """

    kind: Literal["bast", "csv"]
    root: Path
    files: tuple[str, ...]
    split: np.ndarray
    sound: np.ndarray
    room: np.ndarray
    label: np.ndarray
    azimuth: np.ndarray
    elevation: np.ndarray
    sound_ids: tuple[str, ...]
    rooms: tuple[str, ...]
    classes: tuple[str, ...]
    faults: Faults = field(default_factory=Faults)
    notes: tuple[str, ...] = ()
    """Sentences on what a user would not expect of the splits."""
    any_format: bool = False
    """Whether files of samples may have any rate and precision."""
    file: Path | None = None
    """The CSV that names the files; None for a folder of them."""
    more_label: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    more_azimuth: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    more_elevation: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))

    @property
    def given(self) -> str:
        """What was given to be read: the CSV, or else the folder."""
        return str(self.file or self.root)

    @property
    def most_sources(self) -> int:
        """How many sources a clip has at most."""
        return 1 + self.more_label.shape[1]

    def __len__(self) -> int:
        return len(self.files)

    def path(self, row: int) -> Path:
        """Where the file of a row lies."""
        return self.root / self.files[row]

    def select(self, rows: Bool[np.ndarray, " n"] | Int[np.ndarray, " m"]) -> RecordedIndex:
        """The index with these rows only, by mask or by position; names and faults stay as they are."""
        chosen = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
        columns = ["split", "sound", "room", "label", "azimuth", "elevation"]
        if self.most_sources > 1:
            columns += ["more_label", "more_azimuth", "more_elevation"]
        return replace(
            self,
            files=tuple(self.files[row] for row in chosen.tolist()),
            **{column: getattr(self, column)[chosen] for column in columns},
        )

    def digest(self) -> str:
        """16 hexadecimal digits over all that the rows mean: split, sound, room, class and angles.

        Neither the place of the data, nor the machine, nor the order of the rows matters, and neither
        do the contents of the files. Rows count in the order of their file names, so that two files
        that exchange their angles make another digest, and files that are renamed together do not.
        """
        order = sorted(range(len(self)), key=self.files.__getitem__)
        rows = np.empty((len(self), 6), dtype="<u8")
        rows[:, 0] = self.split
        rows[:, 1] = _hashes(self.sound_ids)[self.sound]
        rows[:, 2] = _hashes(self.rooms)[self.room]
        rows[:, 3] = _hashes(self.classes)[self.label]
        # Adding zero makes 0.0 of -0.0, which is the same angle in other bits.
        rows[:, 4] = (self.azimuth + 0.0).astype("<f8").view("<u8")
        rows[:, 5] = (self.elevation + 0.0).astype("<f8").view("<u8")
        # All classes, with and without rows: a head has an output for each.
        state = blake2b(_hashes((self.kind, *self.classes)).tobytes(), digest_size=8)
        state.update(rows[np.array(order, dtype=np.int64)].tobytes())
        if self.most_sources > 1:  # clips of one source keep the digests that they had
            for column in (self.more_label, self.more_azimuth, self.more_elevation):
                state.update(column[order].astype("<f8").tobytes())
        return state.hexdigest()


def hold_out(
    sound: Int[np.ndarray, " n"],
    sound_ids: Sequence[str],
    amount: int | float,
    seed: str,
    *,
    label: Int[np.ndarray, " n"] | None = None,
) -> Bool[np.ndarray, " n"]:
    """Mask of the rows of sounds that are held out: whole sounds, in all their rooms and azimuths.

    A sound is drawn by the hash of its id and the seed: neither the order of the rows, nor how many a
    sound has, nor what other sounds there are changes its turn.

    amount: a number of sounds (int) or a share of them (float); at least one, and one is left.
    label: where given, a sound is passed over when its class would have no sound left.
    """
    present = np.unique(sound)
    count = round(amount * len(present)) if isinstance(amount, float) else amount
    count = max(1, min(count, len(present) - 1)) if len(present) > 1 else 0
    turn = {number: _hash(f"{seed}/{sound_ids[number]}") for number in present.tolist()}
    order = sorted(turn, key=lambda number: (turn[number], sound_ids[number]))
    chosen = order[:count] if label is None else _sparing_classes(order, count, sound, label)
    return np.isin(sound, chosen)


def _sparing_classes(
    order: Iterable[int], count: int, sound: np.ndarray, label: np.ndarray
) -> list[int]:
    """The first sounds of an order, passing over those that are the last of a class."""
    classes_of: dict[int, list[int]] = {}
    left: Counter[int] = Counter()
    classes = int(label.max(initial=0)) + 1
    for pair in np.unique(sound * classes + label).tolist():
        number, of_class = divmod(pair, classes)
        classes_of.setdefault(number, []).append(of_class)
        left[of_class] += 1
    chosen: list[int] = []
    for number in order:
        if len(chosen) == count:
            break
        if all(left[of_class] > 1 for of_class in classes_of[number]):
            chosen.append(number)
            left.subtract(classes_of[number])
    return chosen


def counter_clockwise(
    azimuth: Real[np.ndarray, "*n"], direction: AzimuthDirection
) -> Float[np.ndarray, "*n"]:
    """Azimuths as the project counts them: degrees counter-clockwise, (-180, 180], +90 left.

    azimuth: degrees from -360 to 360, counted in `direction`. Raises DataError for another direction.
    """
    if direction not in ("clockwise", "counter-clockwise"):
        raise DataError(
            f"{direction!r} is no direction of azimuths; give clockwise or counter-clockwise."
        )
    # 0.0 - ... instead of a sign, which would make -0.0 of 0.
    turned = np.asarray(azimuth, dtype=np.float64)
    turned = 0.0 - turned if direction == "clockwise" else turned + 0.0
    # A remainder would cost the last bits of an angle; one turn more or less does not.
    turned = np.where(turned > 180.0, turned - 360.0, turned)
    return np.where(turned <= -180.0, turned + 360.0, turned)


def numbered(names: Sequence[str]) -> tuple[tuple[str, ...], Int[np.ndarray, " n"]]:
    """The distinct names, sorted by code point, and for each given name its position among them."""
    table = tuple(sorted(set(names)))
    position = {name: number for number, name in enumerate(table)}
    return table, np.fromiter(map(position.__getitem__, names), np.int64, len(names))


def refuse(sentence: str, faults: Faults) -> NoReturn:
    """Raise DataError: data that cannot be used at all, with the faults that may be the reason."""
    faults.raise_for(sentence, skippable=False)
    raise DataError(sentence)


def _hash(text: str) -> int:
    # Names of files need not be UTF-8; Python carries their odd bytes as lone surrogates.
    raw = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "little")


def _hashes(names: Sequence[str]) -> np.ndarray:
    return np.array([_hash(name) for name in names], dtype="<u8")
