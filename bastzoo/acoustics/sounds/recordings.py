"""A folder of recordings as a corpus: read, mixed to mono, resampled and cut into pieces of 500 ms.

All pieces of a file are in one split. Which split that is follows from the file's path alone, so that
adding files to a folder moves none of the others.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.draws import Draw
from bastzoo.acoustics.sounds import SPLITS, Split
from bastzoo.acoustics.sounds.corpus import STEPS, Corpus, levelled
from bastzoo.errors import DataError, SetupError

SUFFIXES = (".wav", ".flac", ".ogg")

CLASS_OF_LOOSE_FILES = "sound"
"""The class of files that lie in no sub-folder."""

FLOOR_DB = -40.0
"""A piece whose RMS lies further below that of the loudest piece of its file is left out."""

# The last two tenths of the hash's range.
_VALIDATION_FROM, _TEST_FROM = 0.8, 0.9
_LOWEST_RATE, _HIGHEST_RATE = 4_000, 400_000
_BLOCK = 32
_LISTED = 20
_SILENT = 1e-4
"""RMS at -80 dB of full scale: below it is nothing but a converter's own noise."""
_MOST_CHANNELS = 2


@dataclass(frozen=True)
class _Source:
    """A file of the folder that can be opened: where it is, and how many whole pieces it holds."""

    path: Path
    name: str
    label: str
    rate: int
    pieces: int

    @property
    def place(self) -> float:
        """Uniform in 0..1, from the path within the folder alone."""
        return _hash(self.name) / 2**64


@dataclass
class _Findings:
    """What was wrong with files of a folder."""

    faults: list[str] = field(default_factory=list)
    short: int = 0
    silent: int = 0

    def __str__(self) -> str:
        """The files that are readable and of no use, in words; empty without any."""
        words = []
        if self.short:
            words.append(f"{self.short:,} shorter than 500 ms")
        if self.silent:
            words.append(f"{self.silent:,} silent")
        return " and ".join(words)


def read_sound_folder(
    root: str | Path, counts: Mapping[Split, int], *, seed: int = 0
) -> dict[Split, Corpus]:
    """The sounds of a folder for each of the splits train, validation and test.

    `counts` says how many sounds a split has at most. WAV, FLAC and OGG files of any rate from 4 kHz,
    mono or stereo, are mixed to mono and resampled to 16 kHz; each whole 500 ms that is at most 40 dB
    below the loudest of its file, and above -80 dB of full scale, is a sound. Its class is the
    sub-folder of `root` that it lies in, its id `class/file.wav#3`. Levels are drawn as the embedded
    corpus draws them, from `seed` and the id. Splits divide files
    80 : 10 : 10 by a hash of their paths; within a split, classes take turns, and so do the files of a
    class, in the order of that hash.

    The `notes` of the training corpus say how many files were read, which were of no use and why, and
    where there are fewer sounds than were asked for.

    Raises DataError, with all unreadable files in one list, when files cannot be read, when there are
    fewer than three, or when they leave a split without a sound; SetupError without soundfile.
    """
    root = Path(root)
    paths = _audio_files(root)
    findings = _Findings()
    sources = [source for path in paths if (source := _opened(root, path, findings))]
    sources.sort(key=lambda source: (source.place, source.name))
    classes = tuple(sorted({source.label for source in sources}))
    files = _split(sources)
    taken = {split: _take(files[split], counts[split], findings) for split in SPLITS}
    _raise_for_faults(root, findings)
    for split in SPLITS:
        if counts[split] > 0 and not taken[split]:
            raise DataError(_nothing_left(root, split, len(paths), findings))
    found = {split: _corpus(taken[split], classes, seed) for split in SPLITS}
    notes = _notes(root, len(paths), counts, found, findings)
    return {**found, "train": replace(found["train"], notes=notes)}


def _notes(
    root: Path,
    files: int,
    counts: Mapping[Split, int],
    found: Mapping[Split, Corpus],
    findings: _Findings,
) -> tuple[str, ...]:
    """What was read and left out, and which splits have less than was asked for; else nothing."""
    fewer = [
        f"{len(found[split]):,} of {counts[split]:,} {split} sounds"
        for split in SPLITS
        if len(found[split]) < counts[split]
    ]
    if not fewer and not str(findings):
        return ()
    left = f"; {findings} left out" if str(findings) else ""
    there = f"; there are {', '.join(fewer)}" if fewer else ""
    return (f"{_told(root)}: {files:,} files were read{left}{there}.",)


# ---- which files ------------------------------------------------------


