"""`bastzoo data`: render clips to disk, convert recordings, and say what is in a data set."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bastzoo.cli.data.sets import fetch_set, list_sets
from bastzoo.cli.data_options import Heard, data_options, is_file
from bastzoo.cli.names import Named
from bastzoo.cli.options import (
    as_json,
    environment_option,
    former_option,
    preset_option,
    target_option,
)

if TYPE_CHECKING:
    from bastzoo.conditions import Condition

_PRESET = preset_option("How many sounds each split has: quick, standard, paper, or a TOML file.")
_ENVIRONMENT = environment_option("Environment.")


@click.group()
def data() -> None:
    """Fetch data sets, render clips to disk, convert recordings, and say what is in a data set."""


data.add_command(list_sets)
data.add_command(fetch_set)


@data.command()
@target_option(required=True, type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--layout",
    type=click.Choice(["bast", "csv"]),
    default="bast",
    show_default=True,
    help="A folder of WAV files as BAST reads it, or a CSV index of spectrograms.",
)
@_PRESET
@_ENVIRONMENT
@click.option("--snr", metavar="DB|mix|clean", default="clean", show_default=True)
@click.option(
    "--noise", type=click.Choice(["speech", "white"]), default="speech", show_default=True
)
@click.option("--listeners", type=click.Choice(["own", "family"]), default="own", show_default=True)
@former_option("--heads", "--listeners", type=click.Choice(["own", "family"]))
@click.option("--duration", type=click.FloatRange(0, 500, min_open=True), metavar="MS")
@click.option(
    "--directions",
    type=click.Choice(["grid", "between", "sphere"]),
    default="grid",
    show_default=True,
    help="The grid's azimuths, those halfway between, or a grid over the sphere.",
)
@click.option(
    "--sources",
    default="1",
    show_default=True,
    metavar="N|A-B",
    help="Sounds at the same time, with --layout csv; 1-3 is a mixture.",
)
@click.option(
    "--frontend",
    default="spectrogram",
    show_default=True,
    type=Named("frontend"),
    metavar="NAME",
    help="With --layout csv.",
)
@click.option(
    "--gain",
    type=float,
    metavar="DB",
    help="Gain of all 16-bit files; default: for each sound the largest power of two that fits.",
)
@data_options(recorded=False)
def render(
    target: Path,
    layout: str,
    preset: str,
    environment: str,
    snr: str,
    noise: Any,
    listeners: str,
    heads: str | None,
    duration: float | None,
    directions: Any,
    sources: str,
    frontend: str,
    gain: float | None,
    heard: Heard,
) -> None:
    """Write a rendered data set to the folder --to, for other programs or for --data and --csv.

    Example: bastzoo data render --layout bast --to clips
    """
    from bastzoo.cli.terminal.progress import CountProgress, say
    from bastzoo.harness.tracks import training_conditions
    from bastzoo.plugins import default_registry
    from bastzoo.presets import load_preset

    registry = default_registry()
    registry.get("environment", environment).require()
    values = load_preset(preset)
    (condition,) = training_conditions([snr], noise, heads or listeners, sources)
    condition = type(condition).model_validate(
        {**condition.model_dump(), "duration_ms": duration, "directions": directions}
    )

    from bastzoo.data.export import write_bast_folder, write_csv_index
    from bastzoo.data.rendering.clips import RenderedData
    from bastzoo.harness.workbench import Workbench
    from bastzoo.harness.workbench.session import usual_frontend

    workbench = Workbench(registry, source=heard.source)
    found = workbench.data.clips(environment, values.data, condition, usual_frontend(registry))
    assert isinstance(found, RenderedData)
    about = _about(found, condition, environment, preset, heard)
    progress, started = CountProgress("Wrote", "clips"), time.perf_counter()
    if layout == "bast":
        written = write_bast_folder(
            found,
            target,
            room_names=_room_names(registry, workbench),
            gain_db=gain,
            about=about,
            progress=progress,
        )
    else:
        module = registry.get("frontend", frontend).build().to(workbench.session.device)
        written = write_csv_index(found, target, frontend=module, about=about, progress=progress)
    say(f"Wrote {written.clips:,} clips to {target}/ in {time.perf_counter() - started:.0f} s.")
    if written.clipped_samples:
        say(
            f"{written.clipped_samples:,} samples were too loud for 16 bits and are clipped; "
            "render again with a lower --gain."
        )


def _about(
    found: Any, condition: Condition, environment: str, preset: str, heard: Heard
) -> dict[str, object]:
    """What the folder's own file says of how its clips were made."""
    from bastzoo import __version__

    return {
        "made_by": f"bastzoo {__version__}, bastzoo data render",
        "environment": environment,
        "preset": preset,
        "condition": condition.model_dump(mode="json"),
        "head": found.listener.id,
        "head_digest": found.listener.digest,
        "sounds": heard.source.sounds or "embedded corpus",
        "data_digest": found.digest,
    }


def _room_names(registry: Any, workbench: Any) -> dict[str, str]:
    """What BAST calls a room: the environment that consists of it alone."""
    names = {}
    for name in registry.names("environment"):
        if registry.get("environment", name).availability().ok:
            rooms = workbench.data.environment(name).rooms
            if len(rooms) == 1 and name.upper().startswith("RI"):
                names[rooms[0].name] = name.upper()
    return names


