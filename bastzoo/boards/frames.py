"""A folder of runs in a notebook: records as a data frame, its leaderboards, and rows compared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from bastzoo.boards.comparison import Comparison, all_seeds, compare, compare_on_track, one_row
from bastzoo.boards.formats import Section, as_frame
from bastzoo.boards.rows import ad_of
from bastzoo.boards.runs import of_environment, render_leaderboard
from bastzoo.boards.runs import sections as run_sections
from bastzoo.boards.tracks import render_track
from bastzoo.boards.tracks import sections as track_sections
from bastzoo.errors import RecordError
from bastzoo.experiment import Combination
from bastzoo.records.record import Evaluation, RunRecord, TrackRecord
from bastzoo.records.store import RECORD_FILE, RunStore, read_records, read_track_records

if TYPE_CHECKING:
    import pandas as pd


Question = Callable[[str, Sequence[TrackRecord]], str]


class Board(str):
    """A leaderboard in markdown, which a notebook draws as a table; `.frame()` has its lines as numbers."""

    _sections: Callable[[], Sequence[Section]]

    @classmethod
    def of(cls, text: str, sections: Callable[[], Sequence[Section]]) -> Board:
        """A board of its text, and of what makes the sections of the same records when they are asked for."""
        board = cls(text)
        board._sections = sections
        return board

    def frame(self) -> pd.DataFrame:
        """A row for each line of the table (of a track: for each line and case), in full precision.

        With `rank`, and `ad_low` and `ad_high` as the board ranks: over sounds and over trainings.

        >>> import bastzoo as bz
        >>> board = bz.load_runs("leaderboards/records/quick").leaderboard()
        >>> board.frame().query("kind == 'model'").nsmallest(1, "ad_mean")["rank"].item()
        1
        """
        return as_frame(self._sections())

    def _repr_markdown_(self) -> str:
        return str(self)


class Runs(Sequence[RunRecord]):
    """The runs of a folder, by name, with their results on tracks.

    faults: a sentence for each record that cannot be read, and is left out.
    question: what a track asks, by its name and its results: stands above its table.
    folder: where they lie, for what is kept beside a record.

    >>> import bastzoo as bz
    >>> runs = bz.load_runs("leaderboards/records/plugins")
    >>> len(runs) > 0, runs.faults
    (True, [])
    """

    def __init__(
        self,
        records: Sequence[RunRecord],
        on_tracks: Sequence[TrackRecord] = (),
        faults: Sequence[str] = (),
        folder: Path | None = None,
        *,
        question: Question = lambda track, records: "",
    ) -> None:
        self._question = question
        self._records = list(records)
        self.on_tracks = list(on_tracks)
        self.faults = list(faults)
        self.folder = folder

    @classmethod
    def of(cls, folder: Path | str, *, question: Question = lambda track, records: "") -> Runs:
        """Read a folder that holds runs, or record files (`*.json`). Raises RecordError for none."""
        path = Path(folder)
        if not path.is_dir():
            raise RecordError(
                f"There is no folder {str(folder)!r}; `bastzoo bench` writes its runs into one."
            )
        records, faults = read_records(path)
        on_tracks, more = read_track_records(path)
        return cls(records, on_tracks, [*faults, *more], path, question=question)

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> RunRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> RunRecord | Runs:
        if isinstance(index, int):
            return self._records[index]
        return self._with(self._records[index])

    def of_keys(self, keys: Collection[str]) -> Runs:
        """Those of these runs, in the same order, with their results on tracks."""
        return self._with([record for record in self if record.key in keys])

    def _with(self, records: Sequence[RunRecord]) -> Runs:
        keys = {record.key for record in records}
        on_tracks = [record for record in self.on_tracks if record.key in keys]
        return Runs(records, on_tracks, self.faults, self.folder, question=self._question)

    def __repr__(self) -> str:
        finished = sum(record.status == "finished" for record in self)
        tracks = ", ".join(self.tracks)
        return f"<{len(self)} runs, {finished} finished{tracks and f'; tracks {tracks}'}>"

    @property
    def tracks(self) -> list[str]:
        """The tracks that some run has results on."""
        return sorted({record.track for record in self.on_tracks})

    def place(self, record: RunRecord) -> Path | None:
        """The folder of a run, with its predictions and weights; None for a record that was copied alone."""
        if self.folder is None:
            return None
        if (self.folder / RECORD_FILE).is_file():
            return self.folder
        return RunStore(self.folder).path(record.key)

    def frame(self) -> pd.DataFrame:
        """Tidy: a row for every run and test, in full precision.

        `environment` and `condition` say what was heard in training (no condition: the usual one), `track`
        and `case` which test it is (no track: the run's own); `ad_low` and `ad_high` are the ends of its 95 %
        interval over sounds (one training says nothing of others: `leaderboard` does); the figures are those
        of docs/protocol.md, in degrees and in shares of 0 to 1.
        """
        import pandas as pd

        own = (
            _facts(record) | {"track": "", "case": evaluation.environment} | _figures(evaluation)
            for record in self
            if (evaluation := record.evaluation) is not None
        )
        tests = (
            _facts(record) | {"track": record.track, "case": case.label} | _figures(case.evaluation)
            for record in self.on_tracks
            for case in record.cases
        )
        return pd.DataFrame([*own, *tests])

    def leaderboard(self, track: str = "") -> Board:
        """The table of the finished runs in their own test, or of a track; `RI`, say, is their own test.

        Raises RecordError where no model has a result.
        """
        if track:
            found = [r for r in self.on_tracks if r.track.lower() == track.lower()]
            if not any(record.experiment for record in found):
                if own := of_environment(self, track):
                    return Board.of(render_leaderboard(own), partial(run_sections, own))
                there = ", ".join(self.tracks) or "none"
                raise RecordError(
                    f"No model has a result on the track {track!r} (tracks: {there})."
                )
            question = self._question(found[0].track, found)
            return Board.of(render_track(found, question), partial(track_sections, found))
        finished = [record for record in self if record.status == "finished"]
        if not any(record.experiment for record in finished):
            raise RecordError("No run of a model has finished, so there is no table.")
        return Board.of(render_leaderboard(finished), partial(run_sections, finished))

    def select(self, reference: str) -> Runs:
        """Those whose name, or key, begins so, with their results on tracks: to draw, or for a table of them.

        Raises RecordError when it fits none.

        >>> import bastzoo as bz
        >>> len(bz.load_runs("leaderboards/records/quick").select("vanilla-SUB-AD-SP"))
        5
        """
        found = [
            record
            for record in self
            if record.name.lower().startswith(reference.lower()) or record.key.startswith(reference)
        ]
        if not found:
            raise RecordError(f"There is no run {reference!r} among these {len(self)}.")
        return self._with(found)

    def find(self, reference: str) -> RunRecord:
        """The run whose name, or key, begins so; the first of several that differ in the seed alone.

        Raises RecordError when it fits none, or several that differ in more.
        """
        found = self.select(reference)
        if not one_row(found):
            names = ", ".join(record.name for record in found[:3])
            raise RecordError(
                f"{reference!r} fits {len(found)} runs ({names}...); write more of it."
            )
        return found[0]

    def compare(self, a: str, b: str) -> Comparison:
        """Two rows, each with all its seeds, in their own test: `.verdict` says which is better."""
        return compare(*self._sides(a, b))

    def compare_on(self, track: str, a: str, b: str) -> list[Comparison]:
        """Two rows in every case of a track. Raises RecordError when one was not tested on it."""
        sides = []
        for records in self._sides(a, b):
            keys = {record.key: record.name for record in records}
            found = [
                r for r in self.on_tracks if r.key in keys and r.track.lower() == track.lower()
            ]
            if len(found) < len(keys):
                raise RecordError(
                    f"The run {records[0].name!r} has not been tested, with all its seeds, on {track!r}."
                )
            sides.append(found)
        return compare_on_track(*sides)

    def _sides(self, a: str, b: str) -> list[list[RunRecord]]:
        named = [self.find(reference) for reference in (a, b)]
        sides = [all_seeds(record, self._records) for record in named]
        if sides[0][0].key == sides[1][0].key:
            raise RecordError(f"{a!r} and {b!r} name the same row.")
        return sides

    def __iter__(self) -> Iterator[RunRecord]:
        return iter(self._records)


def _facts(record: RunRecord | TrackRecord) -> dict[str, Any]:
    """What a row of the frame says of the run: its parts, what it was trained on, its key."""
    trained = record.experiment
    facts: dict[str, Any] = {"key": record.key, "kind": record.kind}
    facts |= dict.fromkeys((*Combination.model_fields, "preset", "seed"))
    if trained is not None:
        facts |= trained.combination.model_dump()
        facts |= {"preset": trained.preset.name, "seed": trained.seed}
    else:
        facts["backbone"] = record.method
    tested = record.tested
    return facts | {"environment": tested.environment, "condition": str(tested.condition)}


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    _, (low, high) = ad_of([evaluation])
    return {"clips": evaluation.clips, "ad_low": low, "ad_high": high, **evaluation.metrics}
