"""Tables of tracks: designs down, cases across; like every table a pure function of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bastzoo.boards.formats import Section, Value
from bastzoo.boards.published import section_of_track
from bastzoo.boards.rows import Seeds, grouped, mean, over_sounds, same_sounds, spread, told_apart
from bastzoo.boards.statistics import (
    Interval,
    Standing,
    mean_interval,
    mean_intervals,
    ranks_in_words,
    standings,
)
from bastzoo.boards.tables import (
    TEXT_COLUMNS,
    again,
    commands,
    degrees,
    labels,
    markdown,
    origins,
    paragraph,
    percent,
    protocols,
    seed_words,
)
from bastzoo.experiment import Experiment
from bastzoo.records.record import Evaluation, TrackRecord


@dataclass(frozen=True)
class _Row:
    """The results of one design, trained under one condition: one record a seed."""

    records: tuple[TrackRecord, ...]
    note: str = ""
    standing: Standing | None = None
    intervals: tuple[Interval, ...] = ()

    @property
    def first(self) -> TrackRecord:
        """Any of the records, for what they share."""
        return self.records[0]

    @property
    def labels(self) -> list[str]:
        """Model, loss, integration, and what it was trained on."""
        model, *rest = _labels(self.first)
        return [model + self.note, *rest]

    @property
    def rank_words(self) -> str:
        """Its rank; a dash for what has none."""
        return self.standing.words if self.standing else "-"

    @property
    def is_model(self) -> bool:
        """Whether this is a trained model and not a baseline."""
        return self.first.experiment is not None

    def metric(self, case: int, name: str) -> float | None:
        """A metric of one case, averaged over the seeds."""
        return mean(self._each(case, name))

    def evaluations(self, case: int) -> list[Evaluation]:
        """The tests of one case, one a seed."""
        return [record.cases[case].evaluation for record in self.records]

    def means(self, case: int) -> np.ndarray:
        """Mean AD of every test sound in one case, `[seeds, sounds]`."""
        return over_sounds(self.evaluations(case))

    @property
    def over_cases(self) -> np.ndarray:
        """Mean over the cases of every sound's mean AD, `[seeds, sounds]`: what ranks a row."""
        return np.mean([self.means(case) for case in range(len(self.first.cases))], axis=0)

    @property
    def figure(self) -> float:
        """Mean AD over the cases."""
        return float(self.over_cases.mean())

    @property
    def spread(self) -> float | None:
        """The standard deviation, over the seeds, of the mean AD over the cases."""
        return spread([float(seed.mean()) for seed in self.over_cases])

    def spread_of(self, case: int) -> float | None:
        """The standard deviation, over the seeds, of the AD of one case."""
        return spread(self._each(case, "ad_mean"))

    def _each(self, case: int, name: str) -> list[float]:
        values = [evaluation.metrics.get(name) for evaluation in self.evaluations(case)]
        return [float(value) for value in values if value is not None]


@dataclass(frozen=True)
class _Part:
    """What is ranked together, best first; stale rows with the reason; baselines, worst first."""

    models: list[_Row]
    baselines: list[_Row]
    stale: list[tuple[_Row, str]]
    shown: list[TrackRecord]

    @property
    def example(self) -> tuple[Experiment, TrackRecord]:
        """A model's experiment and record, for what all of them share."""
        record = next(record for record in self.shown if record.experiment is not None)
        assert record.experiment is not None
        return record.experiment, record

    @property
    def cases(self) -> list[str]:
        """The cases' names, the columns of the tables."""
        return [case.label for case in self.shown[0].cases]

    @property
    def seeds(self) -> list[int]:
        """The seeds of all models."""
        return sorted({r.experiment.seed for r in self.shown if r.experiment is not None})

    @property
    def has_several_seeds(self) -> bool:
        """Whether some row has more than one seed."""
        return any(len(row.records) > 1 for row in self.models)


