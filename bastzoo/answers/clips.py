"""The test clips of a track as files, for methods from elsewhere: WAV, and a CSV of names without answers."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.answers.questions import Question
from bastzoo.errors import SetupError
from bastzoo.limits.writing import check_space, new_folder

INDEX_FILE = "clips.csv"
ABOUT_FILE = "about.json"
_BYTES_PER_CLIP = 100 + 2 * 4 * CLIP_SAMPLES
_BATCH = 128


def write_clips(
    questions: Sequence[Question],
    folder: Path,
    *,
    about: dict[str, object],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write `wav/NAME.wav`, `clips.csv` (clip, file) and `about.json`; return how many clips.

    Files are 16 kHz, two channels (the left ear first), 32-bit float: the samples that bastzoo's own models
    hear. The CSV is sorted by name, which is a hash: the order tells nothing. The folder appears when it is
    whole. Raises SetupError for a folder that holds something, or that cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SetupError(f"{str(folder)!r} exists already; remove it, or name another with --to.")
    total = sum(len(question.clips) for question in questions)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        check_space(
            repr(str(folder)),
            total * _BYTES_PER_CLIP,
            folder.parent,
            otherwise="name another folder with --to",
        )
        aside = new_folder(folder.parent, folder.name)
        try:
            _write(questions, aside, about, lambda done: progress(done, total))
            if folder.exists():
                folder.rmdir()
            aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise SetupError(
            f"{str(folder)!r} cannot be written: {error.strerror or error}. Name another folder with --to."
        ) from error
    return total


def _write(
    questions: Sequence[Question],
    folder: Path,
    about: dict[str, object],
    progress: Callable[[int], None],
) -> None:
    # Not soundfile: its 32-bit float files hold the time of writing (a PEAK chunk), so no two are alike.
    from scipy.io import wavfile

    (folder / "wav").mkdir()
    done = 0
    for question in questions:
        for part in torch.arange(len(question.clips)).split(_BATCH):
            samples = question.clips.take(part).inputs.cpu().numpy()
            for index, clip in zip(part.tolist(), samples, strict=True):
                path = folder / "wav" / f"{question.names[index]}.wav"
                wavfile.write(path, SAMPLE_RATE, clip.T)
            done += len(part)
            progress(done)
    names = sorted(name for question in questions for name in question.names)
    with (folder / INDEX_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("clip", "file"))
        writer.writerows((name, f"wav/{name}.wav") for name in names)
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    (folder / ABOUT_FILE).write_text(text, encoding="utf-8")
