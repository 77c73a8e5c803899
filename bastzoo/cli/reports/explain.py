"""`bastzoo explain`: what a network listens to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bastzoo.cli.options import SOUND_SUFFIXES, runs_option

if TYPE_CHECKING:
    from torch import Tensor

    from bastzoo.explanation.focus import Focus
    from bastzoo.explanation.gradients import Maps
    from bastzoo.models.localizer import Localizer

_BANDS = ((0.0, 1500.0), (1500.0, 4000.0), (4000.0, 8001.0))


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="MODEL... [WAV]")
@click.option(
    "--clip",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show the maps of this clip of the test split.  [default: the first that is explained]",
)
@click.option(
    "--clips",
    "count",
    default=32,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="How many clips, spread over the test split, the curves are the mean of.",
)
@click.option(
    "--method",
    default="all",
    show_default=True,
    type=click.Choice(["all", "gradient", "rollout", "gradient-rollout"]),
    help="gradient: every model; the rollouts: vanilla on spectrograms.",
)
@click.option(
    "--plot",
    default="explanation.svg",
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="An SVG, PNG or PDF; maps and curves are two files, the latter with -focus in its name.",
)
@click.option(
    "--style", default="paper", show_default=True, type=click.Choice(["paper", "slides", "dark"])
)
@runs_option
def explain(
    arguments: tuple[str, ...],
    clip: int | None,
    count: int,
    method: str,
    plot: Path,
    style: str,
    out: str,
) -> None:
    """Draw what a network listens to: maps over both ears' spectrograms, and its focus by frequency.

    MODEL is a run, or a model as `bastzoo predict` takes it. Clips are those of its test split, or the
    windows of a recording. Of several models the curves are compared, and with four or more correlated
    with their errors. It is also said how alike the maps are once the weights are shuffled: 1 would mean
    that they show the sound and nothing that was learned.

    Examples: bastzoo explain vanilla-SUB-MIX-SP --clip 7; bastzoo explain default recording.wav
    """
    from bastzoo.plots.recording import check_picture

    check_picture(plot)
    names = [a for a in arguments if not a.lower().endswith(SOUND_SUFFIXES)]
    sounds = [a for a in arguments if a.lower().endswith(SOUND_SUFFIXES)]
    if len(sounds) > 1 or (sounds and clip is not None):
        raise click.UsageError("Give one recording, or --clip N, not both.")
    explained = [
        _explain(name, sounds[0] if sounds else None, clip, count, method, out)
        for name in names or ["default"]
    ]
    for one in explained:
        _print(one)
    for path in _draw(explained, plot, style):
        click.echo(f"Drew {path}.", err=True)


@dataclass
class _Explained:
    """A model with its maps by method. clip: the one whose maps are shown."""

    name: str
    clips: Tensor
    maps: dict[str, Maps]
    curves: dict[str, Focus]
    sane: dict[str, float]
    shown: int
    what: str
    error: float | None
    data: str


def _explain(
    name: str, sound: str | None, clip: int | None, count: int, method: str, out: str
) -> _Explained:
    from bastzoo.errors import DataError
    from bastzoo.explanation.focus import METHODS, focus, maps_of, sanity
    from bastzoo.models.loading import load_localizer
    from bastzoo.plugins import default_registry

    localizer = load_localizer(name, registry=default_registry(), out=out)
    clips, shown, what = (
        _windows(localizer, sound) if sound is not None else _test_clips(localizer, clip, count)
    )
    maps = {}
    for each in METHODS if method == "all" else [method]:
        try:
            maps[each] = maps_of(localizer.model, clips, each)
        except DataError:
            if each == method or each == "gradient":
                raise
    tested = localizer.record.tested
    return _Explained(
        name=localizer.name,
        clips=clips,
        maps=maps,
        curves={each: focus(found) for each, found in maps.items()},
        sane={each: sanity(localizer.model, clips, found, each) for each, found in maps.items()},
        shown=shown,
        what=what,
        error=tested[0].figures.get("ad_mean") if tested else None,
        data=localizer.record.experiment.data_digest if localizer.record.experiment else "",
    )


def _test_clips(localizer: Localizer, clip: int | None, count: int) -> tuple[Tensor, int, str]:
    """Clips spread over the test split of the model's experiment, the one that is asked for first."""
    import torch

    from bastzoo.errors import DataError
    from bastzoo.harness.workbench import Workbench
    from bastzoo.plugins import default_registry

    experiment = localizer.record.experiment
    if experiment is None:
        raise DataError(
            f"The model {localizer.name!r} does not say what it was tested on; give it a recording: "
            f"bastzoo explain {localizer.name} recording.wav"
        )
    bench = Workbench(default_registry(), device="cpu", source=experiment.source)
    test = bench.data.of(experiment).split("test")
    if clip is not None and clip >= len(test):
        raise DataError(f"There is no clip {clip}: the test split has {len(test)}, from 0.")
    # Half a step in, so that no place of the grid is met again and again.
    few = min(count, len(test))
    spread = [int((place + 0.5) * len(test) / few) for place in range(few)]
    chosen = spread if clip is None else [clip, *(one for one in spread if one != clip)][:count]
    batch = test.take(torch.tensor(chosen))
    sound = test.sound_ids[int(batch.sounds[0])]
    room = test.rooms[int(batch.rooms[0])]
    return batch.inputs, 0, f"clip {chosen[0]}: {sound}, {room}"


