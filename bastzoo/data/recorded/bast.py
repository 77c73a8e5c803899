"""Reads a folder of recordings as BAST names them: `train/` and `test/` of WAV files.

A file's characters 2 to 4 are its azimuth, a token such as `RI01` or `RI02_SNR_20` its environment, and
what remains is the sound. Only names are read here; what is in the files is read when they are converted.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bastzoo.data.recorded.faults import Faults
from bastzoo.data.recorded.index import (
    TEST,
    TRAIN,
    VALIDATION,
    AzimuthDirection,
    RecordedIndex,
    counter_clockwise,
    hold_out,
    numbered,
    refuse,
)
from bastzoo.errors import DataError

# An underscore parts words here, and belongs to the noise; so no \b, to which it is a letter.
# A noise that is spelled another way (SNR20, SNR_20dB, SNR_2.5) must not pass for a sound without any.
_ENVIRONMENT = re.compile(
    r"(?<![A-Z0-9])(?P<room>RI[0-9]+)"
    r"(?:(?P<noise>_SNR_(?:-?[0-9]+|clean))(?!\.[0-9])|(?!_SNR(?![A-Z])))(?![A-Z0-9])",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"(?P<room>RI\d*)(?P<noise>_SNR_(?:-?\d+|clean))?", re.IGNORECASE)
_OWN_NAME = re.compile(r"_(?P<room>[^\W\d_][^_]*)_(?=.)")
"""Behind the azimuth of a name without RI: `A030_office_bell`."""
_SEPARATORS = "_-. "
_HELD_OUT = 0.1
_MOST_HELD_OUT = 0.2
"""Share of the training sounds that are held out at most, however many a preset asks for."""


def read_bast_folder(
    root: str | Path,
    *,
    environment: str | None = "RI",
    validation_sounds: int | None = None,
    sound_id: str | None = None,
    azimuth_direction: AzimuthDirection = "clockwise",
    azimuth_step: int = 10,
) -> RecordedIndex:
    """The index of a folder's recordings in one environment.

    environment: `RI`, every room without noise; `RI02`, one room; `RI_SNR_20`, every room at that
        ratio; `RI02_SNR_20`; None, everything there is, each noise a room of its own. In a folder none of
        whose names has RI01 or the like, the word behind the azimuth (`A030_office_bell.wav`) is the
        environment: any of them, or `RI` and None for all.
    validation_sounds: how many of the sounds of `train/` are held out, in all their rooms and from all
        azimuths, a fifth of them at most; None for a tenth.
    sound_id: regular expression for the sound's id in a file's name (its first group, or all of it).
    azimuth_step: degrees of the grid that azimuths lie on.

    Files that cannot be used are in the index's faults. Raises DataError when no file can.
    """
    root = Path(root)
    if not 1 <= azimuth_step <= 360:
        raise DataError(f"A grid in steps of {azimuth_step} degrees cannot be; give 1 to 360.")
    pattern = _sound_pattern(sound_id)
    faults = Faults()
    rows: list[tuple[str, int, str, str, int]] = []
    others: Counter[str] = Counter()
    # A folder lists its files in any order; faults are told in the order of their names.
    parts = [
        (sorted(_wave_files(root, part)), split)
        for part, split in (("train", TRAIN), ("test", TEST))
    ]
    names = [name for part, _ in parts for name in part]
    rooms_of_bast = any(_ENVIRONMENT.search(_stem(name), 4) for name in names)
    rooms_of_bast |= not any(_OWN_NAME.match(_stem(name), 4) for name in names)
    fits = _chooser(environment, rooms_of_bast)
    for part, split in parts:
        for name in part:
            row = _parse(name, pattern, azimuth_step, faults, rooms_of_bast)
            if row is None:
                continue
            azimuth, room, noise, sound = row
            others[room + noise] += 1
            if environment is None:
                room += noise
            elif not fits(room, noise):
                continue
            rows.append((name, split, room, sound, azimuth))
    if not names:
        raise DataError(
            f"{str(root)!r} has no WAV file in train/ and test/; give the folder above the two."
        )
    if not rows:
        known = ", ".join(f"{name} ({count:,})" for name, count in sorted(others.items()))
        found = f"it has {known}" if known else "no file's name could be read"
        which = "that can be used" if environment is None else f"in the environment {environment!r}"
        refuse(f"{str(root)!r} has no recording {which}; {found}.", faults)
    return _index(root, sorted(rows), validation_sounds, azimuth_direction, faults)


def _wave_files(root: Path, part: str) -> Iterator[str]:
    """POSIX paths below the root of all WAV files of a part, whatever sub-folder they are in."""
    folder = root / part
    if not folder.is_dir():
        raise DataError(
            f"{str(root)!r} has no folder {part}/; a set of recordings has train/ and test/ with WAV "
            "files."
        )
    pending = [(str(folder), part)]
    seen = {os.path.realpath(folder)}
    while pending:
        place, prefix = pending.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.name.startswith("."):  # macOS puts a ._A030... beside each file
                        continue
                    name = f"{prefix}/{entry.name}"
                    if entry.name.lower().endswith(".wav"):
                        yield name
                    elif entry.is_dir():
                        # Links to folders count, but not in a circle.
                        real = os.path.realpath(entry.path)
                        if real not in seen:
                            seen.add(real)
                            pending.append((entry.path, name))
        except OSError as error:
            raise DataError(
                f"The folder {place!r} cannot be read: {error.strerror or error}."
            ) from error


def _parse(
    name: str, pattern: re.Pattern[str] | None, step: int, faults: Faults, rooms_of_bast: bool
) -> tuple[int, str, str, str] | None:
    """Azimuth, room, noise and sound of a file's name; None, and a fault, when it tells less."""
    stem = _stem(name)
    digits = stem[1:4]
    if not (len(digits) == 3 and digits.isascii() and digits.isdigit()):
        faults.add(name, "characters 2 to 4 are no azimuth in degrees; rename it (A030_RI01_...)")
        return None
    azimuth = int(digits)
    if azimuth > 360 or azimuth % step:
        faults.add(
            name,
            f"the azimuth {azimuth} is not on the grid of 0 to 360 in steps of {step}; rename it",
        )
        return None
    found = _ENVIRONMENT.search(stem, 4) if rooms_of_bast else _OWN_NAME.match(stem, 4)
    if found is None:
        how = (
            "put RI01, RI02 or RI01_SNR_20 into it"
            if rooms_of_bast
            else "rename it (A030_office_bell)"
        )
        faults.add(name, f"names no environment; {how}")
        return None
    if rooms_of_bast and _ENVIRONMENT.search(stem, found.end()) is not None:
        faults.add(name, "names two environments; leave one of them in it")
        return None
    room, noise = found["room"], ""
    if rooms_of_bast:
        room, noise = room.upper(), (found["noise"] or "").upper()
    if noise.endswith("CLEAN"):
        noise = ""
    if pattern is None:
        rest = (stem[4 : found.start()].strip(_SEPARATORS), stem[found.end() :].strip(_SEPARATORS))
        sound = "_".join(filter(None, rest))
        if not sound:
            faults.add(name, "names no sound beside azimuth and environment; rename it")
            return None
        return azimuth, room, noise, sound
    match = pattern.search(stem)
    found_id = (match[1] if pattern.groups else match[0]) if match else None
    if not found_id:
        faults.add(
            name, "--sound-id finds nothing in it; correct the expression or rename the file"
        )
        return None
    return azimuth, room, noise, found_id


