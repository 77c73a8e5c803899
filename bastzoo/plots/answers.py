"""Pictures of what some heads answer beside the azimuth, and of how training went."""

from __future__ import annotations

from typing import Any

import numpy as np

from bastzoo.directions import CREDIBLE_LEVELS, elevation_of
from bastzoo.metrics.localization import angular_distance, counted
from bastzoo.plots.canvas import Canvas, by_seed_mean, picture
from bastzoo.plots.results import Design, NothingToDrawError, plain
from bastzoo.plots.style import shades


@picture
def learning_curves(canvas: Canvas) -> Any:
    """AD on the validation split while training: a line for each seed, a mark at the step that was kept.

    Returns the axes.
    """
    (axes,) = canvas.axes()
    for design, look in canvas.pairs():
        labelled = False
        for result in design.results:
            history, training = result.history, result.record.training
            if history is None:
                continue
            axes.plot(
                history["step"],
                history["validation_ad"],
                lw=0.8 * canvas.style.line,
                label=f"_{result.record.key}" if labelled else design.label,
                **look.line,
            )
            labelled = True
            if training is not None:
                axes.plot(
                    training.best_step,
                    training.best_validation_ad,
                    ls="",
                    marker=look.marker,
                    color=look.colour,
                    label="_kept",
                )
    if not axes.lines:
        raise NothingToDrawError(
            "No run has its learning curve beside its record: a baseline has none, and a record that was "
            "copied alone has left it behind."
        )
    axes.set_xlim(0, None)
    axes.set_ylim(0, None)
    axes.set_xlabel("training step")
    axes.set_ylabel("validation AD (°)")
    axes.grid(visible=True, axis="y")
    canvas.legend(axes)
    return axes


@picture
def class_confusion(canvas: Canvas) -> list[Any]:
    """Share of the clips of each class (row) that were answered as each class (column).

    Returns an axes for each design whose head answers classes.
    """
    found = []
    for design, _ in canvas.pairs():
        tables = [e.confusion for e in design.evaluations if e.confusion is not None]
        if tables and len({len(table) for table in tables}) == 1:
            found.append((design, np.sum([np.array(table) for table in tables], axis=0)))
    if not found:
        raise NothingToDrawError("None of these heads says what a sound was.")
    panels = canvas.axes(panels=len(found), across=1, width=1.3, height=0.95)
    image = None
    for axes, (design, table) in zip(panels, found, strict=True):
        whole = table.sum(axis=1, keepdims=True)
        shares = np.divide(table, whole, out=np.full(table.shape, np.nan), where=whole > 0)
        image = axes.imshow(shares, vmin=0, vmax=1, cmap=shades(canvas.style))
        known = design.evaluations[0].by_class or {}
        names = [*known] if len(known) == len(table) else [str(n) for n in range(len(table))]
        shown = [plain(name, 22) for name in names]
        axes.set_xticks(range(len(shown)), shown, rotation=90)
        axes.set_yticks(range(len(shown)), shown)
        axes.set_xlabel("answered class")
        axes.set_ylabel("true class")
        if len(found) > 1:
            axes.set_title(design.label)
    bar = canvas.figure.colorbar(image, ax=panels, shrink=0.6, pad=0.02)
    bar.set_label("share of the class")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return panels


@picture
def elevation(canvas: Canvas) -> Any:
    """Predicted against true elevation: mean answer at each true elevation, and the middle 80 % of answers.

    True elevations are put together by 5 degrees. Returns the axes.
    """
    drawn = []
    for design, look in canvas.pairs():
        arrays = [found for r in design.results if (found := r.predictions) is not None]
        if not arrays:
            continue
        true = np.concatenate([elevation_of(one["targets"]) for one in arrays])
        said = np.concatenate([elevation_of(one["directions"]) for one in arrays])
        if (np.abs(true) > 1e-3).any() and np.isfinite(said).any():
            drawn.append((design, look, true, said))
    if not drawn:
        raise NothingToDrawError(
            "No run has predictions of sounds above or below the horizontal plane (track full-sphere)."
        )
    (axes,) = canvas.axes(height=0.95)
    axes.axline((0, 0), slope=1, color=canvas.style.ink, lw=0.5 * canvas.style.line)
    shifts = np.linspace(-1.2, 1.2, len(drawn)) if len(drawn) > 1 else [0.0]
    for shift, (design, look, true, said) in zip(shifts, drawn, strict=True):
        at = 5 * np.round(true / 5)
        places = np.unique(at[np.isfinite(at)])
        answers = [said[(at == place) & np.isfinite(said)] for place in places]
        kept = [(place, each) for place, each in zip(places, answers, strict=True) if len(each)]
        xs = np.array([place for place, _ in kept])
        low, middle, high = np.array([np.quantile(each, [0.1, 0.5, 0.9]) for _, each in kept]).T
        axes.vlines(xs + shift, low, high, color=look.colour, lw=0.8 * canvas.style.line)
        axes.plot(
            xs + shift, middle, ls="", marker=look.marker, color=look.colour, label=design.label
        )
    axes.set_xlim(-95, 95)
    axes.set_ylim(-95, 95)
    axes.set_aspect("equal")
    axes.set_xticks(range(-90, 91, 45), [f"{a}°".replace("-", "−") for a in range(-90, 91, 45)])
    axes.set_yticks(range(-90, 91, 45), [f"{a}°".replace("-", "−") for a in range(-90, 91, 45)])
    axes.set_xlabel("true elevation")
    axes.set_ylabel("predicted elevation")
    axes.grid(visible=True)
    canvas.legend(axes)
    return axes


