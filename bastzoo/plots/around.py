"""Pictures of the circle around a listener: error and answers by azimuth.

Front is up and the left is on the left, as seen from above.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bastzoo.directions import azimuth_of
from bastzoo.metrics.localization import angular_distance, counted, hemifield_gap, lateral_angle
from bastzoo.plots.canvas import Canvas, by_seed_mean, picture
from bastzoo.plots.results import Design, NothingToDrawError, plain
from bastzoo.plots.style import VERMILLION, shades
from bastzoo.records.record import Evaluation

AZIMUTHS = range(-180, 181, 90)
_BIN = 10.0
_MOST_AZIMUTHS = 72
"""Beyond so many target azimuths (a free draw of directions), they are put into bins of 10 degrees."""


def curve(evaluation: Evaluation, figure: str) -> tuple[np.ndarray, np.ndarray]:
    """Azimuths (degrees, ascending) and a figure of `by_azimuth` at each, NaN where it has none."""
    points = evaluation.by_azimuth
    if not points:
        raise NothingToDrawError("The record has no figures by azimuth.")
    azimuth = np.array([float(point["azimuth"] or 0.0) for point in points])
    value = np.array([np.nan if (v := point[figure]) is None else float(v) for point in points])
    count = np.array([float(point["count"] or 0) for point in points])
    if len(azimuth) <= _MOST_AZIMUTHS:
        return azimuth, value
    middle = _BIN * np.round(azimuth / _BIN)
    middle = np.where(middle == -180, 180, middle)
    found = np.unique(middle)
    weight = np.where(np.isfinite(value), count, 0.0)
    sums = [(weight[middle == m] * np.nan_to_num(value[middle == m])).sum() for m in found]
    weights = [weight[middle == m].sum() for m in found]
    return found, np.array([s / w if w else np.nan for s, w in zip(sums, weights, strict=True)])


def mean_curve(design: Design, figure: str) -> tuple[np.ndarray, np.ndarray]:
    """`curve`, as the mean over the seeds of a design."""
    curves = [curve(evaluation, figure) for evaluation in design.evaluations]
    return curves[0][0], by_seed_mean([value for _, value in curves])


def closed(azimuth: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A curve that goes round the circle, with a gap (NaN) where no target was.

    No line is drawn across what nobody measured: a gap is more than twice the usual step.
    """
    if len(azimuth) < 3:
        return azimuth, value
    steps = np.diff([*azimuth, azimuth[0] + 360])
    usual = float(np.median(steps))
    angles: list[float] = []
    values: list[float] = []
    for place, step in enumerate(steps):
        angles.append(float(azimuth[place]))
        values.append(float(value[place]))
        if step > 2 * usual + 1e-6:
            angles.append(float(azimuth[place]) + step / 2)
            values.append(np.nan)
    if steps[-1] <= 2 * usual + 1e-6:
        angles.append(float(azimuth[0]) + 360)
        values.append(float(value[0]))
    return np.array(angles), np.array(values)


def as_seen_from_above(axes: Any) -> None:
    """Front up, +90 on the left, every 45 degrees labelled."""
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(1)
    words = {0: "0° front", 90: "90°\nleft", 180: "180° behind", 270: "−90°\nright"}
    angles = [*range(0, 360, 45)]
    axes.set_thetagrids(
        angles, [words.get(a, f"{a if a <= 180 else a - 360}°".replace("-", "−")) for a in angles]
    )
    axes.set_rlabel_position(-112.5)
    axes.grid(visible=True)


@picture
def azimuth_error(canvas: Canvas) -> list[Any]:
    """Mean AD by the azimuth of the target, a panel for each environment, all of one scale.

    The mean over the seeds of a design. Returns a polar axes for each environment.
    """
    where = list(dict.fromkeys(d.parts["environment"] for d in canvas.designs))
    panels = canvas.axes(
        panels=len(where),
        height=1.0,
        across=2,
        width=min(2, len(where)),
        subplot_kw={"projection": "polar"},
    )
    highest = 0.0
    for axes, environment in zip(panels, where, strict=True):
        as_seen_from_above(axes)
        if len(where) > 1:
            axes.set_title(plain(environment))
        for design, look in canvas.pairs():
            if design.parts["environment"] != environment:
                continue
            azimuth, error = mean_curve(design, "ad_mean")
            highest = max(highest, float(np.nanmax(error, initial=0.0)))
            around = closed(azimuth, error)
            marker = look.marker if len(azimuth) < 3 else None
            axes.plot(
                np.radians(around[0]), around[1], label=design.label, marker=marker, **look.line
            )
    rings = _rings(highest)
    for axes in panels:
        axes.set_rlim(0, rings[-1])
        axes.set_rgrids(rings[1:], _ring_labels(rings, "°"))
    handles: dict[str, Any] = {}
    for axes in panels:
        handles |= {h.get_label(): h for h in axes.get_legend_handles_labels()[0]}
    canvas.legend(panels[0], handles=([*handles.values()], [*handles]))
    return panels


