"""Boards of tracks, from the rows of `bastzoo.boards.track_rows`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bastzoo.boards.published import PublishedTrack, published_track
from bastzoo.boards.tables import commands, degrees, percent, unmarked
from bastzoo.boards.track_rows import TrackPart, TrackRow, parts_of, ranks_of
from bastzoo.boards.tracks import introduction
from bastzoo.harness.tracks import question_of
from bastzoo.records.record import TrackRecord
from bastzoo.site.run_boards import STALE, others, titled
from bastzoo.site.view import (
    GAP,
    Board,
    Cell,
    ColumnHead,
    Group,
    Result,
    SiteRow,
    bar,
    facets_of,
    finite,
    result,
    scale_of,
    slug,
)


def track_boards(
    records: Sequence[TrackRecord],
    folder: Path,
    name: str,
    taken: set[str],
) -> list[Board]:
    """A board for each track, preset and set of test clips. Raises RecordError when sounds differ.

    name: put before the titles; empty where the site is of one folder. taken: slugs that are in use.
    """
    boards = []
    for track in dict.fromkeys(record.track for record in records):
        found = [record for record in records if record.track == track]
        for part in parts_of(found):
            if not any(record.experiment for record in part.shown):
                continue
            experiment, _ = part.example
            title = titled(f"Track {track}", experiment)
            if name.lower() not in ("", track.lower()):
                title = f"{name}: {title}"
            board = _board(part, title, slug(title, taken), str(folder))
            asked = question_of(track, found)
            boards.append(replace(board, words=[*filter(None, [asked]), *board.words]))
    return boards


def _board(part: TrackPart, title: str, name: str, folder: str) -> Board:
    several = len(part.cases) > 1
    heads = [
        ColumnHead("Rank", level=1),
        ColumnHead("Model", True, 1),
        ColumnHead("Loss", True, 2),
        ColumnHead("Integ.", True, 2),
        ColumnHead("Trained on", True, 2),
        ColumnHead("AD, mean of all" if several else "AD", level=1),
        *(ColumnHead(case, level=2 if len(part.cases) < 5 else 3) for case in part.cases * several),
        ColumnHead("Front-back, mean" if several else "Front-back"),
    ]
    if part.has_several_seeds:
        heads += [ColumnHead("Seeds"), ColumnHead("Over seeds")]
    overall = [_overall(row) for row in part.models]
    scale = scale_of(test.high or test.ad for test in overall)

    def rows(kind: str, found: Sequence[TrackRow], notes: Sequence[str] = ()) -> list[SiteRow]:
        pairs = zip(found, notes or [""] * len(found), strict=True)
        return [_row(kind, row, part, scale, name, note) for row, note in pairs]

    groups = [
        Group("", "", rows("model", part.models)),
        *others(part.baselines, rows),
        Group(
            "Stale, not ranked",
            STALE,
            rows("stale", [row for row, _ in part.stale], [why for _, why in part.stale]),
        ),
    ]
    published = published_track(part.shown[0].track)
    if published is not None:
        lines = [
            _published(part.shown[0].track, published, line, heads) for line in published.lines
        ]
        words = " ".join(published.words)
        groups.append(Group("Published, on other data", words, lines))
    return Board(
        slug=name,
        title=title,
        words=[
            *map(unmarked, introduction(part)[:1]),
            *filter(None, [ranks_of(part.models)]),
        ],
        columns=heads,
        groups=[group for group in groups if group.rows],
        scale=scale,
        folder=folder,
        track=part.shown[0].track,
        commands=commands(part.shown),
    )


def _overall(row: TrackRow) -> Result:
    """Mean AD over the cases, with the interval that its rank rests on; of one case, that case's."""
    if len(row.first.cases) == 1 and row.intervals:
        return result("", row.figure, row.intervals[0])
    ends = row.standing.interval.of_angles() if row.standing is not None else None
    return result("", row.figure, ends)


def _row(kind: str, row: TrackRow, part: TrackPart, scale: float, board: str, note: str) -> SiteRow:
    overall = _overall(row)
    model, loss, integration, heard = row.labels
    cases = range(len(row.first.cases))
    ends = f"{overall.low:.2f} to {overall.high:.2f}" if overall.low is not None else ""
    cells = [
        Cell(row.rank_words, row.standing.rank if row.standing else None),
        *(Cell(word, None if word == GAP else word) for word in (model, loss, integration, heard)),
        Cell(degrees(overall.ad), overall.ad, ends, bar(overall, scale)),
    ]
    if len(part.cases) > 1:
        cells += [_figure(row.metric(case, "ad_mean"), "°") for case in cases]
    rates = [row.metric(case, "front_back_rate") for case in cases]
    known = [rate for rate in map(finite, rates) if rate is not None]
    cells.append(_figure(sum(known) / len(known) if known else None, "%"))
    if part.has_several_seeds:
        seeds = len(row.records) if row.is_model else None
        spread = finite(row.spread)
        cells.append(Cell(str(seeds or GAP), seeds))
        cells.append(Cell(GAP if spread is None else f"± {spread:.2f}", spread))
    intervals = row.intervals or [None] * len(cases)
    return SiteRow(
        kind=kind,
        name=", ".join(word for word in (model, loss, integration) if word != GAP)
        + f", trained on {heard}",
        cells=cells,
        facets=facets_of(row.first, row.first.track),
        id=f"{board}-{row.first.key}",
        records=row.records,
        rank=row.rank_words,
        note=note,
        tests=[
            result(row.first.cases[case].label, row.metric(case, "ad_mean"), intervals[case])
            for case in cases
        ],
        figures=[
            {
                name: finite(row.metric(case, name))
                for name in row.first.cases[case].evaluation.metrics
            }
            for case in cases
        ],
    )


def _figure(value: float | None, unit: str) -> Cell:
    known = finite(value)
    return Cell(degrees(known) if unit == "°" else percent(known), known)


def _published(
    track: str, published: PublishedTrack, line: Sequence[str], heads: Sequence[ColumnHead]
) -> SiteRow:
    """A line of the paper under the board's own columns, where they have the same name."""
    by_header = {**published.design, **dict(zip(published.headers, line, strict=True))}
    _, dash, sharing = by_header["Model"].rpartition("-")
    cells = []
    for head in heads:
        text = by_header.get(head.header, GAP)
        number = text.removesuffix("°")
        is_number = not head.is_text and number.replace(".", "", 1).isdigit()
        cells.append(Cell(text, float(number) if is_number else text))
    return SiteRow(
        kind="published",
        name=by_header["Model"],
        cells=cells,
        facets={
            "backbone": published.backbone,
            "track": track,
            **({"sharing": sharing} if dash else {}),
        },
    )
