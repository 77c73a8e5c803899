"""Fetching, from a folder and from a server that breaks off, lies about sizes and serves wrong bytes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bastzoo.data.sets import fetch as fetching
from bastzoo.data.sets.fetch import fetch
from bastzoo.data.sets.folder import folder_of, present_members, remember_place
from bastzoo.data.sets.index import DataFile, DataIndex, read_index
from bastzoo.errors import ComponentError, DataError, SetupError

CONTENT = bytes(range(256)) * 1_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()

Answer = Callable[[BaseHTTPRequestHandler, int], None]


class Server:
    """A server on this machine that behaves as `answers` say, one after the other; the last for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [whole]
        self.starts: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                words = self.headers.get("Range", "bytes=0-").removeprefix("bytes=")
                outer.starts.append(int(words.partition("-")[0]))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                answer(self, outer.starts[-1])

            def log_message(self, *_: object) -> None:
                """Keep the tests' output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def index(self, **changes: object) -> DataIndex:
        url = f"http://127.0.0.1:{self.server.server_port}/a.bin"
        file = {"path": "deep/a.bin", "sha256": SHA256, "size": len(CONTENT), "url": url}
        return index_of(DataFile(**{**file, **changes}))


def index_of(*files: DataFile) -> DataIndex:
    return DataIndex(
        name="toy",
        holds="sounds",
        licence="MIT",
        citation="none",
        source="here",
        read=lambda folder, name: folder,
        members={str(number): [file.path] for number, file in enumerate(files)},
        files=files,
    )


def respond(
    handler: BaseHTTPRequestHandler,
    body: bytes,
    *,
    start: int = 0,
    length: int | None = -1,
    partial: bool = False,
) -> None:
    handler.send_response(206 if partial else 200)
    if length is not None:
        handler.send_header("Content-Length", str(len(body) if length < 0 else length))
    if partial:
        handler.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
    handler.end_headers()
    handler.wfile.write(body)


def whole(handler: BaseHTTPRequestHandler, start: int) -> None:
    respond(handler, CONTENT[start:], start=start, partial=start > 0)


def breaks_off(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Promise all, give 100,000 bytes, and hang up."""
    rest = CONTENT[start:]
    respond(handler, rest[:100_000], start=start, length=len(rest), partial=start > 0)
    handler.close_connection = True


def knows_no_ranges(handler: BaseHTTPRequestHandler, start: int) -> None:
    respond(handler, CONTENT)