def _audio_files(root: Path) -> list[Path]:
    """All audio files below `root`, hidden ones left out."""
    if not root.is_dir():
        raise DataError(f"{_told(root)} is not a folder: give a folder of sounds.")
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        visible = (name for name in names if not name.startswith("."))
        found += [Path(folder, name) for name in visible if name.lower().endswith(SUFFIXES)]
    if len(found) < len(SPLITS):
        several = "no sound file" if not found else f"only {len(found)} sound file(s)"
        raise DataError(
            f"{_told(root)} holds {several} (WAV, FLAC or OGG): "
            f"give at least three, one each for training, validation and test."
        )
    return sorted(found)


def _opened(root: Path, path: Path, findings: _Findings) -> _Source | None:
    """What the header of a file says, or None for a file of no use, which `findings` then knows."""
    soundfile = _soundfile()
    relative = path.relative_to(root)
    name = _text(relative.as_posix())
    if not path.is_file():  # a pipe would be waited for, for ever
        findings.faults.append(f"{_told(name)}: is no regular file")
        return None
    try:
        header = soundfile.info(os.fspath(path))
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        findings.faults.append(f"{_told(name)}: is not readable as audio ({_reason(error)})")
        return None
    if not _LOWEST_RATE <= header.samplerate <= _HIGHEST_RATE:
        findings.faults.append(
            f"{_told(name)}: has a rate of {header.samplerate} Hz, out of "
            f"{_LOWEST_RATE:,} to {_HIGHEST_RATE:,}"
        )
        return None
    if header.channels > _MOST_CHANNELS:
        findings.faults.append(
            f"{_told(name)}: has {header.channels} channels, and nobody knows which counts; save it as mono "
            f"or stereo"
        )
        return None
    pieces = header.frames * SAMPLE_RATE // (header.samplerate * CLIP_SAMPLES)
    if pieces < 1:
        findings.short += 1
        return None
    loose = len(relative.parts) == 1
    label = CLASS_OF_LOOSE_FILES if loose else _text(relative.parts[0])
    return _Source(path, name, label, header.samplerate, pieces)


def _split(sources: list[_Source]) -> dict[str, list[_Source]]:
    """Files by split, as their hashes say; a split that got none takes the one that comes closest.

    `sources` are in the order of their hashes.
    """
    files: dict[str, list[_Source]] = {split: [] for split in SPLITS}
    for source in sources:
        is_train, is_test = source.place < _VALIDATION_FROM, source.place >= _TEST_FROM
        files["train" if is_train else "test" if is_test else "validation"].append(source)
    if len(sources) >= len(SPLITS):
        if not files["test"]:
            files["test"].append(files["validation" if files["validation"] else "train"].pop())
        if not files["validation"]:
            from_train = len(files["train"]) > 1
            files["validation"].append(files["train"].pop() if from_train else files["test"].pop(0))
        if not files["train"]:
            largest = max(("validation", "test"), key=lambda split: len(files[split]))
            files["train"].append(files[largest].pop(0))
    return files


# ---- which pieces -----------------------------------------------------


def _take(
    sources: list[_Source], count: int, findings: _Findings
) -> list[tuple[_Source, int, np.ndarray]]:
    """Up to `count` pieces with their numbers; classes take turns, and so do the files of a class."""
    waiting: dict[str, deque[Iterator[tuple[_Source, int, np.ndarray]]]] = {}
    for source in sources:
        waiting.setdefault(source.label, deque()).append(_pieces(source, findings))
    classes = deque(sorted(waiting))
    taken: list[tuple[_Source, int, np.ndarray]] = []
    while classes and len(taken) < count:
        files = waiting[classes[0]]
        piece = next(files[0], None)
        if piece is None:
            files.popleft()
            if not files:
                classes.popleft()
            continue
        taken.append(piece)
        files.rotate(-1)
        classes.rotate(-1)
    return taken


def _pieces(source: _Source, findings: _Findings) -> Iterator[tuple[_Source, int, np.ndarray]]:
    """The loud pieces of a file, each [8000] with RMS 1; one pass finds them, a second reads them."""
    soundfile = _soundfile()
    try:
        levels = np.concatenate(
            [_rms(_read(source, first)) for first in range(0, source.pieces, _BLOCK)]
        )
        if not np.isfinite(levels).all():
            raise ValueError("it holds samples that are not finite numbers")
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        findings.faults.append(f"{_told(source.name)}: is damaged ({_reason(error)})")
        return
    floor = max(_SILENT, levels.max() * 10 ** (FLOOR_DB / 20))
    loud = np.flatnonzero(levels > floor)
    findings.silent += len(loud) == 0
    for number in loud.tolist():
        piece = _read(source, number, 1)[0]
        yield source, number, piece / np.sqrt(np.mean(piece**2))