def _sound_pattern(sound_id: str | None) -> re.Pattern[str] | None:
    if sound_id is None:
        return None
    try:
        with warnings.catch_warnings():  # of what Python may read otherwise in years to come
            warnings.simplefilter("ignore")
            return re.compile(sound_id)
    except (re.error, OverflowError, RecursionError) as error:
        raise DataError(f"--sound-id {sound_id!r} is no regular expression: {error}.") from error


def _stem(name: str) -> str:
    return name.rpartition("/")[2][:-4]


def _chooser(environment: str | None, rooms_of_bast: bool) -> Callable[[str, str], bool]:
    """Whether recordings of a room, in a noise, are in the environment that is asked for.

    Raises DataError for an environment that recordings named as BAST's cannot have.
    """
    if environment is None or (not rooms_of_bast and environment.upper() == "RI"):
        return lambda room, noise: True
    if not rooms_of_bast:
        return lambda room, noise: room.casefold() == environment.casefold()
    wanted = _CHOICE.fullmatch(environment)
    if wanted is None:
        raise DataError(
            f"{environment!r} is no environment of recordings named as these; they are called RI, RI01, "
            "RI02, RI_SNR_20, RI02_SNR_20, ..."
        )
    chosen, ratio = wanted["room"].upper(), (wanted["noise"] or "").upper()
    if ratio.endswith("CLEAN"):
        ratio = ""
    return lambda room, noise: noise == ratio and chosen in ("RI", room)


def _index(
    root: Path,
    rows: list[tuple[str, int, str, str, int]],
    validation_sounds: int | None,
    azimuth_direction: AzimuthDirection,
    faults: Faults,
) -> RecordedIndex:
    files, splits, rooms, sounds, azimuths = zip(*rows, strict=True)
    split = np.array(splits, dtype=np.int8)
    sound_ids, sound = numbered(sounds)
    room_names, room = numbered(rooms)
    keep = np.ones(len(rows), dtype=bool)
    # The test keeps such a sound: what is tested on must not have been heard.
    keep[(split == TRAIN) & np.isin(sound, sound[split == TEST])] = False
    for row in np.flatnonzero(~keep).tolist():
        what = f"its sound {sounds[row]!r} is in test/ too; take it out of one of them"
        faults.add(files[row], what)
    training = keep & (split == TRAIN)
    if len(np.unique(sound[training])) < 2:
        refuse(
            f"{str(root / 'train')!r} needs at least two sounds, one of them for validation. (Is the "
            "sound's id read right? --sound-id says what of a name it is.)",
            faults,
        )
    amount: int | float = _HELD_OUT
    notes = []
    if validation_sounds is not None:
        there = len(np.unique(sound[training]))
        amount = min(validation_sounds, max(1, int(_MOST_HELD_OUT * there)))
        if amount < validation_sounds:
            notes.append(
                f"{str(root / 'train')!r} has {there} sounds: {amount} of them are held out for validation, "
                f"not {validation_sounds}, and {there - amount} are left to train on."
            )
    chosen = np.flatnonzero(training)
    held = hold_out(sound[chosen], sound_ids, amount, "validation")
    split[chosen[held]] = VALIDATION
    index = RecordedIndex(
        kind="bast",
        root=root,
        files=files,
        split=split,
        sound=sound,
        room=room,
        label=np.zeros(len(files), dtype=np.int64),
        azimuth=counter_clockwise(np.array(azimuths), azimuth_direction),
        elevation=np.zeros(len(files)),
        sound_ids=sound_ids,
        rooms=room_names,
        classes=("sound",),
        faults=faults,
        notes=tuple(notes),
    )
    return index if keep.all() else index.select(keep)
