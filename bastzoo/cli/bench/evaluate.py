"""`bastzoo evaluate`: an existing run in other environments and on tracks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bastzoo.cli.data_options import is_file
from bastzoo.cli.names import Named
from bastzoo.cli.options import TRACK_NAMES, as_json, runs_option

if TYPE_CHECKING:
    from bastzoo.conditions import DataSource, Track
    from bastzoo.harness.workbench import Workbench
    from bastzoo.presets import DataSize


@click.command()
@click.argument("run", type=Named("model or run"))
@click.option(
    "--env",
    "environments",
    multiple=True,
    type=Named("environment"),
    metavar="NAME",
    help="Environment to test in; repeatable. Default: the run's own.",
)
@click.option(
    "--track",
    "tracks",
    multiple=True,
    type=Named("track"),
    metavar="NAME",
    help=f"Track to test on: {TRACK_NAMES}; repeatable.",
)
@click.option(
    "--data",
    "folder",
    metavar="DIR",
    help="Test with recordings: a folder with train/ and test/ of stereo WAV, azimuth and environment in "
    "the names.",
)
@click.option(
    "--csv",
    "index",
    metavar="FILE",
    help="Test with a CSV index of spectrograms, or of WAV and FLAC.",
)
@click.option("--hrtf", metavar="FILE", help="The same as --listener FILE, once.")
@click.option(
    "--listener",
    "listeners",
    multiple=True,
    metavar="NAME|FILE",
    help="Listener to test with in the place of the run's own: a SimpleFreeFieldHRIR SOFA, default, kemar, "
    "virtual/N; repeatable.",
)
@click.option(
    "--azimuth-direction",
    type=click.Choice(["clockwise", "counter-clockwise"]),
    help="How azimuths count in the SOFA files of --listener, and in recordings; default: clockwise with "
    "--data, else counter-clockwise.",
)
@click.option("--sounds", metavar="DIR", help="Sounds to test with: a folder of WAV, FLAC or OGG.")
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda", "mps"]))
@runs_option
@click.option("--cache", type=click.Path(path_type=Path), metavar="DIR", help="Feature cache.")
@as_json
def evaluate(
    run: str,
    environments: tuple[str, ...],
    tracks: tuple[str, ...],
    folder: str | None,
    index: str | None,
    hrtf: str | None,
    listeners: tuple[str, ...],
    azimuth_direction: Any,
    sounds: str | None,
    device: str,
    out: str,
    cache: Path | None,
    json_: bool,
) -> None:
    """Test the model of RUN: a folder, a key, or the beginning of either.

    RUN can also be a model: a name (bastzoo list model), the folder of a package, or a checkpoint of BAST;
    it becomes a run first. The results are printed and kept beside the run.

    Examples: bastzoo evaluate mamba-SUB-MIX-SP --env RI02 --track snr; bastzoo evaluate
    mamba-SUB-MIX-SP --listener my_head.sofa --sounds my_sounds/
    """
    from bastzoo.cli.terminal.progress import ConversionProgress, say
    from bastzoo.cli.terminal.results import print_tracks
    from bastzoo.harness.tracks import tests_of
    from bastzoo.models.loading import run_folder
    from bastzoo.plugins import default_registry
    from bastzoo.records.store import RECORD_FILE, RunStore, read_record

    registry = default_registry()
    path = run_folder(run, RunStore(out), registry)
    record = read_record(path / RECORD_FILE)
    tested = record.tested
    listeners = ((hrtf,) if hrtf else ()) + listeners
    if folder or index:
        if listeners or sounds or tracks:
            raise click.UsageError(
                "--listener, --hrtf, --sounds and --track are for rendered clips; leave them out with --data "
                "or --csv."
            )
        from bastzoo.cli.data_options import recorded_source

        heard = recorded_source(folder, index, azimuth_direction)
        words = f" of {Path(folder or index or '').name}"
    else:
        heard, words = _heard(tested.source, listeners, azimuth_direction, sounds)
    chosen = tests_of(
        tested,
        environments=environments,
        tracks=tracks,
        heard=heard,
        words=words,
        registry=registry,
    )

    from bastzoo.harness.track_run import track_runs
    from bastzoo.harness.workbench import Workbench

    workbench = Workbench(
        registry,
        device=device,
        precision=record.experiment.precision if record.experiment else "no",
        source=heard,
        cache=cache,
        progress=ConversionProgress().converted,
    )
    size = tested.data
    for sentence in _said(workbench, chosen, tested.environment, size):
        say(sentence)
    store = RunStore(path.parent)
    results = track_runs(
        record,
        chosen,
        workbench=workbench,
        store=store,
        observer=lambda label: say(f"Testing {label} ..."),
    )
    print_tracks(path.name, results, as_json=json_)


def _heard(
    source: DataSource, listeners: tuple[str, ...], azimuths: Any, sounds: str | None
) -> tuple[DataSource, str]:
    """What the test hears, and words that tell it from the run's own."""
    if azimuths and not any(map(is_file, listeners)):
        raise click.UsageError(
            "--azimuth-direction says how a SOFA file of --listener is read; name one."
        )
    if (listeners or sounds) and source.layout != "rendered":
        raise click.UsageError(
            "--listener and --sounds are for runs on rendered clips; this one heard recordings."
        )
    return source.heard_by(listeners, azimuths=azimuths, sounds=sounds)


def _said(
    workbench: Workbench, tracks: Sequence[Track], environment: str, size: DataSize
) -> Iterator[str]:
    """What is unusual about those who listen in the tests, each once."""
    if workbench.data.source.layout != "rendered":
        return
    told = set()
    for case in (case for track in tracks for case in track.cases):
        rooms = workbench.data.environment(case.environment or environment)
        for sentence in workbench.data.listeners.notes(rooms, "test", size):
            if sentence not in told:
                told.add(sentence)
                yield sentence
