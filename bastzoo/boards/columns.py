"""The columns that a detailed table can have, and the user's choice of them.

A column gives every row a text for people and one or more fields for machines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bastzoo.boards.rows import Row, mean
from bastzoo.boards.tables import BUSY, degrees, percent
from bastzoo.errors import SetupError, unknown_name
from bastzoo.experiment import Combination
from bastzoo.metrics.catalogue import BUILT_IN
from bastzoo.records.record import RunRecord, Validation

Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    key: what users type.
    header: what stands above it in a table for people.
    fields: what a machine reads: name -> value, in full precision; the first is what sorts.
    text: what people read.
    is_text: words, which go to the left.
    of_baselines: whether a baseline has it.
    by_definition: the figure of perfect lateral position without front-back information.
    """

    key: str
    header: str
    fields: Callable[[Row], dict[str, Value]]
    text: Callable[[Row], str]
    is_text: bool = False
    of_baselines: bool = False
    by_definition: float | None = None

    def value(self, row: Row) -> Value:
        """What rows are sorted by."""
        return next(iter(self.fields(row).values()))


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """What a user wants to see. columns: None for the usual ones; sort: None for AD."""

    columns: tuple[Column, ...] | None = None
    sort: Column | None = None
    descending: bool = False

    @classmethod
    def of(cls, columns: str | None = None, sort: str | None = None) -> ColumnChoice:
        """Read `a,b,c` and `COLUMN` or `-COLUMN`. Raises SetupError for an unknown column."""
        chosen = None
        if columns is not None:
            names = [name.strip().lower() for name in columns.split(",")]
            chosen = tuple(find_column(name) for name in dict.fromkeys(names))
        if sort is None:
            return cls(columns=chosen)
        by = sort.strip()
        return cls(chosen, find_column(by.removeprefix("-")), by.startswith("-"))

    def shown(self, models: Sequence[Row]) -> list[Column]:
        """The columns of the models' table. The seeds are told where there are several."""
        if self.columns is not None:
            return list(self.columns)
        several = any(len(row.records) > 1 for row in models)
        usual = [COLUMNS[key] for key in _USUAL if several or key not in _OF_SEVERAL_SEEDS]
        return [*usual, *figures_of_heads(models)]

    def sorted(self, models: Sequence[Row]) -> list[Row]:
        """Rows in the wanted order; those without a value come last, equal ones stay as they are."""
        if self.sort is None:
            return list(models)
        values = [self.sort.value(row) for row in models]
        known = [i for i, value in enumerate(values) if value is not None]
        order = sorted(known, key=lambda i: _sort_key(values[i]), reverse=self.descending)
        unknown = [i for i, value in enumerate(values) if value is None]
        return [models[i] for i in (*order, *unknown)]


def find_column(name: str) -> Column:
    """Look a column up, without case. Raises SetupError for an unknown name.

    `time-to-10` and `macs-to-10`, with any AD in degrees, are columns too.
    """
    if name.lower() not in COLUMNS:
        if found := re.fullmatch(r"(time|macs)-to-(\d{1,3}(?:\.\d{1,3})?)", name.lower()):
            return _to_reach(found[1], found[2])
        for metric in BUILT_IN:
            if (figure := metric.figures.get(name.lower())) is not None:
                return _metric(
                    name.lower(), *_words_and_form(figure.words, figure.unit, name.lower())
                )
        raise SetupError(unknown_name("column", name, [*COLUMNS, "time-to-10", "macs-to-10"]))
    return COLUMNS[name.lower()]


def figures_of_heads(models: Sequence[Row]) -> list[Column]:
    """A column for each figure of what only some heads answer, as the records themselves define it."""
    found: dict[str, Column] = {}
    for row in models:
        for record in row.records:
            told = record.evaluation.definitions if record.evaluation else {}
            for name, figure in told.items():
                if figure.of_head and name not in found:
                    found[name] = _metric(name, *_words_and_form(figure.words, figure.unit, name))
    return list(found.values())