def begins_elsewhere(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Answer a range with another one, which would make a file of the right length and wrong bytes."""
    respond(handler, CONTENT, start=0, partial=start > 0)


def wrong_bytes(handler: BaseHTTPRequestHandler, start: int) -> None:
    respond(handler, bytes(len(CONTENT)))


def promises_more(handler: BaseHTTPRequestHandler, start: int) -> None:
    respond(handler, CONTENT, length=10**15)


def never_ends(handler: BaseHTTPRequestHandler, start: int) -> None:
    respond(handler, CONTENT * 2, length=None)


def is_short(handler: BaseHTTPRequestHandler, start: int) -> None:
    respond(handler, CONTENT[:-1])


def is_missing(handler: BaseHTTPRequestHandler, start: int) -> None:
    handler.send_error(404)


def is_busy(handler: BaseHTTPRequestHandler, start: int) -> None:
    handler.send_error(503)


def gives_nothing(handler: BaseHTTPRequestHandler, start: int) -> None:
    handler.close_connection = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_a_file_comes_whole_and_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    found = fetch(server.index(), tmp_path, progress=lambda *what: told.append(what))
    assert (found.present, found.new, found.refused) == (1, 1, [])
    assert (tmp_path / "deep" / "a.bin").read_bytes() == CONTENT
    assert told[-1] == ("deep/a.bin", len(CONTENT), len(CONTENT))
    found = fetch(server.index(), tmp_path)
    assert (found.present, found.new) == (1, 0)
    assert server.starts == [0]


def test_a_damaged_file_is_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.bin").write_bytes(CONTENT[:-1] + b"x")
    assert fetch(server.index(), tmp_path).new == 1
    assert (tmp_path / "deep" / "a.bin").read_bytes() == CONTENT


def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    server: Server, tmp_path: Path
) -> None:
    server.answers = [breaks_off, breaks_off, whole]
    assert fetch(server.index(), tmp_path).refused == []
    assert server.starts == [0, 100_000, 200_000]
    assert (tmp_path / "deep" / "a.bin").read_bytes() == CONTENT


def test_what_broke_off_for_good_is_gone_on_with_by_the_next_command(
    server: Server, tmp_path: Path
) -> None:
    server.answers = [breaks_off, gives_nothing]
    found = fetch(server.index(), tmp_path)
    assert "broke off" in found.refused[0]
    assert "the same command goes on where it stopped" in found.refused[0]
    assert [path.name for path in tmp_path.rglob("*.*")] == ["a.bin.part"]
    server.answers = [whole]
    assert fetch(server.index(), tmp_path).new == 1
    assert server.starts[-1] == 100_000
    assert [path.name for path in tmp_path.rglob("*.*")] == ["a.bin"]


@pytest.mark.parametrize("other", [knows_no_ranges, begins_elsewhere])
def test_a_server_without_ranges_begins_again(
    server: Server, tmp_path: Path, other: Answer
) -> None:
    server.answers = [breaks_off, other]
    assert fetch(server.index(), tmp_path).refused == []
    assert (tmp_path / "deep" / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (wrong_bytes, "has the checksum"),
        (promises_more, "announces 1,000,000,000,000,000 bytes"),
        (never_ends, "gives more than its 256,000 bytes"),
        (is_short, "announces 255,999 bytes"),
        (is_missing, "cannot be had .*404"),
        (is_busy, "503"),
    ],
)
def test_nothing_wrong_is_kept(server: Server, tmp_path: Path, answer: Answer, why: str) -> None:
    server.answers = [answer]
    found = fetch(server.index(), tmp_path)
    (sentence,) = found.refused
    assert found.present == 0
    assert re.search(why, sentence)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.answers = [is_busy, is_busy, whole]
    assert fetch(server.index(), tmp_path).new == 1


def test_without_a_size_the_checksum_decides(server: Server, tmp_path: Path) -> None:
    assert fetch(server.index(size=0), tmp_path).new == 1
    server.answers = [is_short]
    assert "has the checksum" in fetch(server.index(size=0), tmp_path / "b").refused[0]


def test_a_file_without_a_checksum_is_never_downloaded(server: Server, tmp_path: Path) -> None:
    found = fetch(server.index(sha256=""), tmp_path)
    assert found.missing == ["deep/a.bin"]
    assert server.starts == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a"])
def test_only_web_addresses_are_fetched(server: Server, tmp_path: Path, url: str) -> None:
    assert "is no web address" in fetch(server.index(url=url), tmp_path).refused[0]


def test_files_are_taken_out_of_a_folder_under_any_of_their_names(tmp_path: Path) -> None:
    have, home = tmp_path / "have", tmp_path / "home"
    (have / "deep").mkdir(parents=True)
    (have / "deep" / "a.bin").write_bytes(CONTENT)
    (have / "other.bin").write_bytes(CONTENT)
    (have / "bad.bin").write_bytes(b"bad")
    index = index_of(
        DataFile("deep/a.bin", SHA256, len(CONTENT)),
        DataFile("b", SHA256, names=("nowhere", "other.bin")),
        DataFile("bad.bin", SHA256),
        DataFile("c", SHA256),
        DataFile("d", names=("other.bin",)),
    )
    found = fetch(index, home, source=have)
    assert (found.present, found.new) == (3, 3)
    assert found.missing == ["c"]
    assert found.unchecked == ["d"]
    (sentence,) = found.refused
    assert "bad.bin has the checksum" in sentence
    assert present_members(index, home) == ["0", "1", "4"]
    assert not list(home.rglob("*.part"))
    with pytest.raises(DataError, match="is not a folder"):
        fetch(index, home, source=tmp_path / "nowhere")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    assert fetch(index_of(DataFile("a", SHA256)), tmp_path / "h", source=tmp_path).missing == ["a"]


def test_a_folder_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(CONTENT)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching.shutil, "copyfile", full)
    with pytest.raises(SetupError, match=r"No space left on device; make room.*BASTZOO_DATA"):
        fetch(index_of(DataFile("a", SHA256)), tmp_path / "home", source=tmp_path)
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def test_an_index_keeps_to_its_folder(tmp_path: Path) -> None:
    for path in ("../a", "/etc/passwd", "a/../../b"):
        with pytest.raises(ComponentError, match="outside its folder"):
            index_of(DataFile(path))
    with pytest.raises(ComponentError, match="names a file twice"):
        index_of(DataFile("a"), DataFile("a"))
    (tmp_path / "index.json").write_text('[{"path": "a", "colour": "blue"}]')
    with pytest.raises(ComponentError, match=r"index\.json cannot be read"):
        read_index(tmp_path / "index.json")


def test_a_set_without_files_is_read_where_it_is(tmp_path: Path) -> None:
    there, home = tmp_path / "there", tmp_path / "home"
    there.mkdir()
    index = DataIndex(
        name="toy",
        holds="sounds",
        licence="MIT",
        citation="none",
        source="here",
        read=lambda folder, name: folder,
        members={"all": ()},
        installed=str(tmp_path / "installed"),
    )
    assert folder_of(index, home) == tmp_path / "installed"
    assert present_members(index, folder_of(index, home)) == []
    remember_place(index, there, home)
    assert folder_of(index, home) == there
    assert present_members(index, there) == ["all"]
