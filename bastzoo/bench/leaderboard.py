"""Leaderboards: markdown tables that are a pure function of run records.

The same records give the same bytes, in whatever order they come.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

import numpy as np

from bastzoo.bench.record import RunRecord
from bastzoo.bench.statistics import Interval, bootstrap_mean_interval, shared_ranks
from bastzoo.bench.tables import (
    INTEGRATIONS,
    LOSSES,
    PAPER_COLUMNS,
    again,
    data_words,
    degrees,
    labels,
    markdown,
    papers_order,
    percent,
)
from bastzoo.experiment import Experiment, digest

_PUBLISHED = {"bast_mamba_ad.csv": "mamba", "bast_vit_ad.csv": "vanilla"}


@dataclass(frozen=True)
class Row:
    """The runs of one combination (or one baseline) on one environment: one record a seed."""

    records: tuple[RunRecord, ...]

    @property
    def first(self) -> RunRecord:
        """Any of the records, for what they share."""
        return self.records[0]

    @property
    def labels(self) -> tuple[str, str, str]:
        """Model, loss and integration, as the papers write them."""
        assert self.first.experiment is not None
        return labels(self.first.experiment)

    def metric(self, name: str) -> float | None:
        """A metric's mean over the seeds."""
        values = [r.evaluation.metrics.get(name) for r in self.records if r.evaluation is not None]
        known = [float(value) for value in values if value is not None]
        return float(np.mean(known)) if known else None

    @property
    def means(self) -> np.ndarray:
        """Mean AD of every test sound, `[seeds, sounds]`: what the bootstrap resamples."""
        return np.array(
            [r.evaluation.by_sound["ad_mean"] for r in self.records if r.evaluation is not None]
        )

    @property
    def counts(self) -> np.ndarray:
        """Clips of every test sound, `[sounds]`."""
        assert self.first.evaluation is not None
        return np.array(self.first.evaluation.by_sound["clips"])

    @cached_property
    def interval(self) -> Interval:
        """The 95 % interval of the mean AD, by bootstrap over sounds."""
        return bootstrap_mean_interval(self.means, self.counts)


def render_leaderboard(records: Iterable[RunRecord], title: str = "Leaderboard") -> str:
    """Write the leaderboard of finished runs: one part for each environment, preset and data set.

    Results of different data, presets or protocols are never ranked together.
    """
    ordered = sorted((r for r in records if r.status == "finished"), key=lambda r: r.name)
    parts: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in ordered:
        if record.experiment is not None:
            parts.setdefault(_part(record.experiment, record.protocol_version), []).append(record)
    lines = [f"# {title}", ""]
    for key in sorted(parts):
        baselines = [r for r in ordered if r.baseline is not None and key[:3] == _heard(r)]
        lines += _render_part(parts[key], baselines)
    return "\n".join(lines).rstrip() + "\n"


def _part(experiment: Experiment, protocol: int) -> tuple[str, ...]:
    """What rows of one table share: environment, data, protocol, and the whole preset and precision."""
    preset = experiment.preset.model_dump(mode="json", exclude={"summary", "parameters"})
    return (
        experiment.environment,
        experiment.data_digest,
        str(protocol),
        experiment.preset.name,
        experiment.precision,
        digest(preset),
    )


def _heard(record: RunRecord) -> tuple[str, ...]:
    """What a baseline shares with the models beside it, the first three of `_part`: the clips."""
    assert record.baseline is not None
    baseline = record.baseline
    return (baseline.environment, baseline.data_digest, str(record.protocol_version))


def _render_part(runs: list[RunRecord], baseline_runs: list[RunRecord]) -> list[str]:
    models, baselines = _rows(runs), _rows(baseline_runs)
    return [
        *_introduction(models),
        "## Angular distance, as the papers print it",
        "",
        markdown([[*row.labels, degrees(row.metric("ad_mean"))] for row in models], PAPER_COLUMNS),
        "",
        "## In detail",
        "",
        "Sorted by AD, with its 95 % interval (bootstrap over sounds); rows share a rank where the",
        "interval of their paired difference includes zero.",
        "",
        _details(models),
        "",
        "## Baselines on the same clips",
        "",
        _baselines(baselines),
        "",
        *_published(models),
        *again([*runs, *baseline_runs]),
    ]


