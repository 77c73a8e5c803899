"""Tables of tracks: designs down, cases across; like every table a pure function of records."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from bastzoo.bench.record import TrackRecord
from bastzoo.bench.statistics import bootstrap_mean_interval, shared_ranks
from bastzoo.bench.tables import (
    INTEGRATIONS,
    LOSSES,
    again,
    degrees,
    labels,
    markdown,
    papers_order,
    percent,
)
from bastzoo.experiment import digest


@dataclass(frozen=True)
class _Row:
    """The results of one design, trained under one condition: one record a seed."""

    records: tuple[TrackRecord, ...]

    @property
    def first(self) -> TrackRecord:
        """Any of the records, for what they share."""
        return self.records[0]

    @property
    def labels(self) -> list[str]:
        """Model, loss, integration, and what it was trained on."""
        tested = self.first.tested
        heard = ", ".join(filter(None, [tested.environment, str(tested.condition)]))
        if self.first.experiment is not None:
            return [*labels(self.first.experiment), heard]
        assert self.first.baseline is not None
        return [self.first.baseline.component.name, "-", "-", heard]

    @property
    def is_model(self) -> bool:
        """Whether this is a trained model and not a baseline."""
        return self.first.experiment is not None

    def metric(self, case: int, name: str) -> float | None:
        """A metric of one case, averaged over the seeds."""
        values = [record.cases[case].evaluation.metrics.get(name) for record in self.records]
        known = [float(value) for value in values if value is not None]
        return float(np.mean(known)) if known else None

    def means(self, case: int) -> np.ndarray:
        """Mean AD of every test sound in one case, `[seeds, sounds]`."""
        return np.array([r.cases[case].evaluation.by_sound["ad_mean"] for r in self.records])

    def counts(self, case: int) -> np.ndarray:
        """Clips of every test sound in one case, `[sounds]`."""
        return np.array(self.first.cases[case].evaluation.by_sound["clips"])

    @property
    def over_cases(self) -> np.ndarray:
        """Mean over the cases of every sound's mean AD, `[seeds, sounds]`: what ranks a row."""
        return np.mean([self.means(case) for case in range(len(self.first.cases))], axis=0)


def render_track(records: Iterable[TrackRecord], question: str = "") -> str:
    """Write the leaderboard of one track: a part for each preset and for each set of test clips.

    Results of different clips, presets, versions of the track or of the protocol are never ranked
    together.
    """
    ordered = sorted(records, key=lambda r: r.name)
    name = ordered[0].track
    parts: dict[tuple[str, ...], list[TrackRecord]] = {}
    for record in ordered:
        if record.experiment is not None:
            parts.setdefault(_part(record), []).append(record)
    lines = [f"# Track {name}", ""]
    if question:
        lines += [question, ""]
    for key in sorted(parts):
        baselines = [r for r in ordered if r.baseline is not None and _clips(r) == key[:3]]
        lines += _render_part(parts[key], baselines)
    return "\n".join(lines).rstrip() + "\n"


def _clips(record: TrackRecord) -> tuple[str, ...]:
    """What models and baselines beside them share: the clips, and what is asked of them."""
    return (record.test_digest, str(record.track_version), str(record.protocol_version))


def _part(record: TrackRecord) -> tuple[str, ...]:
    """What rows of one table share: the clips, and the whole preset and precision."""
    assert record.experiment is not None
    preset = record.experiment.preset
    sizes = preset.model_dump(mode="json", exclude={"summary", "parameters"})
    return (*_clips(record), preset.name, record.experiment.precision, digest(sizes))


def _render_part(runs: list[TrackRecord], baseline_runs: list[TrackRecord]) -> list[str]:
    models, baselines = _rows(runs), _rows(baseline_runs)
    ranks = _ranks(models)
    models.sort(key=lambda row: (ranks[id(row)], float(row.over_cases.mean()), row.labels))
    baselines.sort(key=lambda row: -float(row.over_cases.mean()))
    rows = [*models, *baselines]
    cases = [case.label for case in runs[0].cases]
    several = len(cases) > 1

    def table(cell: Callable[[_Row, int], str], mean: Callable[[_Row], str] | None = None) -> str:
        lines = []
        for row in rows:
            rank = str(ranks[id(row)]) if row.is_model else "-"
            figures = [cell(row, case) for case in range(len(cases))]
            lines.append([rank, *row.labels, *figures, *([mean(row)] if mean else [])])
        columns = ["Rank", "Model", "Loss", "Integ.", "Trained on", *cases]
        return markdown(lines, [*columns, *(["Mean"] if mean else [])])

    parts = [
        *_introduction(runs, models),
        "## Angular distance",
        "",
        "Mean AD in degrees"
        + (", and its mean over the columns, which ranks the models" if several else "")
        + ". Rows share a rank where",
        "the interval of their paired difference includes zero (bootstrap over sounds); baselines have",
        "no rank.",
        "",
        table(
            lambda row, case: degrees(row.metric(case, "ad_mean")),
            (lambda row: degrees(float(row.over_cases.mean()))) if several else None,
        ),
        "",
        "## 95 % intervals",
        "",
        table(_interval),
        "",
        "## Front-back rate",
        "",
        table(lambda row, case: percent(row.metric(case, "front_back_rate"))),
        "",
    ]
    if any(row.metric(0, "elevation_error") is not None for row in models):
        parts += ["## Elevation error", ""]
        parts += [table(lambda row, case: degrees(row.metric(case, "elevation_error"))), ""]
    return [*parts, *_published(runs[0].track), *again([*runs, *baseline_runs], costs=False)]


