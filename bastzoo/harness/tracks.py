"""Tracks by name, and what data can answer them; docs/protocol.md says what the built-in ones ask.

This module imports no torch, so that a mistake is answered at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bastzoo.conditions import (
    CLEAN,
    FAMILY_FOR_TRAINING,
    INGREDIENTS,
    MIXED_SNR,
    Case,
    Condition,
    DataSource,
    Noise,
    Track,
    wild_without,
)
from bastzoo.errors import CombinationError, unknown_name
from bastzoo.metrics.questions import QUESTIONS
from bastzoo.registry import Registry

if TYPE_CHECKING:
    from bastzoo.experiment import Experiment
    from bastzoo.records.record import AnswersExperiment, BaselineExperiment, TrackRecord


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


def find_track(name: str, registry: Registry) -> Track:
    """Look up a track by name, without case; every registered environment is one too.

    Raises CombinationError for an unknown name, and for a track that calls itself otherwise than its record.
    """
    known = {other.lower(): other for other in registry.names("track")}
    if name.lower() in known:
        component = registry.get("track", known[name.lower()])
        component.require()
        track = component.build_as(Track)
        if (track.name, track.version) != (component.name, component.version):
            raise CombinationError(
                f"The track {component.name!r} of {component.distribution} calls itself {track.name!r}, "
                f"version {track.version}; its record says version {component.version}."
            )
        return track
    environments = {other.lower(): other for other in registry.names("environment")}
    if name.lower() in environments:
        return environment_track(environments[name.lower()])
    raise CombinationError(unknown_name("track", name, [*known.values()]))


def question_of(name: str, records: Sequence[TrackRecord]) -> str:
    """What a track asks. An environment that is one is known by its only case, without its plugin."""
    if name in QUESTIONS:
        return QUESTIONS[name]
    if all([case.label for case in record.cases] == [name] for record in records):
        return environment_track(name).question
    from bastzoo.plugins import default_registry  # only a plugin's track pays for it

    registry = default_registry()
    return registry.get("track", name).summary if name in registry.names("track") else ""


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
    own, made = tested.environment, "rendered"
    if heard.layout != made and tested.source.layout == made and own not in ("RI01", "RI02"):
        own = "RI"  # recordings know nothing of made rooms: all that there are
    names = tuple(environments) or (() if tracks else (own,))
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
    snr: Sequence[str],
    noise: Noise,
    listeners: str,
    sources: str = "1",
    left_out: Sequence[str] = (),
) -> list[Condition]:
    """The conditions to train under that options name; none of them: the usual one.

    snr: `clean`, `mix` or a number of dB each. listeners: `own`, or `family` for a mixture of eight.
    sources: `2`, or `1-3` or `1,3` for a mixture. left_out: ingredients of `wild`, or `each`: all of them,
    and then one after the other left out.
    Raises CombinationError for anything else.
    """
    if left_out:
        if snr or listeners != "own" or sources != "1":
            raise CombinationError(
                "--without is said of --env wild, which has noise and listeners of its own; leave "
                "--train-snr, --train-listeners and --train-sources away."
            )
        each = [[], *([name] for name in INGREDIENTS)] if "each" in left_out else [left_out]
        return [wild_without(names) for names in each]
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