def _rows(records: Iterable[RunRecord]) -> list[Row]:
    """Group the seeds of one experiment, in the papers' order: model, loss, integration.

    What differs in anything but the seed, a component's version say, is a row of its own.
    """
    grouped: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in records:
        if record.experiment is not None:
            chosen = record.experiment.combination
            order = (chosen.backbone, chosen.sharing, chosen.loss, chosen.integration)
            rest = (chosen.head, chosen.frontend)
            same = record.experiment.model_copy(update={"seed": 0}).key
            grouped.setdefault((*order, *rest, same), []).append(record)
        elif record.baseline is not None:
            grouped.setdefault((record.baseline.component.name, record.key), []).append(record)
    return [Row(tuple(grouped[key])) for key in sorted(grouped, key=papers_order)]


def _introduction(models: Sequence[Row]) -> list[str]:
    experiment, evaluation = models[0].first.experiment, models[0].first.evaluation
    assert experiment is not None
    assert evaluation is not None
    seeds = sorted({r.experiment.seed for row in models for r in row.records if r.experiment})
    rooms = ", ".join(evaluation.by_room)
    return [
        f"Environment {experiment.environment} ({rooms}), preset `{experiment.preset.name}`"
        f"{'' if experiment.precision == 'no' else f' in {experiment.precision}'}, "
        f"{evaluation.clips:,} test clips: {data_words(experiment, evaluation)}; "
        f"seed{'s' if len(seeds) > 1 else ''} "
        f"{', '.join(map(str, seeds))}; protocol {models[0].first.protocol_version}. "
        "AD is the mean angular distance, in degrees.",
        "",
    ]


def _details(models: Sequence[Row]) -> str:
    ordered = sorted(models, key=lambda row: (row.metric("ad_mean") or 0.0, row.labels))
    ranks = shared_ranks([row.means for row in ordered], ordered[0].counts)
    table = [
        [
            rank,
            *row.labels,
            f"{degrees(row.metric('ad_mean'))} ({row.interval.low:.2f} to {row.interval.high:.2f})",
            degrees(row.metric("ad_median")),
            percent(row.metric("acc_10")),
            degrees(row.metric("lateral_error")),
            percent(row.metric("front_back_rate")),
            *_costs(row),
        ]
        for rank, row in zip(ranks, ordered, strict=True)
    ]
    columns = ["Rank", "Model", "Loss", "Integ.", "AD (95 %)", "Median", "ACC@10", "Lateral"]
    return markdown(table, [*columns, "Front-back", "Parameters", "MACs", "Latency", "Trained"])


def _costs(row: Row) -> list[str]:
    cost = row.first.cost
    seconds = [r.training.seconds for r in row.records if r.training is not None]
    if cost is None or not seconds:
        return ["-", "-", "-", "-"]
    return [
        f"{cost.parameters / 1e3:,.0f} k",
        f"{cost.macs / 1e6:,.1f} M",
        f"{cost.latency_p50_ms:.1f} ms",
        f"{np.mean(seconds):.0f} s",
    ]


def _baselines(baselines: Sequence[Row]) -> str:
    measured = [
        [
            row.first.baseline.component.name if row.first.baseline else "",
            f"{degrees(row.metric('ad_mean'))} ({row.interval.low:.2f} to {row.interval.high:.2f})",
            degrees(row.metric("ad_median")),
            percent(row.metric("acc_10")),
            degrees(row.metric("lateral_error")),
            percent(row.metric("front_back_rate")),
        ]
        for row in sorted(baselines, key=lambda row: -(row.metric("ad_mean") or 0.0))
    ]
    known = ["exact lateral position, front-back by chance (by definition)", "45.00°"]
    table = [*measured, [*known, "-", "-", "0.00°", "50.0 %"]]
    return markdown(table, ["Method", "AD (95 %)", "Median", "ACC@10", "Lateral", "Front-back"])


def _published(models: Sequence[Row]) -> list[str]:
    """The papers' figures for the combinations of this table, marked as other data."""
    wanted = set()
    for row in models:
        experiment = row.first.experiment
        if experiment is not None and experiment.environment == "RI":
            chosen = experiment.combination
            wanted.add((chosen.backbone, chosen.sharing, chosen.loss, chosen.integration))
    table = []
    for file, backbone in _PUBLISHED.items():
        text = (resources.files("bastzoo") / "assets" / "published" / file).read_text()
        for line in csv.DictReader(text.splitlines()):
            key = (backbone, line["sharing"], line["loss"], line["integration"])
            if key in wanted:
                labels = LOSSES.get(key[2], key[2]), INTEGRATIONS[key[3]]
                table.append([f"{line['model']}-{line['sharing']}", *labels, f"{line['ad_deg']}°"])
    if not table:
        return []
    return [
        "## Published, on other data",
        "",
        "The papers' own figures for these combinations, on their private recordings with one run",
        "each: not comparable with the rows above (README of ShengKuangCN/BAST; arXiv:2207.03927).",
        "",
        markdown(table, PAPER_COLUMNS),
        "",
    ]