def render_track(records: Iterable[TrackRecord], question: str = "") -> str:
    """Write the leaderboard of one track: a part for each preset and for each set of test clips.

    Results of different clips, presets, versions of the track or of the protocol are never ranked
    together, nor are those of an older version of a component with those of a newer one.
    """
    found = list(records)
    lines = [f"# Track {min(record.track for record in found)}", ""]
    if question:
        lines += [question, ""]
    for part in _parts(found):
        lines += _render_part(part)
    return "\n".join(lines).rstrip() + "\n"


def sections(records: Iterable[TrackRecord]) -> list[Section]:
    """The same leaderboard for `board_formats`: a row for each design, baseline and case."""
    return [_section(part) for part in _parts(records)]


def _parts(records: Iterable[TrackRecord]) -> list[_Part]:
    parts = []
    for group in grouped(records, _clips):
        models = _ranked(_noted(group.models))
        baselines = sorted(_noted(group.baselines), key=lambda row: -row.figure)
        rows = _with_intervals([*models, *baselines])
        parts.append(
            _Part(
                models=rows[: len(models)],
                baselines=rows[len(models) :],
                stale=[(_Row(seeds), why) for seeds, why in group.stale],
                shown=group.shown,
            )
        )
    return parts


def _noted(groups: Sequence[Seeds[TrackRecord]]) -> list[_Row]:
    notes = told_apart(groups, [_labels(seeds[0]) for seeds in groups])
    return [_Row(seeds, note) for seeds, note in zip(groups, notes, strict=True)]


def _labels(record: TrackRecord) -> tuple[str, ...]:
    tested = record.tested
    heard = ", ".join(filter(None, [tested.environment, str(tested.condition)]))
    if record.experiment is not None:
        return (*labels(record.experiment), heard)
    assert record.baseline is not None
    return (record.baseline.component.name, "-", "-", heard)


def _ranks_in_words(rows: Sequence[_Row]) -> str:
    """What the ranks of these rows mean."""
    if not rows:
        return ""
    tables = [row.over_cases for row in rows]
    return ranks_in_words(tables, np.ones(tables[0].shape[-1], dtype=np.int64))


def _ranked(rows: Sequence[_Row]) -> list[_Row]:
    if not rows:
        return []
    # Every case counts the same, and so does every sound.
    counts = np.ones(rows[0].over_cases.shape[-1], dtype=np.int64)
    _check(rows)
    found = standings([row.over_cases for row in rows], counts)
    ranked = [replace(row, standing=place) for row, place in zip(rows, found, strict=True)]
    return sorted(ranked, key=lambda row: (row.figure, row.labels))


def _with_intervals(rows: Sequence[_Row]) -> list[_Row]:
    if not rows:
        return []
    _check(rows)
    by_case = []
    for case, result in enumerate(rows[0].first.cases):
        counts = np.array(result.evaluation.by_sound["clips"])
        models = [row.means(case) for row in rows if row.is_model]
        others = [mean_interval(row.means(case), counts) for row in rows if not row.is_model]
        by_case.append([*mean_intervals(models, counts), *others])
    by_row = zip(*by_case, strict=True)
    return [replace(row, intervals=mine) for row, mine in zip(rows, by_row, strict=True)]


def _check(rows: Sequence[_Row]) -> None:
    for case in range(len(rows[0].first.cases)):
        same_sounds([(r.key, r.cases[case].evaluation) for row in rows for r in row.records])


def _clips(record: TrackRecord) -> tuple[str, ...]:
    """What models and baselines beside them share: the clips, and what is asked of them."""
    return (record.test_digest, str(record.track_version), str(record.protocol_version))


