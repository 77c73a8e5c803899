"""Tables of tracks: designs down, cases across; like every table a pure function of records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from bastzoo.boards.formats import Section, Value
from bastzoo.boards.published import section_of_track
from bastzoo.boards.rows import to_mark
from bastzoo.boards.tables import (
    MARKED,
    TEXT_COLUMNS,
    again,
    answers_words,
    code,
    commands,
    degrees,
    listener_facts,
    markdown,
    marked,
    named_listeners,
    origins,
    paragraph,
    percent,
    protocols,
    seed_words,
)
from bastzoo.boards.track_rows import TrackPart, TrackRow, parts_of, ranks_of
from bastzoo.records.record import TrackRecord


def render_track(
    records: Iterable[TrackRecord], question: str = "", *, highlighted: Collection[str] = ()
) -> str:
    """Write the leaderboard of one track: a part for each preset and for each set of test clips.

    Results of different clips, presets, versions of the track or of the protocol are never ranked
    together, nor are those of an older version of a component with those of a newer one.

    highlighted: keys of runs whose rows are marked, where others stand beside them.
    """
    found = list(records)
    mine = to_mark(found, highlighted)
    lines = [f"# Track {marked(min(record.track for record in found))}", ""]
    if question:
        lines += [question, ""]
    if mine:
        lines += [MARKED, ""]
    for part in parts_of(found):
        lines += _render_part(part.with_marks(mine))
    return "\n".join(lines).rstrip() + "\n"


def sections(records: Iterable[TrackRecord], *, highlighted: Collection[str] = ()) -> list[Section]:
    """The same leaderboard for `board_formats`: a row for each design, baseline and case."""
    found = list(records)
    mine = to_mark(found, highlighted)
    return [_section(part.with_marks(mine)) for part in parts_of(found)]


def _render_part(part: TrackPart) -> list[str]:
    rows = [*part.models, *part.baselines]
    several = len(part.cases) > 1

    def table(
        cell: Callable[[TrackRow, int], str],
        more: dict[str, Callable[[TrackRow], str]] | None = None,
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
        *introduction(part),
        "## Angular distance",
        "",
        *paragraph(
            "Mean AD in degrees"
            + (", and its mean over the columns, which ranks the models." if several else "."),
            ranks_of(part.models),
            "Baselines have no rank.",
            *answers_words(part.baselines),
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


def _what_and_where(part: TrackPart) -> list[str]:
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
        lines += [f"Tested on {marked(label)}:", "", markdown(table, headers), ""]
    return [*lines, *paragraph(_ABOUT_SOURCES if several else _ABOUT_TASKS), ""]


def _more(part: TrackPart) -> dict[str, Callable[[TrackRow], str]]:
    """The columns behind the cases."""
    more: dict[str, Callable[[TrackRow], str]] = {}
    if len(part.cases) > 1:
        more["Mean"] = lambda row: degrees(row.figure)
    if part.has_several_seeds:
        more["Seeds"] = lambda row: str(len(row.records)) if row.is_model else "-"
        more["Over seeds"] = lambda row: "-" if row.spread is None else f"± {row.spread:.2f}"
    return more


def _stale(part: TrackPart) -> list[str]:
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


def introduction(part: TrackPart) -> list[str]:
    """What all rows of a part share, in words."""
    experiment, record = part.example
    size = experiment.preset.data
    counts = {case.label: case.evaluation.clips for case in record.cases}
    if len(set(counts.values())) == 1:
        clips = f"{next(iter(counts.values())):,} test clips" + " a column" * (len(counts) > 1)
    else:
        clips = "test clips: " + ", ".join(f"{n:,} ({label})" for label, n in counts.items())
    sounds = len(record.cases[0].evaluation.by_sound["sounds"])
    return [
        f"Preset {code(experiment.preset.name)}"
        f"{'' if experiment.precision == 'no' else f' in {marked(experiment.precision)}'}; "
        f"{marked(clips)}, "
        f"made of the same {sounds} sounds, which no model was trained on"
        f"{'' if experiment.source.layout != 'rendered' else f' (but on {size.train_sounds:,} others)'}; "
        f"{''.join(f'{words}; ' for words in named_listeners(experiment.source))}"
        f"{seed_words(part.seeds)}; "
        f"track version {record.track_version}, {protocols(record.protocol_version)}.",
        "",
    ]


def _section(part: TrackPart) -> Section:
    experiment, record = part.example
    more = _more(part)
    headers = ["Rank", "Model", "Loss", "Integ.", "Trained on", *part.cases, *more]
    kinds = [
        *(("model", row, None) for row in part.models),
        *(("stale", row, why) for row, why in part.stale),
        *((row.first.kind, row, None) for row in part.baselines),
    ]
    return Section(
        facts={
            "track": record.track,
            "track_version": record.track_version,
            "preset": experiment.preset.name,
            "precision": experiment.precision,
            "data_digest": record.test_digest,
            "protocol": record.protocol_version,
            **listener_facts(experiment.source),
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
        caption=f"Track {record.track}. {' '.join(introduction(part))}",
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


def _fields(kind: str, row: TrackRow, why: str | None, case: int, label: str) -> dict[str, Value]:
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
