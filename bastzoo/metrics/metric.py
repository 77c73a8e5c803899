"""What a metric is: figures with words, units and a direction, computed from what was answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from bastzoo.errors import ComponentError

Arrays = Mapping[str, np.ndarray]
Figures = dict[str, float | int | None]

GIVEN = ("directions", "targets", "sounds", "rooms")
"""The arrays that every answer has."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a metric.

    words: what it is called in tables. definition: one sentence that says how it is computed.
    unit: `°`, `m`, `%` (then the number is a share, 0 to 1), or empty. better: which way is better.
    """

    words: str
    definition: str
    unit: str = ""
    better: Literal["lower", "higher", ""] = "lower"


@dataclass(frozen=True, slots=True)
class Metric:
    """Figures that are computed together.

    figures: by the name that they have in records. compute: from arrays by name to those figures, None for
    one that the data does not define; it is called for all answers, and for those of each room.
    needs: the arrays it reads beside `directions` and `targets` `[n, 3]`, `sounds` and `rooms` `[n]`; it is
    computed where they are all there.
    version: raised when a figure's definition changes; records keep it.
    first: whether it was there before records said what their figures mean: then they say so only of figures
    that `changed` names for these arrays.
    tables: from all arrays and the names of the classes to further parts of a record's evaluation.
    """

    figures: Mapping[str, Figure]
    compute: Callable[[Arrays], Figures]
    needs: tuple[str, ...] = ()
    version: int = 1
    first: bool = False
    changed: Callable[[Arrays], Sequence[str]] = lambda arrays: ()
    tables: Callable[[Arrays, Sequence[str]], dict[str, Any]] | None = None

    def fits(self, arrays: Arrays) -> bool:
        """Whether all that it reads was answered."""
        return all(name in arrays for name in self.needs)


def figures(metrics: Sequence[Metric], arrays: Arrays) -> Figures:
    """The figures of all metrics, one after the other; a later one of the same name counts.

    Raises ComponentError for a figure that its metric does not define.
    """
    found: Figures = {}
    for metric in metrics:
        own = dict(metric.compute(arrays))
        if unknown := sorted(set(own) - set(metric.figures)):
            raise ComponentError(
                f"A metric computes {', '.join(unknown)}, which its `figures` do not define; it defines "
                f"{', '.join(metric.figures)}."
            )
        found |= own
    return found


def definitions(metrics: Sequence[Metric], arrays: Arrays) -> dict[str, dict[str, Any]]:
    """What a reader of a record has to be told of its figures: those that are not the protocol's first.

    `of_head`: whether the figure is of something that only some heads answer.
    """
    return {
        name: {**asdict(figure), "version": metric.version, "of_head": bool(metric.needs)}
        for metric in metrics
        for name, figure in metric.figures.items()
        if not metric.first or name in metric.changed(arrays)
    }