@data.command()
@_PRESET
@_ENVIRONMENT
@click.option(
    "--frontend",
    type=Named("frontend"),
    metavar="NAME",
    help="Features to keep; default: spectrogram.",
)
@click.option("--verify", is_flag=True, help="Check every byte of what is kept already.")
@data_options(rendered=False)
def convert(
    preset: str, environment: str, frontend: str | None, verify: bool, heard: Heard
) -> None:
    """Convert recorded data into the cache that training reads; `bench` and `train` do it too.

    Example: bastzoo data convert --data clips
    """
    from bastzoo.cli.terminal.progress import say
    from bastzoo.experiment import ResolvedComponent
    from bastzoo.harness.grid.axes import READY_MADE, check_frontends
    from bastzoo.plugins import default_registry
    from bastzoo.presets import load_preset

    layout = heard.source.layout
    if layout == "rendered":
        raise click.UsageError("Name the data with --data or --csv.")
    registry = default_registry()
    values = load_preset(preset)
    chosen = frontend or (READY_MADE if layout == "csv" else "spectrogram")
    check_frontends([chosen], layout)
    component = ResolvedComponent.of(registry.get("frontend", chosen), values)

    from bastzoo.conditions import Condition
    from bastzoo.data.recorded.dataset import RecordedData
    from bastzoo.harness.workbench import Workbench

    started = time.perf_counter()
    workbench = Workbench(registry, device="cpu", **heard.workbench_options())
    found = workbench.data.clips(environment, values.data, Condition(), component)
    assert isinstance(found, RecordedData)
    if verify:
        found.cache.verify()
    skipped = f"; {found.skipped:,} rows left out" if found.skipped else ""
    say(
        f"{len(found.index):,} clips are in {found.cache.folder} "
        f"({time.perf_counter() - started:.1f} s{skipped})."
    )


@data.command()
@click.argument("name", required=False)
@_PRESET
@click.option(
    "--env",
    "environment",
    type=Named("environment"),
    metavar="NAME",
    help="Environment; default: RI, and every one of a folder of recordings.",
)
@data_options
@as_json
def info(name: str | None, preset: str, environment: str | None, heard: Heard, json_: bool) -> None:
    """Say what is in a data set: counts, sample rates, clipping, silence, duplicates, the listener.

    NAME is a data set of `bastzoo data list`; without it, what the options name is described.

    Examples: bastzoo data info --data clips; bastzoo data info --listener head.sofa
    """
    from bastzoo.cli.terminal.output import echo_json
    from bastzoo.cli.terminal.progress import CountProgress
    from bastzoo.plugins import default_registry
    from bastzoo.presets import load_preset

    registry = default_registry()
    values = load_preset(preset)
    source = heard.source

    from bastzoo.data.info import describe_recorded, describe_rendered

    if name is not None:
        from bastzoo.cli.data.sets import describe_set

        described = describe_set(name, registry)
    elif files := [
        name for name in (*source.own_listeners, *source.test_listeners) if is_file(name)
    ]:
        from bastzoo.acoustics.listeners.description import describe_listener

        azimuths = source.azimuth_direction or "counter-clockwise"
        told = [describe_listener(name, azimuths=azimuths) for name in files]
        described = told[0] if len(told) == 1 else dict(zip(files, told, strict=True))
    elif source.layout == "rendered":
        from bastzoo.conditions import Condition
        from bastzoo.data.rendering.clips import RenderedData
        from bastzoo.harness.workbench import Workbench
        from bastzoo.harness.workbench.session import usual_frontend

        workbench = Workbench(registry, device="cpu", source=source)
        found = workbench.data.clips(
            environment or "RI", values.data, Condition(), usual_frontend(registry)
        )
        assert isinstance(found, RenderedData)
        described = describe_rendered(found)
    else:
        from bastzoo.data.recorded.dataset import read_index

        index = read_index(source, environment=environment, size=values.data)
        described = describe_recorded(
            index, fit_length=source.fit_length, progress=CountProgress("Read", "files")
        )
    if json_:
        echo_json(described)
    else:
        several = name is None and len(files) > 1
        for about in described.values() if several else [described]:
            _print_info(about)


def _print_info(described: dict[str, Any]) -> None:
    """A description as text: figures in lines, long counts by azimuth shortened to their range."""
    for name, value in described.items():
        words = name.replace("_", " ")
        if name == "members":
            there = [member for member, is_there in value.items() if is_there]
            away = [member for member, is_there in value.items() if not is_there]
            click.echo(f"there: {', '.join(there) or 'none'}")
            click.echo(f"not there: {', '.join(away) or 'none'}")
        elif name == "first_faults":
            for sentence in value:
                click.echo(f"  - {sentence}")
        elif name in ("azimuths", "elevations"):
            angles = sorted(map(float, value))
            counts = sorted(set(value.values()))
            if not angles:
                click.echo(f"{words}: none")
                continue
            spread = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
            several = f"{len(angles)} from {angles[0]:g}° to {angles[-1]:g}°"
            click.echo(f"{words}: {several}, {spread} clips each")
        elif name == "duplicates_across_splits":
            click.echo(f"{words}: {value['count']:,}")
            for first in value["first"][:5]:
                click.echo(f"  - {first if isinstance(first, str) else ' and '.join(first)}")
        elif isinstance(value, list):
            click.echo("".join(f"{words}: {sentence}\n" for sentence in value), nl=False)
        elif isinstance(value, dict):
            shown = (f"{k} {v:,}" if isinstance(v, int) else f"{k} {v}" for k, v in value.items())
            click.echo(f"{words}: {', '.join(shown) or 'none'}")
        else:
            click.echo(f"{words}: {value:,}" if isinstance(value, int) else f"{words}: {value}")
