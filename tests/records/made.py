"""Run records made up for tests: the shape of real ones, with numbers from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bastzoo.conditions import Condition
from bastzoo.experiment import Combination, ResolvedComponent, resolve
from bastzoo.plugins import default_registry
from bastzoo.presets import Preset, load_preset
from bastzoo.records.record import (
    AnswersExperiment,
    BaselineExperiment,
    CaseResult,
    Cost,
    Evaluation,
    Failure,
    Provenance,
    RunRecord,
    TrackRecord,
    Training,
)

PROVENANCE = Provenance(
    created="2026-01-01T00:00:00+00:00",
    command="bastzoo bench --backbone mamba --integ SUB",
    versions={"python": "3.11", "bastzoo": "0"},
    commit="abc",
    platform="Linux x86_64",
    processor="a processor, 2 cores",
    device="cpu",
    threads=2,
    scan="cpu",
    seconds=60.0,
    peak_memory_mb=900.0,
)


def evaluation(ad: float, environment: str = "RI", sounds: int = 12, seed: int = 0) -> Evaluation:
    means = np.abs(ad + np.random.default_rng(seed).normal(size=sounds))  # distances
    metrics = {"ad_mean": float(means.mean()), "ad_median": ad / 2, "acc_10": 0.8, "invalid": 0}
    return Evaluation(
        environment=environment,
        clips=sounds * 72,
        metrics={**metrics, "lateral_error": 2.0, "front_back_rate": 0.1},
        by_room={"anechoic": metrics, "lecture-hall": metrics},
        by_azimuth=[],
        by_sound={
            "sounds": [f"sound-{i}" for i in range(sounds)],
            "ad_mean": means.tolist(),
            "clips": [72] * sounds,
        },
    )


def model_record(
    ad: float = 8.0,
    *,
    seed: int = 0,
    failed: bool = False,
    preset: Preset | None = None,
    precision: str = "no",
    versions: Mapping[str, int] | None = None,
    **chosen: str,
) -> RunRecord:
    values = {"backbone": "mamba", "integration": "SUB", "loss": "MIX", "sharing": "SP", **chosen}
    environment = values.pop("environment", "RI")
    experiment = resolve(
        Combination.model_validate(values),
        registry=default_registry(),
        preset=preset or load_preset("quick"),
        environment=environment,
        data_digest=f"data-of-{environment}",
        seed=seed,
        precision=precision,
    )
    newer = {
        kind: experiment.components[kind].model_copy(update={"version": version})
        for kind, version in (versions or {}).items()
    }
    experiment = experiment.model_copy(update={"components": {**experiment.components, **newer}})
    if failed:
        failure = Failure(error="TrainingError", message="The loss became nan.", traceback="...")
        return RunRecord(
            key=experiment.key,
            status="failed",
            experiment=experiment,
            failure=failure,
            provenance=PROVENANCE,
        )
    return RunRecord(
        key=experiment.key,
        status="finished",
        experiment=experiment,
        training=Training(
            steps=600, best_step=600, best_validation_ad=ad, seconds=50.0, stopped_early=False
        ),
        evaluation=evaluation(ad, environment, seed=seed),
        cost=Cost(
            parameters=123_456,
            macs=7_000_000,
            latency_p50_ms=4.0,
            latency_p95_ms=5.0,
            real_time_factor=0.008,
        ),
        provenance=PROVENANCE,
    )


def baseline_record(
    name: str = "ITD", ad: float = 30.0, *, data_digest: str = "data-of-RI"
) -> RunRecord:
    preset = load_preset("quick")
    experiment = BaselineExperiment(
        component=ResolvedComponent.of(default_registry().get("baseline", name), preset),
        environment="RI",
        data=preset.data,
        data_digest=data_digest,
        fit_clips=100,
    )
    return RunRecord(
        key=experiment.key,
        status="finished",
        baseline=experiment,
        evaluation=evaluation(ad),
        provenance=PROVENANCE,
    )


def answers_record(name: str = "my method", ad: float = 12.0) -> RunRecord:
    """A method from elsewhere whose answers were scored on the clips of the other records."""
    experiment = AnswersExperiment(
        name=name,
        track="RI",
        track_version=1,
        environment="RI",
        data=load_preset("quick").data,
        data_digest="data-of-RI",
        answers_digest="0" * 16,
    )
    return RunRecord(
        key=experiment.key,
        status="finished",
        answers=experiment,
        evaluation=evaluation(ad),
        provenance=PROVENANCE,
    )


def on_track(
    record: RunRecord,
    errors: dict[str, float],
    *,
    track: str = "off-grid",
    version: int = 1,
    clips: str = "clips",
) -> TrackRecord:
    """The results of a run on a track: mean AD by the label of the case."""
    cases = [
        CaseResult(
            label=label,
            condition=Condition(),
            data_digest=f"{clips}-{label}",
            evaluation=evaluation(ad, seed=int(ad)),
        )
        for label, ad in errors.items()
    ]
    return TrackRecord(
        key=record.key,
        experiment=record.experiment,
        baseline=record.baseline,
        training=record.training,
        cost=record.cost,
        provenance=PROVENANCE,
        track=track,
        track_version=version,
        cases=cases,
    )


def keep(folder: Path, *records: RunRecord | TrackRecord) -> Path:
    """Write records as files, as under leaderboards/records/."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, record in enumerate(records):
        track = "track-" if isinstance(record, TrackRecord) else ""
        path = folder / f"{track}{number:03d}.json"
        path.write_text(record.model_dump_json(), encoding="utf-8")
    return folder