def _words_and_form(
    words: str, unit: str, name: str
) -> tuple[str, str, Callable[[float | None], str]]:
    """What `_metric` takes of a figure: header, name in the record, how it is written."""
    header = words[:1].upper() + words[1:]
    if unit in ("°", "%"):
        return header, name, degrees if unit == "°" else percent
    return header, name, lambda value: _shown(value, lambda x: f"{x:.3g} {unit}".rstrip())


def _sort_key(value: Value) -> tuple[float, str]:
    return (0.0, value) if isinstance(value, str) else (float(value or 0), "")


def _metric(
    key: str,
    header: str,
    name: str,
    show: Callable[[float | None], str],
    by_definition: float | None = None,
) -> Column:
    return Column(
        key,
        header,
        lambda row: {name: row.metric(name)},
        lambda row: show(row.metric(name)),
        of_baselines=True,
        by_definition=by_definition,
    )


def _words(key: str, header: str, value: Callable[[Row], str | None]) -> Column:
    field = key.replace("-", "_")
    return Column(
        key,
        header,
        lambda row: {field: value(row)},
        lambda row: value(row) or "-",
        is_text=True,
    )


def _cost(key: str, header: str, field: str, name: str, show: Callable[[float], str]) -> Column:
    return Column(
        key,
        header,
        lambda row: {field: _cost_of(row, name)},
        lambda row: _shown(_cost_of(row, name), show),
    )


def _cost_of(row: Row, name: str) -> float | int | None:
    """A figure of `Cost`, the mean over the seeds, which differ in what the clock measured only."""
    found = [getattr(record.cost, name) for record in row.records if record.cost is not None]
    alike = found and all(each == found[0] for each in found)
    return found[0] if alike else mean(found)


def _was_busy(row: Row) -> bool | None:
    """Whether the machine did other work while a latency was measured; None where nobody knows."""
    told = [record.cost.busy for record in row.records if record.cost is not None]
    return None if not told or None in told else any(told)


def _to_reach(what: str, ad: str) -> Column:
    """What training cost until a validation's AD was at most so many degrees: `_SPENT` says of what.

    The mean over the seeds; nothing where one of them never came so far, or did not keep its validations.
    """
    words, unit, spent, show = _SPENT[what]

    def value(row: Row) -> float | None:
        found = []
        for record in row.records:
            reached = record.training.reached(float(ad)) if record.training is not None else None
            if reached is not None and (cost := spent(record, reached)) is not None:
                found.append(cost)
        return mean(found) if len(found) == len(row.records) else None

    field = f"{what}_to_{ad.replace('.', '_')}{unit}"
    return Column(
        f"{what}-to-{ad}",
        f"{words} to {ad}°",
        lambda row: {field: value(row)},
        lambda row: _shown(value(row), show),
    )


def _macs_until(record: RunRecord, reached: Validation) -> float | None:
    """MACs of a clip forward (a step costs about three times that), times the clips trained on until then."""
    if record.cost is None or record.experiment is None:
        return None
    return float(record.cost.macs) * reached.step * record.experiment.preset.recipe.batch


_SPENT: Mapping[
    str,
    tuple[str, str, Callable[[RunRecord, Validation], float | None], Callable[[float], str]],
] = {
    "time": ("Time", "_s", lambda record, reached: reached.seconds, lambda x: f"{x:.0f} s"),
    "macs": ("MACs", "", _macs_until, lambda x: f"{x / 1e12:,.2f} T"),
}


def _shown(value: float | None, show: Callable[[float], str]) -> str:
    return "-" if value is None else show(value)


def _trained(row: Row) -> float | None:
    return mean([record.training.seconds for record in row.records if record.training is not None])


def _ad(row: Row) -> dict[str, Value]:
    low, high = row.interval or (None, None)
    return {"ad_mean": row.metric("ad_mean"), "ad_low": low, "ad_high": high}


def _ad_text(row: Row) -> str:
    figure = degrees(row.metric("ad_mean"))
    return f"{figure} ({row.interval.words()})" if row.interval else figure


