"""`bastzoo score`: answers from elsewhere, with every figure of the protocol."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bastzoo.cli.answers.options import asked_options
from bastzoo.cli.names import Named
from bastzoo.cli.options import as_json, runs_option

if TYPE_CHECKING:
    from bastzoo.answers.questions import Asked
    from bastzoo.engine.evaluation import Answers
    from bastzoo.records.record import Evaluation


@click.command()
@click.argument("answers", metavar="ANSWERS.csv|FILE.py:FUNCTION")
@click.option(
    "--track",
    required=True,
    type=Named("track"),
    metavar="NAME",
    help="What was answered: bastzoo clips.",
)
@click.option("--name", required=True, metavar="NAME", help="What tables call the method.")
@runs_option
@asked_options
@as_json
def score(
    answers: str,
    track: str,
    name: str,
    out: str,
    preset: str,
    environment: str,
    json_: bool,
) -> None:
    """Score answers to the clips of a track, whoever or whatever gave them: a file, or a function.

    ANSWERS.csv has the columns clip, azimuth_deg (-180 to 180, 0 in front, +90 left) and, if there are
    any, elevation_deg, class, confidence (0 to 1). An empty azimuth is no answer: 90 degrees off. All is
    scored, or nothing. bastzoo clips writes the clips.

    FILE.py:FUNCTION (or MODULE:FUNCTION) is a finished localizer of your own, trained anywhere: it is given
    clips [n, 2, 8000] (a float32 tensor, 16 kHz, the left ear first) and returns n azimuths in degrees, or
    directions [n, 3].

    The record stands in the tables of bastzoo leaderboard, marked.

    \b
    Examples:
      bastzoo score answers.csv --track RI --name "My method"
      bastzoo score mine.py:localize --track measured-rooms --name "My net"
    """
    from bastzoo.answers.questions import asked
    from bastzoo.cli.terminal.progress import say
    from bastzoo.cli.terminal.results import print_run, print_tracks
    from bastzoo.records.store import RunStore

    started = time.perf_counter()
    found = asked(track, preset=preset, environment=environment)
    store = RunStore(out)
    store.prepare()

    from bastzoo.answers.asking import is_reference
    from bastzoo.answers.scoring import keep
    from bastzoo.answers.table import read_answers

    if is_reference(answers):
        given = _asked(answers, found)
    else:
        given = read_answers(Path(answers), found.questions, found.track)
    run, on_track, path = keep(given, found, store, name=name, started=started)
    has_elevation = any(
        case.evaluation.metrics["elevation_error"] is not None for case in on_track.cases
    )
    if has_elevation and not any(one.directions[:, 2].any() for one in given):
        say("The clips have elevations, and no answer has one: all count as 0°.")
    if run.evaluation is not None and not json_:
        print_run(run, path, as_json=False)
    else:
        print_tracks(path.name, [on_track], as_json=json_)
    if not json_:
        for case in on_track.cases:
            click.echo(_interval(case.label, case.evaluation))


def _asked(reference: str, found: Asked) -> list[Answers]:
    """What the function of this name answers; what it raises is told in a sentence."""
    from bastzoo.answers.asking import ask, failed, find_method
    from bastzoo.cli.terminal.progress import CountProgress
    from bastzoo.errors import BastzooError

    method = find_method(reference)
    try:
        return ask(method, found.questions, progress=CountProgress("Asked", "clips"))
    except BastzooError:
        raise
    except Exception as error:  # a stranger's code raises anything
        raise failed(reference, error) from error


def _interval(label: str, evaluation: Evaluation) -> str:
    """Mean AD of a case with its interval."""
    from bastzoo.boards.rows import ad_of

    ad, interval = ad_of([evaluation])
    return f"{label}: AD {ad:.2f}°, 95 % interval over sounds {interval.words()}"
