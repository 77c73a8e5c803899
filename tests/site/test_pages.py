"""The pages without a browser: what is on them, what is escaped, and what a bad record does."""

from __future__ import annotations

import gzip
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bastzoo.boards.comparison import compare
from bastzoo.boards.tables import marked, unmarked
from bastzoo.errors import RecordError, SetupError
from bastzoo.records.record import RunRecord
from bastzoo.records.store import read_records, read_track_records
from bastzoo.site.pages import boards_of, write_site
from bastzoo.site.plot import front_of, plots_of
from bastzoo.site.run_boards import titled
from bastzoo.site.view import Bar, Result, bar
from tests.cli.command import bastzoo
from tests.records.made import answers_record, keep, model_record, on_track
from tests.site.made import HOSTILE, SCRIPT, renamed, runs, without_figures


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep(tmp_path_factory.mktemp("made") / "runs", *runs())


@pytest.fixture(scope="module")
def site(folder: Path) -> Path:
    target = folder.parent / "site"
    rows, faults = write_site(target, [folder])
    assert (rows, faults) == (7, [])
    return target


class _Page(HTMLParser):
    """Tags and links of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_every_link_leads_to_a_file_of_the_site_and_nothing_to_the_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        for _, attributes in _Page(page).tags:
            for name in ("href", "src"):
                link = attributes.get(name) or "data:"
                if link.startswith(("#", "data:")):
                    continue
                assert "//" not in link
                path = re.split("[?#]", link)[0]
                assert (page.parent / path).is_file(), (page.name, link)


def test_a_row_leads_to_its_command_and_the_record_as_it_was(folder: Path, site: Path) -> None:
    records, _ = read_records(folder)
    known = {record.key: record for record in records}
    pages = list((site / "runs").glob("ri-preset-quick-*.html"))
    assert len(pages) == 5
    seen = set()
    for page in pages:
        text = html.unescape(page.read_text())
        assert "bastzoo bench --backbone mamba --integ SUB" in text
        for name in re.findall(r'href="\.\./records/([^"]+)"', text):
            copy = RunRecord.model_validate_json(
                gzip.decompress((site / "records" / name).read_bytes())
            )
            assert copy == known[copy.key]
            seen.add(copy.key)
    assert seen == set(known)


def test_answers_from_elsewhere_stand_apart_from_baselines(tmp_path: Path) -> None:
    target = tmp_path / "site"
    write_site(target, [keep(tmp_path / "runs", *runs(), answers_record("a|b <i>"))])
    (board, _), _ = boards_of([tmp_path / "runs"])
    kinds = {group.heading: [row.kind for row in group.rows] for group in board.groups}
    assert kinds["Scored from answers"] == ["answers"]
    assert kinds["Baselines on the same clips"] == ["baseline"]
    (row,) = (row for row in board.rows if row.kind == "answers")
    page = html.unescape((target / "runs" / f"{row.id}.html").read_text())
    assert "Scored from answers, not ranked." in page
    assert "a|b <i>, from elsewhere" in page


def test_words_are_those_of_the_board_without_what_markdown_needs(tmp_path: Path) -> None:
    board = boards_of([keep(tmp_path / "runs", renamed(model_record(), "a|[b]"))])[0][0]
    assert not any("`" in words or "\\" in words or "&lt;" in words for words in board.words)
    assert unmarked(marked("a|[b] <c> \\")) == "a|[b] <c> \\"


def test_a_test_of_one_sound_has_no_interval_and_no_infinity_in_its_pages(tmp_path: Path) -> None:
    record = model_record(5.0)
    assert record.evaluation is not None
    one = {name: values[:1] for name, values in record.evaluation.by_sound.items()}
    alone = record.evaluation.model_copy(update={"by_sound": one})
    folder = keep(tmp_path / "runs", record.model_copy(update={"evaluation": alone}))
    write_site(tmp_path / "site", [folder])
    for page in (tmp_path / "site").rglob("*.html"):
        assert not re.search(r"\b(inf|Infinity|nan)\b", page.read_text())


def test_a_failed_run_is_told_on_its_own_board_or_among_what_is_left_out(tmp_path: Path) -> None:
    lost = model_record(failed=True, environment="RI02")
    folder = keep(tmp_path / "runs", model_record(), model_record(failed=True, loss="MSE"), lost)
    boards, faults = boards_of([folder])
    assert [len(board.failed) for board in boards] == [1]
    assert [fault for fault in faults if "failed" in fault] == [
        f"{lost.name} failed: {lost.failure.message if lost.failure else ''}"
    ]


def test_published_rows_stand_apart_and_filter_like_the_others(folder: Path) -> None:
    boards, _ = boards_of([folder])
    group = next(g for g in boards[0].groups if g.rows[0].kind == "published")
    assert group.heading == "Published, on other data"
    assert {row.facets["backbone"] for row in group.rows} == {"mamba", "vanilla"}
    assert not any(row.id for row in group.rows)


@pytest.mark.parametrize(
    ("track", "cases", "told"),
    [
        ("snr", {"0 dB": 9.0, "clean": 5.0}, ("BAST-Mamba-SP", "Hybrid", "Sub.", "mamba", "SP")),
        ("left-out-room", {"room A": 1.0}, ("WaveLoc, RMSE", "-", "-", "waveloc", None)),
    ],
)
def test_a_published_row_of_a_track_says_what_its_paper_says(
    tmp_path: Path, track: str, cases: dict[str, float], told: tuple[str | None, ...]
) -> None:
    """Once failed: WaveLoc stood there with the loss and the integration of BAST-Mamba."""
    folder = keep(tmp_path / "runs", on_track(model_record(), cases, track=track))
    (board, *_), _ = boards_of([folder])
    row = next(row for group in board.groups for row in group.rows if row.kind == "published")
    shown = dict(zip([head.header for head in board.columns], row.cells, strict=True))
    found = (row.name, shown["Loss"].text, shown["Integ."].text)
    assert (*found, row.facets["backbone"], row.facets.get("sharing")) == told


def test_the_comparison_says_what_bastzoo_compare_says(folder: Path, site: Path) -> None:
    page = (site / "compare.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    board = data["boards"][0]
    records = {r.name: r for r in read_records(folder)[0]}
    sides = [[records[board["rows"][place]["run"]]] for place in (1, 2)]
    expected = compare(*sides)
    found = board["pairs"]["1,2"][0]
    wanted = [expected.difference, *expected.interval, expected.p]
    assert found == pytest.approx(wanted, rel=1e-4)


def test_what_lies_beyond_the_scale_of_a_bar_is_told() -> None:
    assert bar(Result("", 5.0, 4.0, 6.0), 10.0) == Bar(40.0, 20.0, 50.0)
    beyond = bar(Result("", 20.0, 15.0, 25.0), 10.0)
    assert beyond is not None
    assert beyond.is_beyond
    assert bar(Result("", 5.0), 10.0) is None


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    assert front_of([3.0, 1.0, 2.0, 1.0], [1.0, 4.0, 5.0, 3.0]) == [3, 0]


def test_a_plot_draws_every_model_once(folder: Path) -> None:
    boards, _ = boards_of([folder])
    for plot in plots_of(boards[0]):
        assert len(plot.points) + len(plot.front) == len(boards[0].models) == 4


def test_hostile_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    records = [renamed(model_record(5.0 + i), name) for i, name in enumerate(HOSTILE)]
    key = "../../" + "x" * 300  # not from a hash: it must not become a path
    records.append(records[0].model_copy(update={"key": key}))
    target = tmp_path / "site"
    write_site(target, [keep(tmp_path / "runs", *records)])
    for page in target.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert SCRIPT not in text
        tags = _Page(page).tags
        assert all(a.get("src") or a.get("type") for tag, a in tags if tag == "script")
        assert not any(name.startswith("on") for _, a in tags for name in a)
    assert html.escape(SCRIPT) in (target / "index.html").read_text()
    assert {path.parent.parent for path in target.rglob("*.html")} == {tmp_path, target}


def test_a_run_of_nan_is_left_out_and_named_beside_the_others(tmp_path: Path) -> None:
    broken = without_figures(model_record(7.0, loss="MSE"))
    folder = keep(tmp_path / "runs", model_record(5.0), model_record(9.0, loss="AD"), broken)
    boards, faults = boards_of([folder])
    assert [row.kind for row in boards[0].rows] == ["model", "model"]
    assert len(faults) == 1
    assert "metrics has no ad_mean" in faults[0]
    write_site(tmp_path / "site", [folder])
    index = (tmp_path / "site" / "index.html").read_text()
    assert "metrics has no ad_mean" in index
    assert "nan" not in {cell.text.lower() for row in boards[0].rows for cell in row.cells}


def test_only_runs_of_nan_are_one_sentence(tmp_path: Path) -> None:
    folder = keep(tmp_path / "runs", without_figures(model_record()))
    with pytest.raises(RecordError, match="metrics has no ad_mean"):
        write_site(tmp_path / "site", [folder])
    assert not (tmp_path / "site").exists()


def test_a_folder_of_other_things_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(SetupError, match="holds other things"):
        write_site(tmp_path, [folder])
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_command_writes_the_site_twice_alike(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = bastzoo("leaderboard", str(folder), "--html", str(tmp_path / "site"))
    assert (done.returncode, done.stdout) == (0, "")
    first = {p: p.read_bytes() for p in (tmp_path / "site").rglob("*") if p.is_file()}
    write_site(tmp_path / "site", [folder])
    assert first == {p: p.read_bytes() for p in (tmp_path / "site").rglob("*") if p.is_file()}
    done = bastzoo("leaderboard", str(tmp_path / "empty"), "--html", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "There is no run in" in done.stderr


def test_a_row_leads_to_the_pictures_of_its_runs_where_they_are_asked_for(tmp_path: Path) -> None:
    """A row of a track too, where its run's record is there; rows of the same runs share a page."""
    run = model_record(5.0)
    elsewhere = keep(tmp_path / "tracks", on_track(run, {"0 dB": 9.0}, track="snr"))
    lost = keep(tmp_path / "lost", on_track(model_record(9.0, seed=3), {"0 dB": 9.0}, track="snr"))
    folders = [keep(tmp_path / "runs", run), elsewhere, lost]
    named: list[str] = []
    write_site(tmp_path / "site", folders, reports=True, progress=named.append)
    assert len(named) == 1
    links = {
        page.name: re.findall(r'href="\.\./(reports/[^"]+)"', page.read_text())
        for page in (tmp_path / "site" / "runs").glob("*.html")
    }
    assert sorted(map(len, links.values())) == [0, 1, 1]
    (picture,) = {link for found in links.values() for link in found}
    assert "<svg" in (tmp_path / "site" / picture).read_text()
    write_site(tmp_path / "site", folders)
    assert not list((tmp_path / "site" / "reports").iterdir())


def test_boards_of_one_track_are_told_apart_by_their_titles() -> None:
    records, _ = read_track_records(
        Path(__file__).parents[2] / "leaderboards" / "records" / "measured-heads"
    )
    titles = {titled("people", r.experiment) for r in records if r.experiment is not None}
    assert {
        "people, preset quick",
        "people, preset quick, steps 1200, learning rate 0.001, 18 listeners",
        "people, preset quick, steps 2400, batch 32, learning rate 0.001, 54 listeners",
    } <= titles