def _render_part(part: _Part) -> list[str]:
    rows = [*part.models, *part.baselines]
    several = len(part.cases) > 1

    def table(
        cell: Callable[[_Row, int], str], more: dict[str, Callable[[_Row], str]] | None = None
    ) -> str:
        lines = [
            [
                row.rank_words,
                *row.labels,
                *(cell(row, case) for case in range(len(part.cases))),
                *(text(row) for text in (more or {}).values()),
            ]
            for row in rows
        ]
        columns = ["Rank", "Model", "Loss", "Integ.", "Trained on", *part.cases]
        return markdown(lines, [*columns, *(more or {})])

    parts = [
        *_introduction(part),
        "## Angular distance",
        "",
        *paragraph(
            "Mean AD in degrees"
            + (", and its mean over the columns, which ranks the models." if several else "."),
            _ranks_in_words(part.models),
            "Baselines have no rank.",
            *["Over seeds: the standard deviation from one training to another."]
            * part.has_several_seeds,
        ),
        "",
    ]
    if not part.models:
        parts += ["No row has the newest versions of all its components, so none is ranked.", ""]
    if rows:
        parts += [
            table(lambda row, case: degrees(row.metric(case, "ad_mean")), _more(part)),
            "",
            "## 95 % intervals",
            "",
            table(lambda row, case: "{:.2f} to {:.2f}".format(*row.intervals[case])),
            "",
            "## Front-back rate",
            "",
            table(lambda row, case: percent(row.metric(case, "front_back_rate"))),
            "",
        ]
    if any(row.metric(0, "lateral_rmse") is not None for row in part.models):
        parts += ["## Lateral angle, root mean squared error", ""]
        parts += [table(lambda row, case: degrees(row.metric(case, "lateral_rmse"))), ""]
    if any(row.metric(0, "elevation_error") is not None for row in part.models):
        parts += ["## Elevation error", ""]
        parts += [table(lambda row, case: degrees(row.metric(case, "elevation_error"))), ""]
    return [
        *parts,
        *_what_and_where(part),
        *_stale(part),
        *section_of_track(part.shown[0].track),
        *again(part.shown),
    ]


_SOURCES: tuple[tuple[str, str, Callable[[float | None], str]], ...] = (
    ("Found within 20°", "source_recall", percent),
    ("Right, of the answers", "source_precision", percent),
    ("AD of the pairs", "source_error", degrees),
    ("Class", "source_class_accuracy", percent),
    ("F20", "f20", percent),
    ("ER20", "er20", lambda value: "-" if value is None else f"{value:.3f}"),
    ("Count error", "count_error", lambda value: "-" if value is None else f"{value:.2f}"),
    ("Count right", "count_accuracy", percent),
)
"""Figures of runs that answer several sources."""

_ABOUT_SOURCES = (
    "The AD above is that of every source and the slot that fits it best, whether the slot says that "
    "there is a source or not. Here only slots count that say so; a source is found when one of them is "
    "within 20°. F20 and ER20 ask for the right class too."
)
_ABOUT_TASKS = (
    "Azimuth and elevation are mean absolute errors, the azimuth's of sounds within 75° of the "
    "horizontal plane. F20 and ER20 ask for the right class within 20°."
)

_TASKS: tuple[tuple[str, str, Callable[[float | None], str]], ...] = (
    ("Class accuracy", "class_accuracy", percent),
    ("Macro F1", "macro_f1", percent),
    ("Azimuth", "azimuth_error", degrees),
    ("Azimuth, class right", "azimuth_error_right_class", degrees),
    ("Elevation", "elevation_error", degrees),
    ("F20", "f20", percent),
    ("ER20", "er20", lambda value: "-" if value is None else f"{value:.3f}"),
)
"""Figures of runs that say what a sound was: header, metric, how it is written."""


def _what_and_where(part: _Part) -> list[str]:
    """A table a case of what models say of classes and numbers, beside where."""
    rows = [row for row in part.models if row.metric(0, "class_accuracy") is not None]
    if not rows:
        return []
    several = rows[0].metric(0, "source_recall") is not None
    figures = _SOURCES if several else _TASKS
    lines = ["## How many, what and where" if several else "## What and where", ""]
    for case, label in enumerate(part.cases):
        table = [
            [
                row.rank_words,
                *row.labels,
                *(show(row.metric(case, name)) for _, name, show in figures),
            ]
            for row in rows
        ]
        headers = [
            "Rank",
            "Model",
            "Loss",
            "Integ.",
            "Trained on",
            *(head for head, _, _ in figures),
        ]
        lines += [f"Tested on {label}:", "", markdown(table, headers), ""]
    return [*lines, *paragraph(_ABOUT_SOURCES if several else _ABOUT_TASKS), ""]


