"""Tracks: one question each about a design, as conditions to train under and cases to test.

docs/protocol.md defines them. This module imports no torch, so that a mistake is answered at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bastzoo.conditions import (
    CLEAN,
    FAMILY_FOR_TEST,
    FAMILY_FOR_TRAINING,
    INDIVIDUALS_FOR_TEST,
    MIXED_SNR,
    Condition,
    DataSource,
    Noise,
)
from bastzoo.errors import CombinationError, unknown_name
from bastzoo.registry import Registry

if TYPE_CHECKING:
    from bastzoo.experiment import Experiment
    from bastzoo.records.record import AnswersExperiment, BaselineExperiment, TrackRecord

USUAL = Condition()
"""Clean, whole clips on the grid, with the data's own listener."""

ENVIRONMENTS = ("RI01", "RI02", "RI")
"""The environments of the papers, which the cross-environment track takes in turns."""

DURATIONS_MS = (100.0, 200.0, 300.0, 400.0, 500.0)


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a track: a column of its table.

    environment: where the test sounds are heard; None for the run's own.
    """

    label: str
    condition: Condition = USUAL
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """A question, what is trained to answer it, and the cases it is tested with.

    conditions, environments: what runs are trained under; no environment: those that are asked for.
    head: the head that models need, where the usual one cannot answer.
    version: raised when the meaning of the track changes; results of two are never ranked together.
    """

    name: str
    question: str
    cases: tuple[Case, ...]
    conditions: tuple[Condition, ...] = (USUAL,)
    environments: tuple[str, ...] = ()
    head: str = "azimuth"
    version: int = 1

    @property
    def renders(self) -> bool:
        """Whether the track needs clips rendered on demand; recorded data can change rooms only."""
        conditions = [*self.conditions, *(case.condition for case in self.cases)]
        return any(condition != USUAL for condition in conditions)


def environment_track(name: str) -> Track:
    """The plain test of one environment."""
    return Track(
        name=name,
        question=f"How good is a design in {name}?",
        cases=(Case(name, environment=name),),
        environments=(name,),
    )


def plain_track() -> Track:
    """No question beyond the main leaderboard's: the usual condition, no further test."""
    return Track(name="", question="", cases=())


def _snr(snr_db: float | None, noise: Noise) -> Case:
    label = "clean" if snr_db is None else f"{snr_db:g} dB"
    return Case(label, Condition(snr_db=(snr_db,), noise=noise))


def _snr_track(noise: Noise) -> Track:
    return Track(
        name="snr" if noise == "speech" else f"snr-{noise}",
        question=f"How does a design stand diffuse {noise}{'-shaped' * (noise == 'speech')} noise?",
        cases=tuple(_snr(snr_db, noise) for snr_db in MIXED_SNR),
        conditions=(USUAL, Condition(snr_db=MIXED_SNR, noise=noise)),
    )


TRACKS: dict[str, Track] = {
    track.name: track
    for track in (
        *map(environment_track, ENVIRONMENTS),
        Track(
            name="cross-environment",
            question="What does a design that was trained in one room do in another?",
            cases=tuple(Case(name, environment=name) for name in ENVIRONMENTS),
            environments=ENVIRONMENTS,
        ),
        _snr_track("speech"),
        _snr_track("white"),
        Track(
            name="duration",
            question="How much of a sound does a design need to hear?",
            cases=tuple(
                Case(
                    f"{ms:g} ms",
                    # All of it is the usual condition, so that it is the same test.
                    Condition(duration_ms=ms if ms != DURATIONS_MS[-1] else None),
                )
                for ms in DURATIONS_MS
            ),
        ),
        Track(
            name="unseen-head",
            question="How does a design localize with ears that it was not trained on?",
            cases=(
                Case("heads 1-8", Condition(listeners=FAMILY_FOR_TRAINING)),
                Case("heads 9-12", Condition(listeners=FAMILY_FOR_TEST)),
            ),
            conditions=(Condition(listeners=FAMILY_FOR_TRAINING),),
        ),
        Track(
            name="off-grid",
            question="What does a design answer between the azimuths that it was trained on?",
            cases=(
                Case("on the grid"),
                Case("between", Condition(directions="between")),
            ),
        ),
        Track(
            name="full-sphere",
            question="How well does a design hear elevation too?",
            cases=(Case("sphere", Condition(directions="sphere")),),
            conditions=(Condition(directions="sphere"),),
            head="direction",
        ),
        Track(
            name="multitask",
            question="What was it, where was it and how high: how much of it does one model hear?",
            cases=tuple(
                Case(room, Condition(directions="sphere"), environment=room)
                for room in ("RI01", "RI02")
            ),
            conditions=(Condition(directions="sphere"),),
            head="direction+class",
        ),
        Track(
            name="sources",
            question="How many sounds at once does a design find, and where?",
            cases=tuple(
                Case(f"{n} source{'s' * (n > 1)}", Condition(sources=(n,))) for n in (1, 2, 3)
            ),
            conditions=(Condition(sources=(1, 2, 3)),),
            head="multi",
        ),
        Track(
            name="unseen-world",
            question="What does a design do in rooms, places and ears that it was not trained in?",
            cases=(
                Case("clean", Condition(listeners=INDIVIDUALS_FOR_TEST), "wild"),
                Case(
                    "running",
                    Condition(listeners=INDIVIDUALS_FOR_TEST, running=1.0, colour_db=4.0),
                    "wild",
                ),
                Case(
                    "noisy",
                    Condition(listeners=INDIVIDUALS_FOR_TEST, colour_db=4.0, snr_span=(5.0, 20.0)),
                    "wild",
                ),
            ),
        ),
        Track(
            name="measured-rooms",
            question="What does a design do in four real rooms, with ears that it never heard?",
            cases=tuple(Case(f"room {room}", environment=f"surrey/{room}") for room in "ABCD"),
        ),
        Track(
            name="measured-heads",
            question="What does a design do with the ears of five people that it never heard?",
            cases=tuple(
                Case(f"person {person}", environment=f"cipic/{person}")
                for person in ("152", "154", "156", "162", "165")
            ),
        ),
    )
}


