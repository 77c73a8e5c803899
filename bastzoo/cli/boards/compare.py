"""`bastzoo compare`: which of two runs is better, and how surely."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from bastzoo.cli.names import Named
from bastzoo.cli.options import as_json, runs_option

if TYPE_CHECKING:
    from bastzoo.boards.comparison import Comparison
    from bastzoo.records.record import RunRecord, TrackRecord
    from bastzoo.records.store import RunStore


@click.command()
@click.argument("a", type=Named("run"), metavar="RUN")
@click.argument("b", type=Named("run"), metavar="RUN")
@click.option(
    "--track",
    type=Named("track"),
    metavar="NAME",
    help="Compare in the cases of a track that both were tested on.",
)
@click.option("--this-seed", is_flag=True, help="Only the runs named, not all seeds of each.")
@runs_option
@as_json
def compare(a: str, b: str, track: str | None, this_seed: bool, out: str, json_: bool) -> None:
    """Say which of two runs is better, by the paired difference of their errors.

    RUN is a folder, a key, or the beginning of either that fits the seeds of one experiment. All seeds
    of each take part; the interval is paired over sounds and counts the variance of trainings
    (docs/protocol.md).

    Example: bastzoo compare mamba-SUB-MIX-SP-RI swin-SUB-MIX-SP-RI
    """
    from bastzoo.boards.comparison import all_seeds, compare_on_track
    from bastzoo.boards.comparison import compare as compared
    from bastzoo.cli.terminal.output import echo_json
    from bastzoo.cli.terminal.progress import say
    from bastzoo.records.store import RunStore

    store = RunStore(out)
    named = [_named(name, store, this_seed) for name in (a, b)]
    if named[0].key == named[1].key:
        raise click.UsageError(f"{a!r} and {b!r} name the same run.")
    if this_seed:
        sides = [[record] for record in named]
    else:
        records, faults = store.records()
        sides = [all_seeds(record, records) for record in named]
        for fault in faults:
            say(fault)
        if sides[0][0].key == sides[1][0].key:
            raise click.UsageError(
                f"{a!r} and {b!r} are seeds of one experiment; --this-seed compares them all the same."
            )
    if track is None:
        found = [compared(*sides)]
    else:
        found = compare_on_track(*(_on_track(side, track, store) for side in sides))
    if json_:
        echo_json([_as_data(one) for one in found])
    else:
        _print(found, track)


def _named(reference: str, store: RunStore, this_seed: bool) -> RunRecord:
    """The record of a run, or of the first seed where a reference fits the seeds of one experiment.

    Raises RecordError when it fits none, or several that differ in more.
    """
    from bastzoo.boards.comparison import one_row
    from bastzoo.records.store import RECORD_FILE, read_record

    records = [read_record(path / RECORD_FILE) for path in store.matching(reference)]
    if records and not this_seed and one_row(records):
        return records[0]
    return read_record(store.find(reference) / RECORD_FILE)


def _on_track(records: list[RunRecord], track: str, store: RunStore) -> list[TrackRecord]:
    """Results of a row on a track. Raises RecordError when a seed has none."""
    from bastzoo.errors import RecordError

    found = []
    for record in records:
        result = store.track(record.key, track)
        if result is None:
            from bastzoo.harness.tracks import find_track
            from bastzoo.plugins import default_registry

            find_track(track, default_registry())
            raise RecordError(
                f"The run {record.name!r} was not tested on the track {track!r}; "
                f"`bastzoo evaluate {record.name} --track {track}` does it."
            )
        found.append(result)
    return found


def _print(found: list[Comparison], track: str | None) -> None:
    from bastzoo.cli.terminal.output import table

    first = found[0]
    click.echo(f"A: {first.a.words}\nB: {first.b.words}")
    tested = f"the track {track}" if track else first.test
    click.echo(f"Mean AD on {tested}: {first.clips:,} clips of {first.sounds} sounds.\n")
    headers = ["", "A", "95 % of A", "B", "95 % of B", "A - B", "95 % of A - B"]
    click.echo("\n".join(table([headers, *map(_line, found)], indent=0)))
    if len(found) == 1:
        click.echo(f"\n{first.verdict}")
    else:
        apart = sum(one.are_told_apart for one in found)
        click.echo(f"\nTold apart in {apart} of {len(found)} cases.")


def _line(one: Comparison) -> list[str]:
    return [
        one.test,
        f"{one.a.ad:.2f}°",
        one.a.interval.words(),
        f"{one.b.ad:.2f}°",
        one.b.interval.words(),
        f"{one.difference:+.2f}°",
        one.interval.words("+") + ("" if one.are_told_apart else "  (includes zero)"),
    ]


def _as_data(one: Comparison) -> dict[str, object]:
    return {**asdict(one), "told_apart": one.are_told_apart, "verdict": one.verdict}