def _windows(localizer: Localizer, sound: str) -> tuple[Tensor, int, str]:
    """The windows of a recording that are not silent, and the loudest of them."""
    import numpy as np
    import torch

    from bastzoo.errors import DataError
    from bastzoo.models.listening.audio import SoundFile, resampled
    from bastzoo.models.listening.windows import SILENCE_DB, at_reference, levels, windows

    samples = localizer.record.clip_samples
    with SoundFile(sound) as file:
        blocks = resampled(file.blocks(), int(file.rate))
        cut = [window for _, window in windows(blocks, samples=samples, hop=samples)]
    found = np.stack(cut) if cut else np.zeros((0, 2, samples))
    louder = levels(found).max(axis=1) if cut else np.zeros(0)
    heard = np.flatnonzero(louder > SILENCE_DB)
    if not len(heard):
        raise DataError(f"{sound!r} is silent, so there is nothing to explain.")
    shown = int(np.argmax(louder[heard]))
    at = heard[shown] * samples / 16_000
    clips = torch.from_numpy(np.ascontiguousarray(at_reference(found, louder)[heard]))
    return clips, shown, f"{Path(sound).name} from {at:.1f} s"


def _print(one: _Explained) -> None:
    from bastzoo.cli.terminal.output import table
    from bastzoo.errors import tellable

    error = "" if one.error is None else f", mean AD {one.error:.1f}°"
    click.echo(f"{tellable(one.name)}{error}: {len(one.clips)} clips; maps of {tellable(one.what)}")
    headers = [
        "method",
        "left ear",
        *(f"{a / 1000:g}-{min(b, 8000) / 1000:g} kHz" for a, b in _BANDS),
        "likeness, shuffled",
    ]
    lines = [
        [
            method,
            f"{100 * curve.left_share:.0f} %",
            *(f"{100 * curve.share(low, high):.0f} %" for low, high in _BANDS),
            f"{one.sane[method]:.2f}",
        ]
        for method, curve in one.curves.items()
    ]
    click.echo("\n".join(table([headers, *lines], indent=2)))


def _draw(explained: list[_Explained], plot: Path, style: str) -> list[Path]:
    import numpy as np
    from matplotlib.figure import Figure

    from bastzoo.explanation.gradients import HOP, SAMPLE_RATE, WINDOW, Maps, level_db
    from bastzoo.plots.explanation import clip_maps, focus_curves, focus_of_models

    first = explained[0]
    second = plot.with_name(f"{plot.stem}-focus{plot.suffix}")
    if len(explained) > 1:
        figure = Figure(layout="constrained")
        curves = {one.name: next(iter(one.curves.values())) for one in explained}
        alike = len({one.data for one in explained}) == 1  # errors of other tests do not compare
        errors = [one.error if alike else None for one in explained]
        focus_of_models(curves, errors, figure=figure, style=style)
        _save(figure, second, style)
        return [second]
    decibels = level_db(first.clips[first.shown : first.shown + 1])[0]
    hertz = np.arange(decibels.shape[1]) * SAMPLE_RATE / WINDOW
    seconds = np.arange(decibels.shape[2]) * HOP / SAMPLE_RATE
    shown = {
        method: Maps(m.values[first.shown : first.shown + 1], m.frequencies, m.times, m.unit)
        for method, m in first.maps.items()
    }
    figure = Figure(layout="constrained")
    clip_maps(shown, (decibels, hertz, seconds), figure=figure, style=style)
    _save(figure, plot, style)
    figure = Figure(layout="constrained")
    focus_curves(first.curves, figure=figure, style=style)
    _save(figure, second, style)
    return [plot, second]


def _save(figure: Any, path: Path, style: str) -> None:
    from bastzoo.plots.style import drawing, style_named

    metadata: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(
        path.suffix.lower(), {}
    )
    with drawing(style_named(style)):
        figure.savefig(path, dpi=200, metadata=metadata)