def _rank(row: Row) -> int | None:
    return row.standing.rank if row.standing else None


def _rank_words(row: Row) -> str:
    return row.standing.words if row.standing else "-"


def _chosen(pick: Callable[[Combination], str]) -> Callable[[Row], str | None]:
    return lambda row: pick(row.first.experiment.combination) if row.first.experiment else None


def _rounded(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _spread_text(row: Row) -> str:
    return _shown(row.spread("ad_mean"), lambda value: f"± {value:.2f}")


_ALL = (
    Column("rank", "Rank", lambda row: {"rank": _rank(row)}, _rank_words),
    _words("model", "Model", lambda row: row.labels[0]),
    _words("loss", "Loss", lambda row: row.labels[1]),
    _words("integration", "Integ.", lambda row: row.labels[2]),
    Column("ad", "AD (95 %)", _ad, _ad_text, of_baselines=True, by_definition=45.0),
    Column(
        "seeds",
        "Seeds",
        lambda row: {"seeds": len(row.records) if row.first.experiment else None},
        lambda row: str(len(row.records)) if row.first.experiment else "-",
    ),
    Column(
        "seed-sd",
        "Over seeds",
        lambda row: {"ad_seed_sd": row.spread("ad_mean")},
        _spread_text,
    ),
    _metric("median", "Median", "ad_median", degrees),
    _metric("p90", "90th percentile", "ad_p90", degrees),
    _metric("mse", "MSE", "mse", _rounded),
    _metric("acc5", "ACC@5", "acc_5", percent),
    _metric("acc10", "ACC@10", "acc_10", percent),
    _metric("acc20", "ACC@20", "acc_20", percent),
    _metric("lateral", "Lateral", "lateral_error", degrees, by_definition=0.0),
    _metric("front-back", "Front-back", "front_back_rate", percent, by_definition=0.5),
    _metric("left-right", "Left-right", "left_right_rate", percent),
    _metric("folded-ad", "Folded AD", "folded_ad", degrees),
    _metric("hemifield-gap", "Hemifield gap", "hemifield_gap", degrees),
    _metric("elevation", "Elevation", "elevation_error", degrees),
    _metric("calibration", "Calibration error", "calibration_error", percent),
    _metric("radius", "50 % radius", "radius_50", degrees),
    _cost("parameters", "Parameters", "parameters", "parameters", lambda n: f"{n / 1e3:,.0f} k"),
    _cost("macs", "MACs", "macs", "macs", lambda n: f"{n / 1e6:,.1f} M"),
    Column(
        "latency",
        "Latency",
        lambda row: {"latency_ms": _cost_of(row, "latency_p50_ms"), "latency_busy": _was_busy(row)},
        lambda row: (
            _shown(_cost_of(row, "latency_p50_ms"), lambda ms: f"{ms:.1f} ms")
            + BUSY * bool(_was_busy(row))
        ),
    ),
    Column(
        "trained",
        "Trained",
        lambda row: {"trained_s": _trained(row)},
        lambda row: _shown(_trained(row), lambda seconds: f"{seconds:.0f} s"),
    ),
    _words("environment", "Environment", lambda row: row.first.tested.environment),
    _words("head", "Head", _chosen(lambda combination: combination.head)),
    _words("frontend", "Frontend", _chosen(lambda combination: combination.frontend)),
    _words("sharing", "Sharing", _chosen(lambda combination: combination.sharing)),
    _words("backbone", "Backbone", _chosen(lambda combination: combination.backbone)),
    _words("key", "Key", lambda row: " ".join(record.key for record in row.records)),
)

COLUMNS: Mapping[str, Column] = {column.key: column for column in _ALL}
"""All columns by the name that users type."""

_USUAL = (
    *("rank", "model", "loss", "integration", "ad", "seeds", "seed-sd", "median", "acc10"),
    *("lateral", "front-back", "parameters", "macs", "latency", "trained"),
)
_OF_SEVERAL_SEEDS = ("seeds", "seed-sd")