_SOURCES = {
    "source_recall": "sources found",
    "source_precision": "answers at a source",
    "source_class_accuracy": "their class right",
    "count_accuracy": "number right",
}


@picture
def sources_found(canvas: Canvas) -> Any:
    """Of heads that answer several sources: shares found within 20 degrees, of right class, of right number.

    Returns the axes.
    """
    rows = []
    for design, look in canvas.pairs():
        shares = [
            [np.nan if (v := e.metrics.get(name)) is None else 100 * float(v) for name in _SOURCES]
            for e in design.evaluations
        ]
        if np.isfinite(shares).any():
            rows.append((design, look, by_seed_mean([np.array(one) for one in shares])))
    if not rows:
        raise NothingToDrawError("None of these heads answers several sources.")
    (axes,) = canvas.axes(height=0.5 + 0.06 * len(rows))
    places = np.arange(len(_SOURCES))
    for number, (design, look, means) in enumerate(rows):
        thick = 0.8 / len(rows)
        axes.barh(
            places - 0.4 + thick * (number + 0.5),
            np.nan_to_num(means),
            height=0.9 * thick,
            color=look.colour,
            label=design.label,
        )
    axes.set_yticks(places, [*_SOURCES.values()])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("share (%)")
    axes.grid(visible=True, axis="x")
    canvas.legend(axes)
    return axes


@picture
def calibration(canvas: Canvas) -> list[Any]:
    """Does a head that says how sure it is know it? Coverage against level, and error against radius.

    On the left the share of true directions within the caps that the head gives, of each level: on the
    diagonal it is calibrated. On the right, where predictions are kept, mean AD of tenths of the clips
    against the median radius of their 50 % caps. Returns one or two axes.
    """
    rows = []
    for design, look in canvas.pairs():
        names = [f"coverage_{round(100 * level)}" for level in CREDIBLE_LEVELS]
        if all(e.metrics.get(name) is not None for e in design.evaluations for name in names):
            shares = [[float(e.metrics[n] or 0.0) for n in names] for e in design.evaluations]
            rows.append((design, look, np.mean(shares, axis=0)))
    if not rows:
        raise NothingToDrawError(
            "None of these heads says how sure it is (vmf-azimuth, vmf and posterior do)."
        )
    surest = [
        (design, look, found) for design, look, _ in rows if (found := _error_by_radius(design))
    ]
    panels = canvas.axes(panels=2 if surest else 1, width=2 if surest else 1, height=0.9)
    levels = 100 * np.array(CREDIBLE_LEVELS)
    panels[0].axline((0, 0), slope=1, color=canvas.style.ink, lw=0.5 * canvas.style.line)
    for design, look, coverage in rows:
        panels[0].plot(levels, 100 * coverage, marker=look.marker, label=design.label, **look.line)
    panels[0].set_xlim(0, 100)
    panels[0].set_ylim(0, 100)
    panels[0].set_aspect("equal")
    panels[0].set_xlabel("level of the cap (%)")
    panels[0].set_ylabel("true directions in it (%)")
    for design, look, (radius, error) in surest:
        panels[1].plot(radius, error, marker=look.marker, label=design.label, **look.line)
        panels[1].set_xlabel("radius of the 50 % cap (°)")
        panels[1].set_ylabel("mean AD (°)")
        panels[1].set_xlim(0, None)
        panels[1].set_ylim(0, None)
    for axes in panels:
        axes.grid(visible=True)
    canvas.legend(panels[0])
    return panels


def _error_by_radius(design: Design) -> tuple[np.ndarray, np.ndarray] | None:
    """Median radius of the 50 % cap and mean AD of tenths of the clips, the surest first."""
    kept: list[Any] = [result.predictions for result in design.results]
    if any(one is None or "radii" not in one for one in kept):
        return None
    radius = np.concatenate([one["radii"][:, CREDIBLE_LEVELS.index(0.5)] for one in kept])
    error = np.concatenate(
        [counted(angular_distance(one["directions"], one["targets"])) for one in kept]
    )
    order = np.argsort(radius, kind="stable")
    parts = np.array_split(order[np.isfinite(radius[order])], 10)
    filled = [part for part in parts if len(part)]
    if not filled:
        return None
    return (
        np.array([np.median(radius[part]) for part in filled]),
        np.array([error[part].mean() for part in filled]),
    )
