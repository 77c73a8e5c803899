"""What every picture begins from: the designs, their looks, and a figure of the right size."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from bastzoo.plots.results import Design, designs, results_of, shared_parts
from bastzoo.plots.style import Look, Style, check_matplotlib, drawing, looks, style_named

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Canvas:
    """Where a picture is drawn. figure: a matplotlib Figure, or part of one."""

    figure: Any
    designs: Sequence[Design]
    looks: Sequence[Look]
    style: Style
    may_resize: bool

    def axes(
        self,
        *,
        panels: int = 1,
        across: int = 2,
        width: float = 1.0,
        height: float = 0.75,
        **how: Any,
    ) -> list[Any]:
        """One axes for each panel, in rows of `across`.

        width: of a row, in columns of the style; height: of a panel, as a share of its width.
        how: for `Figure.subplots` (subplot_kw, sharex, ...).
        """
        across = min(across, panels)
        down = -(-panels // across)
        if self.may_resize:
            whole = self.style.column * width
            self.figure.set_size_inches(whole, height * whole / across * down)
        grid = self.figure.subplots(down, across, squeeze=False, **how).ravel()
        for spare in grid[panels:]:
            spare.set_visible(False)
        return [*grid[:panels]]

    def legend(self, axes: Any, *, handles: Any = None) -> None:
        """A legend below all panels, where it hides no data; none for a single design."""
        entries = axes.get_legend_handles_labels() if handles is None else handles
        if not entries[0]:
            return
        models = [design.label for design in self.designs if "backbone" in design.parts]
        has_models = any(label.startswith(model) for label in entries[1] for model in models)
        shared = shared_parts(self.designs) if has_models else ""
        title = f"models: {shared}" if shared else ""
        longest = max(map(len, entries[1]))
        room = 50 if not self.may_resize else 50 * self.figure.get_figwidth() / self.style.column
        columns = int(max(1, min(len(entries[0]), room // (longest + 7))))
        self.figure.legend(
            *entries,
            loc="outside lower center",
            ncols=columns,
            title=title or None,
            title_fontsize=0.88 * self.style.text,
        )
        if self.may_resize:  # below the picture, not out of it
            rows = -(-len(entries[0]) // columns) + bool(title)
            width, height = self.figure.get_size_inches()
            self.figure.set_size_inches(width, height + rows * 1.45 * self.style.text / 72)

    def pairs(self) -> zip[tuple[Design, Look]]:
        """Each design with its look."""
        return zip(self.designs, self.looks, strict=True)


def picture(draw: Callable[[Canvas], Drawn]) -> Callable[..., Drawn]:
    """Make a function of a canvas one of runs: `f(runs, figure=None, style="paper")`.

    figure: one to draw into, or a part of one (`Figure.subfigures`); None for a new one of pyplot's, which a
    notebook shows. Raises NothingToDrawError where the runs do not hold what it draws.
    """

    @functools.wraps(draw)
    def drawn(runs: Any, *, figure: Any = None, style: str = "paper") -> Drawn:
        check_matplotlib()
        found = designs(results_of(runs))
        looked = style_named(style)
        if made := figure is None:
            from matplotlib import pyplot

            # Outside the settings below: a notebook's backend sets some for good with the first figure.
            figure = pyplot.figure(layout="constrained", facecolor=looked.paper)
        with drawing(looked):
            try:
                return draw(
                    Canvas(
                        figure,
                        found,
                        looks(found, looked),
                        looked,
                        hasattr(figure, "set_size_inches"),
                    )
                )
            except Exception:
                if made:
                    pyplot.close(figure)
                raise

    del drawn.__wrapped__  # its signature is the one above
    return drawn


def by_seed_mean(rows: Sequence[np.ndarray]) -> np.ndarray:
    """The mean over seeds, leaving out what one has not."""
    stacked = np.array(rows, dtype=np.float64)
    known = np.isfinite(stacked)
    counts = known.sum(axis=0)
    sums = np.where(known, stacked, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