def find_track(name: str, registry: Registry) -> Track:
    """Look up a track by name, without case; every registered environment is one too.

    Raises CombinationError for an unknown name.
    """
    known = {track.lower(): track for track in TRACKS}
    if name.lower() in known:
        return TRACKS[known[name.lower()]]
    environments = {other.lower(): other for other in registry.names("environment")}
    if name.lower() in environments:
        return environment_track(environments[name.lower()])
    raise CombinationError(unknown_name("track", name, [*TRACKS]))


def question_of(name: str, records: Sequence[TrackRecord]) -> str:
    """What a track asks. An environment that is one is known by its only case, without its plugin."""
    if name in TRACKS:
        return TRACKS[name].question
    is_environment = all([case.label for case in record.cases] == [name] for record in records)
    return environment_track(name).question if is_environment else ""


def check_track(track: Track, source: DataSource) -> None:
    """Raise CombinationError when recorded data cannot answer a track's question."""
    if source.layout == "rendered" or not track.name:
        return
    if source.layout == "csv":
        raise CombinationError(
            f"The track {track.name!r} needs clips in several conditions, which a CSV index does "
            "not tell apart; leave --track away, or render clips (without --csv)."
        )
    if track.renders:
        raise CombinationError(
            f"The track {track.name!r} renders its clips under conditions of its own, which "
            "recordings are not; leave --data away. (Recorded noise variants are environments: "
            "--env RI_SNR_20.)"
        )


def tests_of(
    tested: Experiment | BaselineExperiment | AnswersExperiment,
    *,
    environments: Sequence[str],
    tracks: Sequence[str],
    heard: DataSource,
    words: str,
    registry: Registry,
) -> list[Track]:
    """What a finished run is tested on: environments, then tracks; its own environment for none of either.

    heard: what the tests hear; words: what tells that from what the run heard, behind the name of each.

    Raises CombinationError for a track that is unknown, or that the run's data cannot answer, and
    ComponentError for an unknown environment.
    """
    names = tuple(environments) or (() if tracks else (tested.environment,))
    if heard.layout == "csv":
        names = ("CSV",)
    if heard.layout == "rendered":
        names = tuple(registry.get("environment", name).name for name in names)
    named = [find_track(name, registry) for name in tracks]
    for track in named:
        check_track(track, tested.source)
    every = [*map(environment_track, names), *named]
    return [replace(track, name=f"{track.name}{words}") for track in every]


def training_conditions(
    snr: Sequence[str], noise: Noise, listeners: str, sources: str = "1"
) -> list[Condition]:
    """The conditions to train under that options name; none of them: the usual one.

    snr: `clean`, `mix` or a number of dB each. listeners: `own`, or `family` for a mixture of eight.
    sources: `2`, or `1-3` or `1,3` for a mixture.
    Raises CombinationError for anything else.
    """
    numbers = {"own": (0,), "family": FAMILY_FOR_TRAINING}.get(listeners)
    if numbers is None:
        raise CombinationError(
            f"There are no listeners {listeners!r} to train on; use own or family."
        )
    levels = [_snr_levels(word) for word in snr] or [(CLEAN,)]
    counts = _source_counts(sources)
    if counts != (1,) and levels != [(CLEAN,)]:
        raise CombinationError("Clips of several sources have no noise; leave the SNR away.")
    return [
        Condition(listeners=numbers, snr_db=level, noise=noise, sources=counts) for level in levels
    ]


def _source_counts(text: str) -> tuple[int, ...]:
    first, _, last = text.partition("-")
    try:
        numbers = (
            range(int(first), int(last) + 1) if last else [int(word) for word in text.split(",")]
        )
    except ValueError:
        numbers = []
    if not numbers or not all(1 <= number <= 8 for number in numbers):
        raise CombinationError(
            f"{text!r} is no number of sources; give one from 1 to 8, or several: 1-3, or 1,3."
        )
    return tuple(sorted(set(numbers)))


def _snr_levels(word: str) -> tuple[float | None, ...]:
    if word.lower() == "clean":
        return (CLEAN,)
    if word.lower() == "mix":
        return MIXED_SNR
    try:
        level = float(word)
    except ValueError:
        level = float("nan")
    if not -60 <= level <= 100:
        raise CombinationError(
            f"{word!r} is no signal-to-noise ratio; give clean, mix, or a number of dB "
            "from -60 to 100."
        )
    return (level,)


def with_conditions(track: Track, conditions: Iterable[Condition]) -> Track:
    """The same track with other conditions to train under, if any are given."""
    given = tuple(conditions)
    return replace(track, conditions=given) if given else track
