"""`bastzoo evaluate`: an existing run in other environments and on tracks."""

from __future__ import annotations

from pathlib import Path

import click

from bastzoo.cli.options import as_json


@click.command()
@click.argument("run")
@click.option(
    "--env",
    "environments",
    multiple=True,
    metavar="NAME",
    help="Environment to test in; repeatable. Default: the run's own.",
)
@click.option(
    "--track",
    "tracks",
    multiple=True,
    metavar="NAME",
    help="Track to test on: cross-environment, snr, snr-white, duration, unseen-head, off-grid, "
    "full-sphere, multitask, sources, sources; repeatable.",
)
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda", "mps"]))
@click.option("--out", default="runs", show_default=True, metavar="DIR", help="Folder of the runs.")
@click.option("--cache", type=click.Path(path_type=Path), metavar="DIR", help="Feature cache.")
@as_json
def evaluate(
    run: str,
    environments: tuple[str, ...],
    tracks: tuple[str, ...],
    device: str,
    out: str,
    cache: Path | None,
    json_: bool,
) -> None:
    """Test the model of RUN: a folder, a key, or the beginning of either.

    The results are printed and kept beside the run.

    Example: bastzoo evaluate mamba-SUB-MIX-SP --env RI02 --track snr
    """
    from bastzoo.bench.tracks import check_track, environment_track, find_track
    from bastzoo.cli.terminal.progress import ConversionProgress, say
    from bastzoo.cli.terminal.results import print_tracks
    from bastzoo.plugins import default_registry
    from bastzoo.records.store import RECORD_FILE, RunStore, read_record

    path = RunStore(out).find(run)
    record = read_record(path / RECORD_FILE)
    registry = default_registry()
    tested = record.tested
    is_rendered = tested.source.layout == "rendered"
    names = environments or (() if tracks else (tested.environment,))
    if is_rendered:
        names = tuple(registry.get("environment", name).name for name in names)
    chosen = [environment_track(name) for name in names]
    chosen += [find_track(name, registry) for name in tracks]
    for track in chosen[len(names) :]:
        check_track(track, tested.source)

    from bastzoo.bench.runner import track_run
    from bastzoo.bench.workbench import Workbench

    workbench = Workbench(
        registry,
        device=device,
        precision=record.experiment.precision if record.experiment else "no",
        source=tested.source,
        cache=cache,
        progress=ConversionProgress().converted,
    )
    store = RunStore(path.parent)
    results = []
    for track in chosen:
        several = len(track.cases) > 1
        found = track_run(
            record,
            track,
            workbench=workbench,
            store=store,
            observer=(lambda label: say(f"Testing {label} ...")) if several else lambda _: None,
        )
        results.append(found)
    print_tracks(path.name, results, as_json=json_)
