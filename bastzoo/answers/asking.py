"""A finished localizer of one's own, asked as files of answers are read: any function of clips."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from bastzoo.answers.questions import Question, asked
from bastzoo.answers.scoring import keep
from bastzoo.answers.table import OPTIONAL, REQUIRED, SPANS, answered, check_form
from bastzoo.directions import direction_from_angles
from bastzoo.engine.evaluation import Answers
from bastzoo.errors import DataError, tellable
from bastzoo.metrics.localization import unit

if TYPE_CHECKING:
    from bastzoo.boards.frames import Runs

Method = Callable[[Tensor], Any]
"""From clips `[n, 2, 8000]` (float32, 16 kHz, the left ear first) to what it answers to each of them."""

_ANGLES = (*REQUIRED[1:], *OPTIONAL)
_WHOSE = "The answers of the method"


def score(
    method: Method,
    *,
    track: str,
    name: str,
    preset: str = "quick",
    env: str = "RI",
    runs: str | Path = "runs",
    batch: int = 64,
) -> Runs:
    """Test a finished localizer of your own on a track, and put it beside what bastzoo trains.

    method: any function of clips (`ask` says what it is given and returns), or a torch module that is one.
    name: what tables call it. preset: whose test sounds. env: where the cases are heard that name no
    environment. runs: the folder of runs.

    Gives its run with the results; `bz.load_runs(runs).leaderboard(track)` has it in the table, marked.
    Raises a BastzooError for an unknown track and for answers that are none.

    >>> import bastzoo as bz
    >>> def louder(clips):  # to the side of the louder ear
    ...     level = clips.square().mean(dim=2).log()
    ...     return 60 * (level[:, 0] - level[:, 1]).clamp(-1, 1)
    >>> runs = bz.score(louder, track="RI", name="The louder ear")  # doctest: +SKIP
    """
    from bastzoo.boards.frames import Runs
    from bastzoo.harness.tracks import question_of
    from bastzoo.records.store import RunStore

    started = time.perf_counter()
    for what, value in (("track", track), ("name", name), ("preset", preset), ("env", env)):
        if not isinstance(value, str):
            raise DataError(f"bz.score's {what} is a name, not {value!r}.")
    if not isinstance(batch, int) or batch < 1:
        raise DataError(f"bz.score's batch is a number of clips from 1 on, not {batch!r}.")
    found, store = asked(track, preset=preset, environment=env), RunStore(runs)
    store.prepare()
    given = ask(method, found.questions, batch=batch)
    run, _, _ = keep(given, found, store, name=name, started=started)
    return Runs.of(runs, question=question_of).of_keys({run.key})


def ask(
    method: Method,
    questions: Sequence[Question],
    *,
    batch: int = 64,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Answers]:
    """What a method answers to all clips, for each case in the order of its clips.

    method: is given `batch` clips at a time (the last time fewer) and returns, for `n` of them, azimuths in
        degrees `[n]` (0 in front, +90 left, -180 to 180), directions `[n, 3]` (x front, y left, z up, of
        any length), or a mapping with `azimuth_deg` and, where it has them, `elevation_deg`, `class`
        (names) and `confidence` (0 to 1), `[n]` each. NaN is no answer, and counts as 90 degrees off. A
        torch module is asked in eval mode, and everything without gradients.

    Raises DataError for an answer of another form, and whatever the method raises.
    """
    if isinstance(method, nn.Module):
        method.eval()
    total = sum(len(question.clips) for question in questions)
    done, cases = 0, []
    for question in questions:
        parts: list[Mapping[str, np.ndarray]] = []
        for part in torch.arange(len(question.clips)).split(batch):
            clips = question.clips.take(part).inputs.cpu()
            with torch.inference_mode():
                given = method(clips)
            parts.append(_columns(given, len(part)))
            done += len(part)
            progress(done, total)
        if any(part.keys() != parts[0].keys() for part in parts):
            raise DataError(
                "The method answered in different forms to different clips; choose one."
            )
        cases.append({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    angles = np.concatenate([columns.get("azimuth_deg", np.empty(0)) for columns in cases])
    if len(angles):
        check_form(_WHOSE, angles[~np.isnan(angles)].tolist())
    answers = [_answers(*each) for each in zip(cases, questions, strict=True)]
    if all(np.isnan(each.directions).all() for each in answers):
        check_form(_WHOSE, [])
    return answers


def _columns(given: Any, count: int) -> Mapping[str, np.ndarray]:
    """What a method returned, by the names of a table of answers, or as `directions`."""
    if not isinstance(given, Mapping):
        values = _array(given)
        if values.shape == (count, 3):
            return {"directions": values}
        return {"azimuth_deg": _of_length(values, "azimuths", count)}
    strange = [str(name) for name in given if name not in _ANGLES]
    if strange or "azimuth_deg" not in given:
        wrong = f"has {tellable(strange[0])!r}" if strange else "has no 'azimuth_deg'"
        raise DataError(
            f"The method's answer {wrong}; it may hold azimuth_deg (needed), {', '.join(OPTIONAL)}."
        )
    return {
        name: np.asarray(values, dtype=str)
        if name == "class"
        else _of_length(_array(values), name, count)
        for name, values in given.items()
    }


def _array(values: Any) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The method answered {type(values).__name__}, which holds no numbers; return azimuths in "
            "degrees."
        ) from error


def _of_length(values: np.ndarray, what: str, count: int) -> np.ndarray:
    if values.shape == (count, 1):
        values = values[:, 0]
    if values.shape != (count,):
        raise DataError(
            f"The method answered {what} of the shape {list(values.shape)} to {count} clips; return "
            f"[{count}] azimuths in degrees, or [{count}, 3] directions (x front, y left, z up)."
        )
    return values


def _check_span(what: str, values: np.ndarray) -> None:
    low, high = SPANS[what]
    known = values[~np.isnan(values)]
    if len(wrong := known[(known < low) | (known > high)]):
        raise DataError(f"The method answered {what} {wrong[0]:g}; it is from {low:g} to {high:g}.")


def _answers(columns: Mapping[str, np.ndarray], question: Question) -> Answers:
    for name in SPANS.keys() & columns.keys():
        _check_span(name, columns[name])
    azimuths = columns.get("azimuth_deg")
    if azimuths is None:
        directions = unit(columns["directions"])
    else:
        elevation = columns.get("elevation_deg", np.zeros(len(azimuths)))
        directions = direction_from_angles(azimuths, np.where(np.isnan(elevation), 0.0, elevation))
    return answered(
        _WHOSE,
        question,
        directions,
        classes=columns["class"].tolist() if "class" in columns else None,
        more={"confidence": columns["confidence"]} if "confidence" in columns else {},
    )


def find_method(reference: str) -> Method:
    """The function that `FILE.py:NAME` or `MODULE:NAME` names.

    Raises DataError, in a sentence, for what is not there, and for what raises while it is imported.
    """
    where, _, name = reference.rpartition(":")
    try:
        if where.endswith(".py"):
            path = Path(where)
            if not path.is_file():
                raise DataError(f"There is no file {where!r} with a method in it.")
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules.setdefault(path.stem, module)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(where)
    except DataError:
        raise
    except Exception as error:  # a stranger's code raises anything
        raise DataError(f"{where!r} cannot be imported: {_said(error)}") from error
    method = getattr(module, name, None)
    if not callable(method):
        there = [each for each in vars(module) if callable(getattr(module, each))]
        raise DataError(
            f"{where!r} has no function {tellable(name)!r} (it has {', '.join(sorted(there)[:8]) or 'none'})."
        )
    found: Method = method
    return found


def is_reference(text: str) -> bool:
    """Whether the text names a function, and not a file of answers."""
    where, _, name = text.rpartition(":")
    is_module = all(part.isidentifier() for part in where.split("."))
    return name.isidentifier() and (where.endswith(".py") or is_module) and not Path(text).exists()


def failed(reference: str, error: Exception) -> DataError:
    """What a method raised, in a sentence."""
    return DataError(f"{tellable(reference)} could not answer: {_said(error)}")


def _said(error: Exception) -> str:
    return tellable(f"{type(error).__name__}: {error}".strip())[:400]