def _more(part: _Part) -> dict[str, Callable[[_Row], str]]:
    """The columns behind the cases."""
    more: dict[str, Callable[[_Row], str]] = {}
    if len(part.cases) > 1:
        more["Mean"] = lambda row: degrees(row.figure)
    if part.has_several_seeds:
        more["Seeds"] = lambda row: str(len(row.records)) if row.is_model else "-"
        more["Over seeds"] = lambda row: "-" if row.spread is None else f"± {row.spread:.2f}"
    return more


def _stale(part: _Part) -> list[str]:
    if not part.stale:
        return []
    table = [[*row.labels, degrees(row.figure), why] for row, why in part.stale]
    return [
        "## Stale, not ranked",
        "",
        "Made with an older version of a component than other rows of this table: not comparable.",
        "",
        markdown(table, ["Model", "Loss", "Integ.", "Trained on", "AD", "Why"]),
        "",
    ]


def _introduction(part: _Part) -> list[str]:
    experiment, record = part.example
    size = experiment.preset.data
    counts = {case.label: case.evaluation.clips for case in record.cases}
    if len(set(counts.values())) == 1:
        clips = f"{next(iter(counts.values())):,} test clips" + " a column" * (len(counts) > 1)
    else:
        clips = "test clips: " + ", ".join(f"{n:,} ({label})" for label, n in counts.items())
    sounds = len(record.cases[0].evaluation.by_sound["sounds"])
    return [
        f"Preset `{experiment.preset.name}`"
        f"{'' if experiment.precision == 'no' else f' in {experiment.precision}'}; {clips}, "
        f"made of the same {sounds} sounds, which no model was trained on"
        f"{'' if experiment.source.layout != 'rendered' else f' (but on {size.train_sounds:,} others)'}; "
        f"{seed_words(part.seeds)}; "
        f"track version {record.track_version}, {protocols(record.protocol_version)}.",
        "",
    ]


def _section(part: _Part) -> Section:
    experiment, record = part.example
    more = _more(part)
    headers = ["Rank", "Model", "Loss", "Integ.", "Trained on", *part.cases, *more]
    kinds = [
        *(("model", row, None) for row in part.models),
        *(("stale", row, why) for row, why in part.stale),
        *(("baseline", row, None) for row in part.baselines),
    ]
    return Section(
        facts={
            "track": record.track,
            "track_version": record.track_version,
            "preset": experiment.preset.name,
            "precision": experiment.precision,
            "data_digest": record.test_digest,
            "protocol": record.protocol_version,
        },
        rows=[
            _fields(kind, row, why, case, label)
            for kind, row, why in kinds
            for case, label in enumerate(part.cases)
        ],
        provenance={
            "commands": commands(part.shown),
            "seeds": part.seeds,
            "measured_on": origins(part.shown),
        },
        caption=f"Track {record.track}. {' '.join(_introduction(part))}",
        headers=headers,
        text=TEXT_COLUMNS,
        blocks=[
            [
                [
                    row.rank_words,
                    *row.labels,
                    *(degrees(row.metric(case, "ad_mean")) for case in range(len(part.cases))),
                    *(text(row) for text in more.values()),
                ]
                for row in rows
            ]
            for rows in (part.models, part.baselines)
        ],
    )


def _fields(kind: str, row: _Row, why: str | None, case: int, label: str) -> dict[str, Value]:
    model, loss, integration, heard = row.labels
    low, high = row.intervals[case] if row.intervals else (None, None)
    return {
        "kind": kind,
        "stale": why,
        "rank": row.standing.rank if row.standing else None,
        "model": model,
        "loss": loss,
        "integration": integration,
        "trained_on": heard,
        "case": label,
        "ad_mean": row.metric(case, "ad_mean"),
        "ad_low": low,
        "ad_high": high,
        "seeds": len(row.records) if row.is_model else None,
        "ad_seed_sd": row.spread_of(case),
        "front_back_rate": row.metric(case, "front_back_rate"),
        "elevation_error": row.metric(case, "elevation_error"),
        **{
            name: row.metric(case, name)
            for name in dict.fromkeys(name for _, name, _ in (*_TASKS, *_SOURCES))
            if row.metric(case, name) is not None
        },
    }