def _rings(highest: float) -> np.ndarray:
    """At most six round figures from 0 to what holds the highest value."""
    highest = max(highest, 1.0)
    step = next(s for s in (0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60) if highest / s <= 5 or s == 60)
    return np.arange(0, np.ceil(highest / step - 1e-9) + 1) * step


def _ring_labels(rings: np.ndarray, unit: str) -> list[str]:
    """Of all rings but the outermost, where the labels of the angles are."""
    return [*(f"{ring:g}{unit}" for ring in rings[1:-1]), ""]


@picture
def bias(canvas: Canvas) -> Any:
    """Circular mean of predicted minus true azimuth, by true azimuth: positive is too far to the left.

    The mean over seeds. Returns the axes.
    """
    (axes,) = canvas.axes()
    axes.axhline(0, color=canvas.style.ink, lw=0.6 * canvas.style.line, label="_zero")
    for design, look in canvas.pairs():
        azimuth, value = mean_curve(design, "bias")
        axes.plot(
            azimuth,
            value,
            label=design.label,
            marker=look.marker if len(azimuth) < 3 else None,
            **look.line,
        )
    _azimuth_axis(axes.xaxis, axes.set_xlim)
    axes.set_xlabel("true azimuth")
    axes.set_ylabel("bias (°)")
    axes.set_title("positive: counter-clockwise", loc="left")
    axes.grid(visible=True, axis="y")
    canvas.legend(axes)
    return axes


def _azimuth_axis(axis: Any, limits: Any, *, words: bool = True) -> None:
    named = {
        -180: "−180°\nbehind",
        -90: "−90°\nright",
        0: "0°\nfront",
        90: "90°\nleft",
        180: "180°\nbehind",
    }
    axis.set_ticks([*AZIMUTHS], [named[a] if words else named[a].split("\n")[0] for a in AZIMUTHS])
    limits(-180, 180)


