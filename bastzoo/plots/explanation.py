"""Pictures of what networks listen to: maps over the spectrograms of both ears, and focus by frequency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from bastzoo.explanation.focus import Focus, focus_and_error
from bastzoo.explanation.gradients import Maps
from bastzoo.plots.results import plain
from bastzoo.plots.style import (
    LEFT_EAR,
    PALETTE,
    RIGHT_EAR,
    VERMILLION,
    Style,
    drawing,
    style_named,
)

EARS = ("left ear", "right ear")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)))


def clip_maps(
    maps: Mapping[str, Maps],
    spectrogram: tuple[
        Float[np.ndarray, "2 F T"], Float[np.ndarray, " F"], Float[np.ndarray, " T"]
    ],
    *,
    figure: Any = None,
    style: str = "paper",
) -> list[Any]:
    """Maps of one clip over its spectrograms: a row for each method, the left ear on the left.

    maps: of one clip each, by the method's name. spectrogram: decibels below the loudest, hertz, seconds.
    The stronger the colour, the more of the answer comes from there; all of a row is on one scale. Returns
    the axes, row by row.
    """
    look = style_named(style)
    with drawing(look):
        figure, _ = _figure(figure, look, width=2.0, height=0.46 * len(maps) + 0.08)
        panels = figure.subplots(len(maps), 2, sharex=True, sharey=True, squeeze=False)
        for row, (name, found) in zip(panels, maps.items(), strict=True):
            _overlay(row, found, spectrogram, look)
            row[0].set_ylabel(f"{plain(name)}\nfrequency (kHz)")
        for axes, ear in zip(panels[0], EARS, strict=True):
            axes.set_title(ear)
        for axes in panels[-1]:
            axes.set_xlabel("time (s)")
    return [*panels.ravel()]


def _overlay(row: Any, maps: Maps, spectrogram: Any, look: Style) -> None:
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    decibels, hertz, seconds = spectrogram
    greys = LinearSegmentedColormap.from_list("level", [look.paper, look.faint])
    clear = [(*to_rgb(VERMILLION), 0.0), (*to_rgb(VERMILLION), 0.95)]
    reds = LinearSegmentedColormap.from_list("map", clear)
    top = float(np.quantile(maps.values[0], 0.995)) or 1.0
    for ear, axes in enumerate(row):
        axes.pcolormesh(
            seconds,
            hertz / 1000,
            decibels[ear],
            cmap=greys,
            vmin=-60,
            vmax=0,
            rasterized=True,
            shading="nearest",
        )
        axes.pcolormesh(
            maps.times,
            maps.frequencies / 1000,
            maps.values[0, ear],
            cmap=reds,
            vmin=0,
            vmax=top,
            rasterized=True,
            shading="nearest",
        )
        axes.set_xlim(0, seconds[-1])
        axes.set_ylim(0, hertz[-1] / 1000)


def focus_curves(curves: Mapping[str, Focus], *, figure: Any = None, style: str = "paper") -> Any:
    """The focus of one model by frequency: a colour for each ear, dashes for each method.

    Returns the axes.
    """
    look = style_named(style)
    with drawing(look):
        figure, own = _figure(figure, look, width=1.0, height=0.8)
        axes = figure.subplots()
        for dashes, (name, curve) in zip(_DASHES, curves.items(), strict=False):
            for values, colour, ear in ((curve.left, LEFT_EAR, 0), (curve.right, RIGHT_EAR, 1)):
                label = EARS[ear] + (f", {plain(name)}" if len(curves) > 1 else "")
                axes.plot(
                    curve.frequencies / 1000, 100 * values, color=colour, ls=dashes, label=label
                )
        _focus_axes(axes, figure, look, own)
    return axes


def focus_of_models(
    curves: Mapping[str, Focus],
    errors: Sequence[float | None],
    *,
    figure: Any = None,
    style: str = "paper",
) -> list[Any]:
    """The focus of several models, both ears together, and below it how it goes with their mean AD.

    curves: by the model's name. errors: degrees, in their order, of tests on the same clips; None where not
    known. With fewer than four known errors there is no second axes. Returns the axes.
    """
    look = style_named(style)
    known = [place for place, error in enumerate(errors) if error is not None]
    with_errors = len(known) >= 4
    with drawing(look):
        figure, own = _figure(figure, look, width=1.0, height=1.3 if with_errors else 0.8)
        panels = figure.subplots(1 + with_errors, 1, sharex=True, squeeze=False).ravel()
        dashes = [dash for dash in _DASHES for _ in PALETTE]
        for place, (name, curve) in enumerate(curves.items()):
            error = errors[place]
            label = plain(name) + ("" if error is None else f" ({error:.1f}°)")
            colour, dash = PALETTE[place % len(PALETTE)], dashes[place % len(dashes)]
            panels[0].plot(
                curve.frequencies / 1000, 100 * curve.both, color=colour, ls=dash, label=label
            )
        if with_errors:
            chosen = [[*curves.values()][place] for place in known]
            found = focus_and_error(chosen, [float(errors[place] or 0.0) for place in known])
            panels[1].axhline(0, color=look.ink, lw=0.6 * look.line)
            panels[1].plot(chosen[0].frequencies / 1000, found, color=look.ink)
            panels[1].set_ylim(-1, 1)
            panels[1].set_ylabel("rank correlation\nwith mean AD")
            panels[1].grid(visible=True)
        _focus_axes(panels[0], figure, look, own)
        panels[-1].set_xlabel("frequency (kHz)")
        if with_errors:
            panels[0].set_xlabel("")
    return [*panels]


def _figure(figure: Any, look: Style, *, width: float, height: float) -> tuple[Any, bool]:
    """A figure of so many columns' width and this height over a column's, and whether it is a new one."""
    if figure is not None:
        if hasattr(figure, "set_size_inches"):
            figure.set_size_inches(look.column * width, look.column * height * width)
        return figure, hasattr(figure, "set_size_inches")
    from matplotlib import pyplot

    size = (look.column * width, look.column * height * width)
    return pyplot.figure(figsize=size, layout="constrained"), True


def _focus_axes(axes: Any, figure: Any, look: Style, may_resize: bool) -> None:
    axes.set_xlim(0, None)
    axes.set_ylim(0, None)
    axes.set_xlabel("frequency (kHz)")
    axes.set_ylabel("focus (% per kHz)")
    axes.grid(visible=True)
    handles, labels = axes.get_legend_handles_labels()
    columns = 2 if max(map(len, labels), default=0) < 20 else 1
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
    if may_resize:
        width, height = figure.get_size_inches()
        rows = -(-len(labels) // columns)
        figure.set_size_inches(width, height + rows * 1.45 * look.text / 72)
