"""Options that say what is heard: recordings, listeners, sounds, and where features are kept."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bastzoo.conditions import DataSource, Layout

Command = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the data options say: where clips come from, and where their features are kept."""

    source: DataSource
    cache: Path | None
    cache_dtype: str

    def workbench_options(self) -> dict[str, Any]:
        """The arguments of a workbench that hears this data."""
        from bastzoo.cli.terminal.progress import ConversionProgress

        return {
            "source": self.source,
            "cache": self.cache,
            "cache_dtype": self.cache_dtype,
            "progress": ConversionProgress().converted,
        }

    def settings(self) -> dict[str, Any]:
        """The same, as an executor sends it to other processes."""
        return {
            "source": self.source,
            "cache": None if self.cache is None else str(self.cache),
            "cache_dtype": self.cache_dtype,
        }


_RECORDED = (
    click.option(
        "--data",
        "bast_folder",
        metavar="DIR",
        help="Folder with train/ and test/ of stereo WAV, azimuth and environment in the names.",
    ),
    click.option(
        "--csv",
        "csv_index",
        metavar="FILE",
        help="CSV index of spectrograms (input_file, class, azimuth_deg, elevation_deg), or of WAV and FLAC "
        "(path, azimuth_deg, and what else is known: elevation_deg, environment, sound, split, class).",
    ),
    click.option(
        "--sound-id",
        metavar="REGEX",
        help="What of a WAV file's name is its sound's id; default: all but azimuth and environment.",
    ),
    click.option("--fit-length", is_flag=True, help="Pad or cut recordings to 8000 samples."),
    click.option("--skip-bad", is_flag=True, help="Leave out what cannot be used, and count it."),
)
_AZIMUTHS = (
    click.option(
        "--azimuth-direction",
        type=click.Choice(["clockwise", "counter-clockwise"]),
        help="How azimuths count in recordings and SOFA files; default: clockwise with --data, else "
        "counter-clockwise.",
    ),
)
_RENDERED = (
    click.option(
        "--listener",
        "named_listeners",
        multiple=True,
        metavar="NAME|FILE",
        help="Listener to render with: a SimpleFreeFieldHRIR SOFA, default, kemar, virtual/N, or SET/NAME of "
        "a data set, in another size with @0.93 behind it; repeatable, every sound is heard with each.",
    ),
    click.option(
        "--test-listener",
        "test_listeners",
        multiple=True,
        metavar="NAME|FILE",
        help="Listener of the test, where it is another; repeatable.",
    ),
    click.option(
        "--hrtf", multiple=True, metavar="FILE", help="The same as --listener FILE, once."
    ),
    click.option(
        "--hrtf-directions",
        type=click.Choice(["nearest", "interpolated"]),
        help="What to do between a listener's measured directions; default: interpolated.",
    ),
    click.option("--sounds", metavar="DIR", help="Sounds to render: a folder of WAV, FLAC or OGG."),
)
_CACHE = (
    click.option("--cache", type=click.Path(path_type=Path), metavar="DIR", help="Feature cache."),
    click.option(
        "--cache-dtype",
        type=click.Choice(["float16", "float32"]),
        default="float16",
        show_default=True,
        help="Precision of cached features.",
    ),
)


def data_options(
    command: Command | None = None, *, recorded: bool = True, rendered: bool = True
) -> Any:
    """`--data`, `--csv`, `--hrtf`, `--sounds` and how they are read, as one argument `heard`.

    recorded, rendered: whether the command takes data of that kind.
    """
    if command is None:
        return functools.partial(data_options, recorded=recorded, rendered=rendered)

    inner = command

    @functools.wraps(command)
    def collected(*args: Any, **given: Any) -> Any:
        folder, index = given.pop("bast_folder", None), given.pop("csv_index", None)
        how = {name: given.pop(name, usual) for name, usual in _USUAL.items()}
        cache, dtype = given.pop("cache", None), given.pop("cache_dtype", "float16")
        return inner(*args, heard=Heard(_source(folder, index, how), cache, dtype), **given)

    options = (
        *(_RECORDED if recorded else ()),
        *_AZIMUTHS,
        *(_RENDERED if rendered else ()),
    )
    for option in reversed((*options, *(_CACHE if recorded else ()))):
        collected = option(collected)
    return collected


_USUAL = {
    "sound_id": None,
    "azimuth_direction": None,
    "fit_length": False,
    "skip_bad": False,
    "hrtf": (),
    "hrtf_directions": None,
    "sounds": None,
    "named_listeners": (),
    "test_listeners": (),
}


def is_file(listener: str) -> bool:
    """Whether a listener is named by its file."""
    return listener.lower().endswith(".sofa")


def recorded_source(folder: str | None, index: str | None, azimuths: str | None) -> DataSource:
    """The recordings of `--data` or `--csv`, read as they are. Raises UsageError for both."""
    return _source(folder, index, {**_USUAL, "azimuth_direction": azimuths})


def _source(bast_folder: str | None, csv_index: str | None, how: dict[str, Any]) -> DataSource:
    from bastzoo.conditions import DataSource

    recorded = bast_folder or csv_index
    if bast_folder and csv_index:
        raise click.UsageError("--data and --csv name two data sets; give one of them.")
    if len(how["hrtf"]) > 1:
        raise click.UsageError(
            "--hrtf is given more than once; --listener can be, and every sound is heard with each."
        )
    how = {**how, "hrtf": next(iter(how["hrtf"]), None), "listeners": how["named_listeners"]}
    del how["named_listeners"]
    listeners = [name for name in (how["hrtf"], *how["listeners"], *how["test_listeners"]) if name]
    if recorded and (listeners or how["sounds"]):
        raise click.UsageError(
            "--listener, --hrtf and --sounds are for rendering clips; leave them out with --data or --csv."
        )
    if how["hrtf_directions"] is None:
        how["hrtf_directions"] = "interpolated" if listeners else "nearest"
    elif not listeners:
        raise click.UsageError(
            "--hrtf-directions says what is done between the directions of a listener; name one with "
            "--listener."
        )
    if csv_index:
        from bastzoo.data.recorded.csv_rows import is_manifest

        if is_manifest(csv_index):  # of recordings: heard like a folder of them
            bast_folder = csv_index
    for name in ("sound_id", "fit_length"):
        if how[name] and not bast_folder:
            raise click.UsageError(
                f"--{name.replace('_', '-')} says how a folder of recordings is read; "
                "name the folder with --data."
            )
    if how["skip_bad"] and not recorded:
        raise click.UsageError(
            "--skip-bad says how recorded data is read; name it with --data or --csv."
        )
    if how["azimuth_direction"] and not recorded and not any(map(is_file, listeners)):
        raise click.UsageError(
            "--azimuth-direction says how recordings and SOFA files are read; name them with --data, --csv "
            "or --listener."
        )
    layout: Layout = "bast" if bast_folder else "csv" if csv_index else "rendered"
    return DataSource(layout=layout, path=recorded, **how)
