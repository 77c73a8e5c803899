"""Accuracy against cost: where each model of a board lies, and which of them no other one beats in both."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from bastzoo.boards.rows import mean
from bastzoo.site.view import Board, SiteRow

WIDTH, HEIGHT = 560, 330
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 12, 48

BACKBONES = ("vanilla", "swin", "mamba", "conv", "cnn", "waveloc")
"""Backbones with a colour of their own (the style sheet's), also in the reports; others share one."""


@dataclass(frozen=True)
class Point:
    """One model, where it is drawn. number: its place on the front, 0 for none; label: beside it or not."""

    row: SiteRow
    x: float
    y: float
    cost: str
    ad: float
    colour: str
    number: int = 0
    label: bool = False


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Plot:
    """A picture of one cost. front: the points on the Pareto front, by cost; steps: its line."""

    cost: str
    points: list[Point]
    front: list[Point]
    steps: str
    across: list[Tick]
    up: list[Tick]
    colours: list[str]


def _of_cost(name: str) -> Callable[[SiteRow], float | None]:
    def value(row: SiteRow) -> float | None:
        return mean([float(getattr(r.cost, name)) for r in row.records if r.cost is not None])

    return value


_COSTS: tuple[tuple[str, Callable[[SiteRow], float | None], Callable[[float], str]], ...] = (
    ("MACs a clip", _of_cost("macs"), lambda n: f"{n / 1e6:,.4g} M"),
    ("Latency of a clip", _of_cost("latency_p50_ms"), lambda ms: f"{ms:,.3g} ms"),
    ("Parameters", _of_cost("parameters"), lambda n: f"{n / 1e3:,.4g} k"),
)


def plots_of(board: Board) -> list[Plot]:
    """A picture for each cost that two models at least have."""
    found = []
    for name, value, words in _COSTS:
        rows = [(row, value(row), _ad(row)) for row in board.models]
        known = [(row, cost, ad) for row, cost, ad in rows if cost and ad is not None]
        if len(known) > 1:
            found.append(_plot(name, known, words))
    return found


def front_of(costs: Sequence[float], errors: Sequence[float]) -> list[int]:
    """Which of the points no other one beats in both cost and error, by cost.

    >>> front_of([1.0, 2.0, 3.0], [5.0, 6.0, 4.0])
    [0, 2]
    """
    found: list[int] = []
    for index in sorted(range(len(costs)), key=lambda i: (costs[i], errors[i])):
        if not found or errors[index] < errors[found[-1]]:
            found.append(index)
    return found


def _ad(row: SiteRow) -> float | None:
    """What ranks the row: mean AD over its tests."""
    return mean([test.ad for test in row.tests if test.ad is not None])


def _plot(
    name: str, known: Sequence[tuple[SiteRow, float, float]], words: Callable[[float], str]
) -> Plot:
    costs, errors = [cost for _, cost, _ in known], [ad for _, _, ad in known]
    low, high = math.log10(min(costs)), math.log10(max(costs))
    edge = max(0.05 * (high - low), 0.05)
    low, high = low - edge, high + edge
    step = next(s for s in (0.5, 1, 2, 5, 10, 20, 50) if s * 6 >= max(errors) or s == 50)
    top = (math.floor(max(errors) / step) + 1) * step

    def across(cost: float) -> float:
        return LEFT + (math.log10(cost) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def up(error: float) -> float:
        return HEIGHT - BOTTOM - error / top * (HEIGHT - TOP - BOTTOM)

    front = front_of(costs, errors)
    points, last = [], (-100.0, -100.0)
    for index, (row, cost, ad) in enumerate(known):
        number = front.index(index) + 1 if index in front else 0
        colour = row.facets.get("backbone", "").lower().removesuffix("-stem")
        colour = colour if colour in BACKBONES else "other"
        points.append(
            Point(row, round(across(cost), 1), round(up(ad), 1), words(cost), ad, colour, number)
        )
    on_front = []
    for index in front:
        point = points[index]
        is_clear = math.dist(last, (point.x, point.y)) > 14
        on_front.append(replace(point, label=is_clear))
        if is_clear:
            last = point.x, point.y
    steps = f"M{on_front[0].x} {TOP}" + "".join(f"V{p.y}H{q.x}" for p, q in pairwise(on_front))
    steps += f"V{on_front[-1].y}H{WIDTH - RIGHT}"
    return Plot(
        cost=name,
        points=[point for point in points if not point.number],
        front=on_front,
        steps=steps,
        across=[
            Tick(round(across(tick), 1), words(tick)) for tick in _round_costs(10**low, 10**high)
        ],
        up=[Tick(round(up(k * step), 1), f"{k * step:g}°") for k in range(round(top / step) + 1)],
        colours=[
            name
            for name in (*BACKBONES, "other")
            if any(point.colour == name for point in (*points, *on_front))
        ],
    )


def _round_costs(low: float, high: float) -> list[float]:
    """Round numbers between two costs, six at most: even steps, over a wide range 1, 2, 5, 10, ..."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    if high / low < 6:
        steps = (d * 10.0**p for p in powers for d in (1, 2, 5))
        step = next(step for step in steps if (high - low) / step <= 5)
        return [
            k * step
            for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
        ]
    found: list[float] = []
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [d * 10.0**p for p in powers for d in digits if low <= d * 10.0**p <= high]
        if len(found) <= 6:
            break
    return found
