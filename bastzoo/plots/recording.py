"""A picture of what a localizer heard: azimuth and level against time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bastzoo.errors import SetupError
from bastzoo.models.listening.segments import UNSURE, trusted
from bastzoo.models.localizer import CONFIDENT_WITHIN, Prediction
from bastzoo.plots.style import check_matplotlib

FORMATS = (".svg", ".png", ".pdf")

_LEFT, _RIGHT, _UNSURE = "#0b6e99", "#c2571a", "#b8b8b8"
_LOWEST_DB = -80.0
_SIZE, _TEXT = (8, 4.2), 9  # inches, points


def check_picture(path: Path) -> None:
    """Raise SetupError for a picture that cannot be drawn: its format, its folder, a missing library."""
    if path.suffix.lower() not in FORMATS:
        raise SetupError(f"{str(path)!r} is no picture; end its name in {', '.join(FORMATS)}.")
    if not path.absolute().parent.is_dir():
        raise SetupError(f"There is no folder {str(path.absolute().parent)!r} to draw into.")
    check_matplotlib()


def azimuth_over_time(prediction: Prediction, *, figure: Any = None) -> list[Any]:
    """Azimuth against time, the left side above, and below it the level of each ear in dB of full scale.

    Coloured dots are windows that the model is sure of, larger the surer; grey ones are unsure, and silent
    windows have none. figure: one to draw into; None for a new one of pyplot's, which a notebook shows.
    Returns the two axes. Raises SetupError where matplotlib is missing.

    >>> import numpy as np, bastzoo as bz
    >>> ears = np.random.default_rng(0).normal(size=(2, 16_000)) * 0.1
    >>> above, below = bz.plot.azimuth_over_time(bz.load()(ears, rate=16_000))
    """
    check_matplotlib()
    import matplotlib

    if figure is None:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=_SIZE, layout="constrained")
    with matplotlib.rc_context({"font.size": _TEXT}):
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _draw_azimuth(above, prediction)
        _draw_levels(below, prediction)
    half = prediction.window_seconds / 2
    below.set_xlim(prediction.times[0] - half, prediction.times[-1] + half)
    return [above, below]


def draw(prediction: Prediction, path: Path, *, title: str = "") -> None:
    """Write the picture of `azimuth_over_time`. Raises SetupError as `check_picture` does."""
    check_picture(path)
    import matplotlib
    from matplotlib.figure import Figure

    # The same file every time: no date, no random ids.
    settings: Any = {"svg.hashsalt": "bastzoo", "svg.fonttype": "none", "font.size": _TEXT}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=_SIZE, layout="constrained")
        above, _ = azimuth_over_time(prediction, figure=figure)
        if title:
            above.set_title(title, loc="left", fontsize=10)
        metadata: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(
            path.suffix.lower(), {}
        )
        figure.savefig(path, dpi=150, metadata=metadata)


def _draw_azimuth(axes: Any, prediction: Prediction) -> None:
    azimuth, sure = prediction.azimuth, trusted(prediction)
    unsure = prediction.heard & ~sure
    confidence = prediction.confidence
    size = np.full(len(prediction), 30.0)
    if confidence is not None:
        size = 8 + 40 * np.nan_to_num(confidence) ** 2
    left = azimuth > 0
    axes.axhspan(90, 180, color="0.96", lw=0)
    axes.axhspan(-180, -90, color="0.96", lw=0)
    for level in (-90, 0, 90):
        axes.axhline(level, color="0.85", lw=0.7, zorder=0)
    groups = [
        (sure & left, _LEFT, "left"),
        (sure & ~left, _RIGHT, "right"),
        (unsure, _UNSURE, f"unsure (under {UNSURE:.0%} within {CONFIDENT_WITHIN:.0f}°)"),
    ]
    for rows, colour, label in groups:
        if rows.any():
            axes.scatter(
                prediction.times[rows], azimuth[rows], s=size[rows], color=colour, label=label, lw=0
            )
    axes.set_ylim(-180, 180)
    axes.set_yticks([-180, -90, 0, 90, 180], ["behind", "right", "front", "left", "behind"])
    axes.set_ylabel("azimuth")
    axes.spines[["top", "right"]].set_visible(False)
    if prediction.heard.any():
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=3,
            frameon=False,
            fontsize=8,
            markerscale=0.9,
        )


def _draw_levels(axes: Any, prediction: Prediction) -> None:
    level = np.maximum(prediction.level, _LOWEST_DB)
    axes.plot(prediction.times, level[:, 0], color=_LEFT, lw=1, label="left ear")
    axes.plot(prediction.times, level[:, 1], color=_RIGHT, lw=1, label="right ear")
    axes.set_ylabel("level (dBFS)")
    axes.set_xlabel("time (s)")
    axes.spines[["top", "right"]].set_visible(False)
    low, high = float(level.min()), float(level.max())
    axes.set_ylim(low - 3, high + 3)