def answered(design: Design) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted azimuths of all clips of all seeds; NaN where an answer has none.

    Raises NothingToDrawError where predictions are not kept, or none has an azimuth.
    """
    pairs = []
    for result in design.results:
        found = result.predictions
        if found is None:
            raise NothingToDrawError(
                f"{design.label}: its predictions are not beside its record, "
                "and this picture is made of every answer."
            )
        pairs.append((azimuth_of(found["targets"]), azimuth_of(found["directions"])))
    true, said = (np.concatenate(column) for column in zip(*pairs, strict=True))
    if not np.isfinite(said).any():
        raise NothingToDrawError(f"{design.label}: none of its {len(said)} answers is a direction.")
    return true, said


def _drawable(canvas: Canvas) -> list[tuple[Design, Any, tuple[np.ndarray, np.ndarray]]]:
    """The designs that have predictions. Raises NothingToDrawError, with the reasons, where none has."""
    found, reasons = [], []
    for design, look in canvas.pairs():
        try:
            found.append((design, look, answered(design)))
        except NothingToDrawError as reason:
            reasons.append(str(reason))
    if not found:
        raise NothingToDrawError(reasons[0])
    return found


@picture
def prediction_distribution(canvas: Canvas) -> list[Any]:
    """How often each direction is answered, in steps of 10 degrees, beside how often it was true (outline).

    Shares of the clips that were answered; one scale for all. Returns a polar axes for each design.
    """
    drawable = _drawable(canvas)
    panels = canvas.axes(
        panels=len(drawable),
        height=1.08,
        width=min(2, len(drawable)),
        subplot_kw={"projection": "polar"},
    )
    edges = np.radians(np.arange(-185, 176, _BIN))
    highest = 0.0
    for axes, (design, look, (true, said)) in zip(panels, drawable, strict=True):
        as_seen_from_above(axes)
        shares = [100 * _histogram(angles) for angles in (said, true)]
        highest = max(highest, *(float(share.max()) for share in shares))
        axes.bar(
            edges[:-1],
            shares[0],
            width=np.radians(_BIN),
            align="edge",
            color=look.colour,
            alpha=0.75,
            lw=0,
            label="answered",
        )
        outline = np.repeat(np.append(shares[1], shares[1][0]), 2)[:-2]
        corners = np.repeat(edges, 2)[1:-1]
        axes.plot(
            [*corners, corners[0]],
            [*outline, outline[0]],
            color=canvas.style.ink,
            lw=0.7 * canvas.style.line,
            label="true",
        )
        axes.set_title(design.label)
        axes.set_axisbelow(False)  # the rings and their labels over the bars
    rings = _rings(highest)
    for axes in panels:
        axes.set_rlim(0, rings[-1])
        axes.set_rgrids(rings[1:], _ring_labels(rings, " %"))
    canvas.legend(panels[0])
    return panels


def _histogram(angles: np.ndarray) -> np.ndarray:
    """Shares of the bins around -180, -170, ..., 170 degrees."""
    kept = angles[np.isfinite(angles)]
    place = np.round(kept / _BIN).astype(int) % 36  # 0 front
    counts = np.bincount(place, minlength=36)
    return np.roll(counts, 18) / max(1, len(kept))


@picture
def true_against_predicted(canvas: Canvas) -> list[Any]:
    """Every answer: predicted against true azimuth, with the diagonals of front-back confusions marked.

    Colour is the share of the clips of one true azimuth (10 degrees) that were answered so (5 degrees).
    Returns an axes for each design.
    """
    from matplotlib.colors import PowerNorm

    drawable = _drawable(canvas)
    panels = canvas.axes(
        panels=len(drawable), height=0.86, width=min(2, len(drawable)), sharex=True, sharey=True
    )
    mesh = None
    for axes, (design, _, (true, said)) in zip(panels, drawable, strict=True):
        shares = _conditional(true, said)
        mesh = axes.pcolormesh(
            np.arange(-185, 186, _BIN),
            np.arange(-182.5, 183, 5.0),
            shares,
            cmap=shades(canvas.style),
            norm=PowerNorm(0.5, vmin=0, vmax=1),
            rasterized=True,
        )
        axes.axline((0, 0), slope=1, color=canvas.style.ink, lw=0.5 * canvas.style.line)
        for side in (-180, 180):
            axes.plot(
                [0, side],
                [side, 0],
                ls=(0, (4, 2)),
                lw=0.8 * canvas.style.line,
                color=VERMILLION,
                label="front and back exchanged" if side > 0 else "_other side",
            )
        _azimuth_axis(axes.xaxis, axes.set_xlim, words=len(drawable) == 1)
        _azimuth_axis(axes.yaxis, axes.set_ylim, words=False)
        axes.set_aspect("equal")
        if len(drawable) > 1:
            axes.set_title(design.label)
        axes.set_xlabel("true azimuth")
        axes.set_ylabel("predicted azimuth")
        axes.label_outer()
    for axes in panels[-2:]:  # below the last but one there may be none
        axes.tick_params(labelbottom=True)
    bar = canvas.figure.colorbar(mesh, ax=panels, shrink=0.8, pad=0.02)
    bar.set_label("share of the clips there")
    bar.set_ticks([0, 0.05, 0.2, 0.5, 1])
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    canvas.legend(panels[0])
    return panels


def _conditional(true: np.ndarray, said: np.ndarray) -> np.ndarray:
    """`[73, 37]`: the share of the clips of a true azimuth that were answered so; NaN where none was there.

    Clips without an answer count in the whole, so that a column may sum to less than 1.
    """
    column = (np.round(true / _BIN).astype(int) + 18) % 36
    whole = np.bincount(column, minlength=36)
    kept = np.isfinite(said)
    row = (np.round(said[kept] / 5.0).astype(int) + 36) % 72
    table = np.zeros((72, 36))
    np.add.at(table, (row, column[kept]), 1)
    shares = np.where((whole > 0) & (table > 0), table / np.maximum(whole, 1), np.nan)
    return np.pad(shares, ((0, 1), (0, 1)), mode="wrap")  # -180 is 180


def sides(evaluation: Evaluation) -> tuple[float, float]:
    """Mean AD of targets on the left and on the right. Raises NothingToDrawError where a side has none."""
    means = []
    for sign in (1, -1):
        points = [
            (float(p["ad_mean"] or 0.0), float(p["count"] or 0))
            for p in evaluation.by_azimuth
            if 0 < sign * float(p["azimuth"] or 0.0) < 180
        ]
        clips = sum(count for _, count in points)
        if not clips:
            raise NothingToDrawError(
                "Targets were on one side only, so the sides cannot be compared."
            )
        means.append(sum(ad * count for ad, count in points) / clips)
    return means[0], means[1]


@picture
def hemifields(canvas: Canvas) -> Any:
    """Mean AD on the left and on the right side by side, with the test of `hemifield_gap` for each design.

    p is of the paired t test over sounds (docs/protocol.md), of all seeds where predictions are kept, else of
    the one run; where several seeds have no predictions it is left out. Returns the axes.
    """
    (axes,) = canvas.axes(height=0.8)
    for design, look in canvas.pairs():
        found = np.array([sides(evaluation) for evaluation in design.evaluations])
        p = _p_of(design)
        words = "" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        axes.plot(
            [0, 1],
            found.mean(axis=0),
            marker=look.marker,
            **look.line,
            label=f"{design.label}{words and f': {words}'}",
        )
    axes.set_xlim(-0.35, 1.35)
    axes.set_xticks([0, 1], ["left", "right"])
    axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
    axes.set_xlabel("side of the target")
    axes.set_ylabel("mean AD (°)")
    axes.grid(visible=True, axis="y")
    canvas.legend(axes)
    return axes


def _p_of(design: Design) -> float | None:
    """The p value of the gap between the sides."""
    if len(design.results) == 1:
        found = design.evaluations[0].metrics.get("hemifield_gap_p")
        return None if found is None else float(found)
    kept: Sequence[Any] = [result.predictions for result in design.results]
    if any(one is None for one in kept):
        return None
    ad = np.mean(
        [counted(angular_distance(one["directions"], one["targets"])) for one in kept], axis=0
    )
    lateral = lateral_angle(kept[0]["targets"].astype(float))
    return hemifield_gap(ad, lateral, kept[0]["sounds"])[1]
