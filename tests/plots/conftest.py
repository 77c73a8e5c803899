"""Runs to draw: committed records, and folders with predictions made up here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bastzoo.directions import direction_from_angles
from bastzoo.metrics.catalogue import BUILT_IN
from bastzoo.metrics.localization import ad_by_sound, angular_distance, azimuth_curve
from bastzoo.metrics.metric import figures
from bastzoo.plots.results import Result
from bastzoo.records.record import Evaluation, RunRecord
from bastzoo.records.store import read_record

RECORDS = Path(__file__).parents[2] / "leaderboards" / "records"

Make = Callable[..., Result]


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    import matplotlib

    matplotlib.use("Agg")
    yield
    from matplotlib import pyplot

    pyplot.close("all")


@pytest.fixture(scope="session")
def record() -> RunRecord:
    (path,) = (RECORDS / "quick").glob("vanilla-SUB-AD-SP-RI-quick-seed0-*.json")
    return read_record(path)


@pytest.fixture
def make(record: RunRecord, tmp_path: Path) -> Make:
    """`make(true, said)`: a run with these answers (degrees), as evaluation would have written it."""

    def made(
        true: Any,
        said: Any,
        *,
        name: str = "vanilla",
        seed: int = 0,
        rooms: tuple[str, ...] = ("anechoic",),
        history: str = "",
        **more: np.ndarray,
    ) -> Result:
        targets = direction_from_angles(np.asarray(true, dtype=float))
        answers = direction_from_angles(np.asarray(said, dtype=float))
        clips = np.arange(len(targets))
        arrays = {
            "directions": answers,
            "targets": targets,
            "sounds": clips % 4,
            "rooms": 0 * clips,
            **more,
        }
        ids, means, counts = ad_by_sound(angular_distance(answers, targets), arrays["sounds"])
        fitting = [metric for metric in BUILT_IN if metric.fits(arrays)]
        tables: dict[str, Any] = {}
        for metric in fitting:
            if metric.tables is not None:
                tables |= metric.tables(arrays, ("<b>rain</b>", "hum"))
        found = Evaluation(
            environment="RI",
            clips=len(targets),
            metrics=figures(fitting, arrays),
            by_room={room: {"ad_mean": float(means.mean())} for room in rooms},
            by_azimuth=azimuth_curve(answers, targets),
            by_sound={
                "sounds": [f"rain-0-{i}" for i in ids],
                "ad_mean": [float(m) for m in means],
                "clips": [int(c) for c in counts],
            },
            **tables,
        )
        assert record.experiment is not None
        chosen = record.experiment.combination.model_copy(update={"backbone": name})
        experiment = record.experiment.model_copy(update={"combination": chosen, "seed": seed})
        key = f"{abs(hash((name, seed))):016x}"[:16]
        run = record.model_copy(update={"evaluation": found, "experiment": experiment, "key": key})

        folder = tmp_path / "runs" / f"run-{key}"
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(run.model_dump_json())
        np.savez(folder / "predictions.npz", **arrays)
        if history:
            (folder / "history.csv").write_text(history)
        return Result(run, folder)

    return made