def _rms(pieces: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(pieces).mean(-1))


def _read(source: _Source, first: int, count: int = _BLOCK) -> np.ndarray:
    """Pieces `first` to `first + count` (or the end) [n, 8000] at 16 kHz, each without its mean.

    What comes out does not depend on where a block begins: it is read with as much before and behind
    as the resampling filter is long. Raises ValueError for a file that ends before its header says.
    """
    from scipy.signal import resample_poly

    last = min(first + count, source.pieces)
    up, down = _ratio(source.rate)
    margin = len(_low_pass(up, down)) // up + 2
    # A start at a multiple of `down` falls onto a sample of the result.
    start = max(0, (first * CLIP_SAMPLES // up * down) - margin) // down * down
    stop = -(-last * CLIP_SAMPLES * down // up) + margin
    with _soundfile().SoundFile(os.fspath(source.path)) as file:
        stop = min(stop, file.frames)
        file.seek(start)
        samples = file.read(stop - start, dtype="float32", always_2d=True)
    if len(samples) < stop - start:
        raise ValueError("it ends before its header says")
    mono = samples.mean(axis=1, dtype=np.float64)
    if up != down:
        mono = resample_poly(mono, up, down, window=_low_pass(up, down))
    skipped = first * CLIP_SAMPLES - start // down * up
    pieces = mono[skipped:][: (last - first) * CLIP_SAMPLES].reshape(-1, CLIP_SAMPLES)
    with np.errstate(invalid="ignore"):  # infinite samples become NaN, which is said of the file
        return np.asarray(pieces - pieces.mean(-1, keepdims=True))


def _ratio(rate: int) -> tuple[int, int]:
    """What a rate is multiplied by and divided by to become 16 kHz."""
    common = gcd(SAMPLE_RATE, rate)
    return SAMPLE_RATE // common, rate // common


@lru_cache(maxsize=4)
def _low_pass(up: int, down: int) -> np.ndarray:
    """The taps with which `resample_poly` limits the band: half passes at 7.5 kHz."""
    from scipy.signal import firwin

    widest = max(up, down)
    if widest == 1:
        return np.ones(1)
    # A Kaiser window over 20 zero crossings on either side lets nothing pass from 8.5 kHz on.
    taps: np.ndarray = firwin(2 * 20 * widest + 1, 0.94 / widest, window=("kaiser", 6.0))
    return taps


# ---- results ----------------------------------------------------------


def _corpus(
    taken: list[tuple[_Source, int, np.ndarray]], classes: tuple[str, ...], seed: int
) -> Corpus:
    ids = tuple(f"{source.name}#{number}" for source, number, _ in taken)
    samples = np.zeros((len(taken), CLIP_SAMPLES), np.float32)
    for row, (name, (_, _, piece)) in enumerate(zip(ids, taken, strict=True)):
        samples[row] = levelled(piece, Draw(seed, _hash(name))) / STEPS
    families = np.array([classes.index(source.label) for source, _, _ in taken], np.int64)
    return Corpus(ids, families, samples, classes)


def _raise_for_faults(root: Path, findings: _Findings) -> None:
    count = len(findings.faults)
    if not count:
        return
    lines = [f"{_told(root)} has sounds that cannot be used; mend them or take them away:"]
    lines += [f"  - {fault}" for fault in sorted(findings.faults)[:_LISTED]]
    if count > _LISTED:
        lines.append(f"  - and {count - _LISTED:,} more")
    lines.append("1 fault in all." if count == 1 else f"{count:,} faults in all.")
    raise DataError("\n".join(lines))


def _nothing_left(root: Path, split: str, count: int, findings: _Findings) -> str:
    why = f" ({findings})" if str(findings) else ""
    return (
        f"{_told(root)} leaves no sound for {split}: of its {count:,} files, too few hold 500 ms of "
        f"sound{why}; add longer or louder files."
    )


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: its library is missing
        raise SetupError(
            "Reading sounds takes the package soundfile: pip install soundfile."
        ) from error
    return soundfile


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


def _text(name: str) -> str:
    """A file's name as proper Unicode, whatever bytes it has on disk."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _told(name: str | Path) -> str:
    """A stranger's name as a terminal can show it."""
    text = _text(os.fspath(name))
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _reason(error: Exception) -> str:
    """The last clause of an error: soundfile's begin with the path, which has been told already."""
    text = str(error).strip().split("\n")[0].rsplit(": ", 1)[-1].rstrip(".")
    return _told(text or type(error).__name__)