def _interval(row: _Row, case: int) -> str:
    low, high = bootstrap_mean_interval(row.means(case), row.counts(case))
    return f"{low:.2f} to {high:.2f}"


def _rows(records: Iterable[TrackRecord]) -> list[_Row]:
    """Group the seeds of one experiment, in the papers' order."""
    grouped: dict[tuple[str, ...], list[TrackRecord]] = {}
    for record in records:
        if record.experiment is not None:
            chosen = record.experiment.combination
            order = (chosen.backbone, chosen.sharing, chosen.loss, chosen.integration)
            same = record.experiment.model_copy(update={"seed": 0}).key
            grouped.setdefault((*order, same), []).append(record)
        elif record.baseline is not None:
            grouped.setdefault((record.baseline.component.name, record.key), []).append(record)
    return [_Row(tuple(grouped[key])) for key in sorted(grouped, key=papers_order)]


def _ranks(models: Sequence[_Row]) -> dict[int, int]:
    counts = np.ones(models[0].over_cases.shape[-1], dtype=np.int64)
    ranks = shared_ranks([row.over_cases for row in models], counts)
    return {id(row): rank for row, rank in zip(models, ranks, strict=True)}


def _introduction(runs: list[TrackRecord], models: list[_Row]) -> list[str]:
    experiment = runs[0].experiment
    assert experiment is not None
    size = experiment.preset.data
    seeds = sorted({r.experiment.seed for r in runs if r.experiment is not None})
    counts = {case.label: case.evaluation.clips for case in runs[0].cases}
    if len(set(counts.values())) == 1:
        clips = f"{next(iter(counts.values())):,} test clips" + " a column" * (len(counts) > 1)
    else:
        clips = "test clips: " + ", ".join(f"{n:,} ({label})" for label, n in counts.items())
    sounds = len(runs[0].cases[0].evaluation.by_sound["sounds"])
    return [
        f"Preset `{experiment.preset.name}`"
        f"{'' if experiment.precision == 'no' else f' in {experiment.precision}'}; {clips}, "
        f"made of the same {sounds} sounds, which no model was trained on"
        f"{'' if experiment.source.layout != 'rendered' else f' (but on {size.train_sounds:,} others)'}; "
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}; "
        f"track version {runs[0].track_version}, protocol {runs[0].protocol_version}.",
        "",
    ]


def _elsewhere(design: str) -> list[str]:
    return [
        "## Published, on other data",
        "",
        f"{design}, read off the paper's figures: on the authors' private recordings, one run each,",
        "so not comparable with the rows above (README of ShengKuangCN/BAST).",
        "",
    ]


def _published(track: str) -> list[str]:
    """The paper's own figures for this track, marked as other data."""
    if track in ("snr", "snr-white"):
        lines = _csv("bast_mamba_snr.csv")
        columns = [name for name in lines[0] if name.startswith("test_")]
        headers = [_snr_label(name.removeprefix("test_")) for name in columns]
        table = [
            [_snr_label(line["train_snr_db"]), *(f"{float(line[c]):.1f}°" for c in columns)]
            for line in lines
        ]
        return [
            *_elsewhere("BAST-Mamba-SP, Hybrid, Sub."),
            markdown(table, ["Trained on", *headers]),
            "",
        ]
    if track == "duration":
        lines = _csv("bast_mamba_duration.csv")
        headers = list(dict.fromkeys(f"{line['ms']} ms" for line in lines))
        designs: dict[tuple[str, ...], list[str]] = {}
        for line in lines:
            words = (
                f"BAST-Mamba-{line['sharing']}",
                LOSSES.get(line["loss"], line["loss"]),
                INTEGRATIONS[line["integration"]],
            )
            designs.setdefault(words, []).append(f"{float(line['ad_deg']):.2f}°")
        table = [[*words, *figures] for words, figures in designs.items()]
        return [
            *_elsewhere("BAST-Mamba"),
            markdown(table, ["Model", "Loss", "Integ.", *headers]),
            "",
        ]
    return []


def _snr_label(word: str) -> str:
    return word if word == "clean" else f"{word} dB"


def _csv(file: str) -> list[dict[str, str]]:
    text = (resources.files("bastzoo") / "assets" / "published" / file).read_text()
    return list(csv.DictReader(text.splitlines()))
