"""The journal of a study: killed writers, cut lines, and files that are no journal."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage

from bastzoo.errors import FolderError, SetupError
from bastzoo.harness.journal import Journal
from bastzoo.records.claims import Claims

SERVER = multiprocessing.get_context("forkserver")


def opened(folder: Path) -> optuna.Study:
    storage = JournalStorage(Journal(folder / "journal.log", Claims(folder)))
    return optuna.create_study(storage=storage, study_name="study", load_if_exists=True)


def killed_while_it_writes(folder: Path) -> None:
    """A process that dies with half a line written and the lock held."""
    journal = Journal(folder / "journal.log", Claims(folder))
    journal._lock.acquire()
    with journal.path.open("ab") as file:
        file.write(b'{"op_code":4,"study_id":0,"date')
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.timeout(60)  # a lock that waits for ever
def test_a_writer_that_was_killed_is_waited_for_by_nobody_and_its_cut_line_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("study")  # relative: optuna's own lock, a link, hangs on such a path
    folder.mkdir()
    opened(folder).add_trial(optuna.create_trial(value=1.0))
    whole = (folder / "journal.log").read_bytes()
    process = SERVER.Process(target=killed_while_it_writes, args=(folder,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len((folder / "journal.log").read_bytes()) > len(whole)

    assert [trial.value for trial in opened(folder).trials] == [1.0]
    opened(folder).add_trial(optuna.create_trial(value=2.0))
    assert [trial.value for trial in opened(folder).trials] == [1.0, 2.0]
    assert (folder / "journal.log").read_bytes().startswith(whole)


@pytest.mark.timeout(60)
def test_a_lock_that_an_older_version_left_is_waited_for_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study").mkdir()
    Path("study/journal.log.lock").symlink_to("study/journal.log")
    opened(Path("study")).add_trial(optuna.create_trial(value=1.0))


@pytest.mark.parametrize("cut", [b"{", b"\0" * 9000, b'{"op_code":4}'])
def test_a_line_without_an_end_is_dropped_however_long(tmp_path: Path, cut: bytes) -> None:
    opened(tmp_path).add_trial(optuna.create_trial(value=1.0))
    with (tmp_path / "journal.log").open("ab") as file:
        file.write(cut)
    opened(tmp_path).add_trial(optuna.create_trial(value=2.0))
    assert [trial.value for trial in opened(tmp_path).trials] == [1.0, 2.0]


@pytest.mark.parametrize("text", [b"not JSON\n{}\n", b"\xff\xfe\n{}\n", b"[" * 100_000 + b"\n{}\n"])
def test_what_is_no_journal_is_a_sentence(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "journal.log").write_bytes(text)
    with pytest.raises(SetupError, match=r"cannot be read .* remove the folder"):
        opened(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "journal.log")
    with pytest.raises(SetupError, match="no regular file"):
        opened(tmp_path)


def test_a_full_disk_is_a_sentence_and_the_journal_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(FolderError, match="no space left"):
            study.add_trial(optuna.create_trial(value=1.0))
    study.add_trial(optuna.create_trial(value=2.0))
    assert opened(tmp_path).trials[-1].value == 2.0
