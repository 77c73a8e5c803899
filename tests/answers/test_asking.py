"""A finished localizer of one's own, any function of clips, is tested and stands beside the models."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from torch import Tensor

import bastzoo as bz
from tests.answers.conftest import Run

MINE = """
import torch

def localize(clips):
    level = clips.square().mean(dim=2).clamp_min(1e-9).log()
    return 60 * (level[:, 0] - level[:, 1]).clamp(-1, 1)

def full(clips):
    angles = localize(clips)
    return {"azimuth_deg": angles, "confidence": (angles.abs() / 60).numpy(), "elevation_deg": 0 * angles}

def radians(clips): return torch.deg2rad(localize(clips))
def clockwise(clips): return localize(clips) % 360
def one(clips): return localize(clips)[:1]
def words(clips): return ["left"] * len(clips)
def nothing(clips): return torch.full((len(clips),), torch.nan)
def infinite(clips): return localize(clips) / 0
def zeros(clips): return torch.zeros(len(clips), 3)
def some(clips):
    angles = localize(clips)
    return torch.where(angles.abs() < 20, torch.nan, angles)
def strange(clips): return {"azimut": localize(clips)}
def certain(clips): return {"azimuth_deg": localize(clips), "confidence": 7 + 0 * localize(clips)}
def barks(clips): return {"azimuth_deg": localize(clips), "class": ["bark"] * len(clips)}
def broken(clips): return clips @ torch.zeros(3)
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def test_a_network_of_ones_own_scores_as_the_run_it_is(
    runs: Path, tiny_preset: Path, tmp_path: Path
) -> None:
    localizer = bz.load(next(runs.glob("vanilla*")))
    model = localizer.model

    def method(clips: Tensor) -> Tensor:
        return model.head.decode(model(clips))["direction"]

    out = tmp_path / "runs"
    scored = bz.score(method, track="RI", name="Mine", preset=str(tiny_preset), runs=out)
    (own,) = [run for run in bz.load_runs(runs) if run.experiment]
    assert own.evaluation is not None
    assert scored[0].evaluation is not None
    for name in ("ad_mean", "front_back_rate", "lateral_error"):
        expected = own.evaluation.metrics[name]
        assert scored[0].evaluation.metrics[name] == pytest.approx(expected, abs=1e-3)
    assert scored.frame()["case"].tolist() == ["RI", "RI"]  # its own test, and the track


def test_a_function_in_a_file_is_ranked_beside_the_models_and_changes_no_rank(
    runs: Path, tiny_preset: Path, tmp_path: Path, mine: Path, bastzoo: Run
) -> None:
    there = tmp_path / "runs"
    shutil.copytree(runs, there)
    before = bastzoo("leaderboard", there).output
    named = ("--track", "RI", "--preset", tiny_preset, "--runs", there)
    forms = {"localize": "Mine", "full": "Mine, with confidence", "some": "Mine, of some"}
    for function, name in forms.items():
        said = bastzoo("score", f"{mine}:{function}", "--name", name, *named).output
        assert "95 % interval over sounds" in said
    after = bastzoo("leaderboard", there).output
    rows = [line for line in after.splitlines() if line.startswith("| Mine")]
    assert len(rows) == 3
    assert all("(scored from answers), rank (" in row for row in rows)

    def models(board: str) -> list[str]:
        return [line for line in board.splitlines() if line.startswith("|   ") and "BAST" in line]

    assert models(after) == models(before) != []
    # What is kept of them says all that was scored: a confidence, and where there was no answer.
    assert "9 of 9 runs hold" in bastzoo("runs", "verify", "--runs", there).output
    bundle = tmp_path / "mine.bastzoo.zip"
    (sure,) = there.glob("answers-*confidence*")
    bastzoo("submit", sure.name, "--runs", there, "--to", bundle)
    assert "1 of 1 submissions hold" in bastzoo("submissions", "check", bundle).output
    # The test of an environment is called by its name, as `score --track RI` has it.
    assert bastzoo("leaderboard", there, "--track", "RI").output == after
    assert str(bz.load_runs(there).leaderboard("RI")) == str(bz.load_runs(there).leaderboard())


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("radians", "look like radians"),
        ("clockwise", "from 0 to 360"),
        ("one", "of the shape [1] to"),
        ("words", "which holds no numbers"),
        ("nothing", "no azimuth at all"),
        ("infinite", "it is from -180 to 180"),
        ("zeros", "no azimuth at all"),
        ("strange", "has 'azimut'"),
        ("certain", "confidence 7; it is from 0 to 1"),
        ("barks", "the class 'bark'"),
        ("broken", "could not answer: RuntimeError"),
        ("absent", "has no function 'absent' (it has barks, broken"),
    ],
)
def test_what_is_no_answer_is_a_sentence_and_nothing_is_kept(
    function: str, words: str, mine: Path, tiny_preset: Path, tmp_path: Path, bastzoo: Run
) -> None:
    out = tmp_path / "runs"
    done = bastzoo(
        *("score", f"{mine}:{function}", "--track", "RI", "--name", "Mine"),
        *("--preset", tiny_preset, "--runs", out),
        code=1,
    )
    assert words in str(done.exception)
    assert not list(out.glob("*/record.json"))


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("nowhere.py:f", "There is no file 'nowhere.py'"),
        ("no_such_module_of_mine:f", "cannot be imported: ModuleNotFoundError"),
        ("bad.py:f", "cannot be imported: SyntaxError"),
    ],
)
def test_a_function_that_is_not_there_is_a_sentence(
    reference: str,
    words: str,
    tiny_preset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bastzoo: Run,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_text("def f(:")
    done = bastzoo(
        *("score", reference, "--track", "RI", "--name", "Mine", "--preset", tiny_preset), code=1
    )
    assert words in str(done.exception)
