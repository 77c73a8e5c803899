"""How long do the tables of 5,000 runs take, python's start included, and ranks of 500 rows?

Run with: make perf (or pytest benchmarks/test_leaderboard.py -o addopts="").
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from reporting import beside_a_product, process, seconds_of

from bastzoo.boards.statistics import standings
from bastzoo.records.record import RunRecord
from bastzoo.records.store import RECORD_FILE, read_record

ROOT = Path(__file__).parents[1]
REAL = ROOT / "leaderboards" / "records" / "quick"
ROUNDS = 5
RUNS = 5_000
SEEDS = 31  # 54 combinations x 3 environments x 31 seeds: 5,022, of which the last 22 are left away

COMBINATIONS = [
    {"backbone": backbone, "integration": integration, "loss": loss, "sharing": sharing}
    for backbone, integration, loss, sharing in itertools.product(
        ("mamba", "vanilla", "swin"), ("ADD", "SUB", "CONCAT"), ("MSE", "AD", "MIX"), ("SP", "NSP")
    )
]


def varied(record: RunRecord, index: int, environment: str, seed: int) -> RunRecord:
    """A record of another combination and seed, with errors of its own, as large as a real one."""
    assert record.experiment is not None
    assert record.evaluation is not None
    chosen = COMBINATIONS[index]
    combination = record.experiment.combination.model_copy(update=chosen)
    names = {**chosen, "environment": environment}
    components = {
        kind: component.model_copy(update={"name": names.get(kind, component.name)})
        for kind, component in record.experiment.components.items()
    }
    experiment = record.experiment.model_copy(
        update={
            "combination": combination,
            "components": components,
            "environment": environment,
            "seed": seed,
            "data_digest": f"data-of-{environment}",
        }
    )
    by_sound = record.evaluation.by_sound
    scale = np.random.default_rng([index, seed]).uniform(0.8, 1.2, len(by_sound["ad_mean"]))
    means = np.array(by_sound["ad_mean"]) * scale * (1 + index % 10 / 5)
    evaluation = record.evaluation.model_copy(
        update={
            "environment": environment,
            "by_sound": {**by_sound, "ad_mean": means.tolist()},
            "metrics": {**record.evaluation.metrics, "ad_mean": float(means.mean())},
        }
    )
    return record.model_copy(
        update={"experiment": experiment, "key": experiment.key, "evaluation": evaluation}
    )


@pytest.fixture(scope="module", params=["files", "run folders"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5,000 records, as files beside each other or each in the folder of its run."""
    found = tmp_path_factory.mktemp("runs")
    real = read_record(next(REAL.glob("mamba-SUB-MIX-SP-*.json")))
    wanted = itertools.product(range(len(COMBINATIONS)), ("RI", "RI01", "RI02"), range(SEEDS))
    for one in itertools.islice(wanted, RUNS):
        record = varied(real, *one)
        path = found / f"{record.name}.json"
        if request.param == "run folders":
            path = found / record.name / RECORD_FILE
            path.parent.mkdir()
        path.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return found


FORMS = [
    "md",
    *(pytest.param(form, marks=pytest.mark.thorough) for form in ("csv", "json", "latex")),
]


@pytest.mark.parametrize("form", FORMS)
def test_the_table_of_five_thousand_runs(
    benchmark: Any, ratio: Any, folder: Path, form: str
) -> None:
    text = timed(benchmark, ratio, "leaderboard", str(folder), "--format", form)
    assert "BAST-Swin-NSP" in text


def test_the_list_of_five_thousand_runs(benchmark: Any, ratio: Any, folder: Path) -> None:
    if next(folder.iterdir()).is_file():
        pytest.skip("a list is of run folders")
    text = timed(benchmark, ratio, "runs", "list", "--runs", str(folder))
    assert f"{RUNS} runs in" in text


def timed(benchmark: Any, ratio: Any, *words: str) -> str:
    click: list[float] = []

    def command() -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bastzoo", *words],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        return done.stdout

    def import_click() -> None:
        click.append(seconds_of(lambda: process("-c", "import click"), 1))

    text: str = benchmark.pedantic(command, setup=import_click, rounds=ROUNDS, warmup_rounds=1)
    if benchmark.stats is not None:
        ratio(median(click) / benchmark.stats.stats.median, "import click")
    return text


def test_ranks_of_500_rows_of_28800_clips(benchmark: Any, ratio: Any) -> None:
    rows = [np.random.default_rng(seed).uniform(0, 90, (5, 400)) for seed in range(500)]
    counts = np.full(400, 72)
    beside_a_product(benchmark, ratio, lambda: standings(rows, counts), rounds=ROUNDS)
