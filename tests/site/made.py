"""A small folder of runs for the pages: models, baselines, a track, and names that nobody should choose."""

from __future__ import annotations

from bastzoo.records.record import RunRecord, TrackRecord
from tests.records.made import baseline_record, model_record, on_track

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (SCRIPT, "a|b\nc\u202ed\u200f", "long" * 50)


def renamed(record: RunRecord, name: str) -> RunRecord:
    """The same run of a backbone of another name, as a plugin or a hand may have written it."""
    experiment = record.experiment
    assert experiment is not None
    chosen = experiment.combination.model_copy(update={"backbone": name})
    backbone = experiment.components["backbone"].model_copy(update={"name": name})
    components = {**experiment.components, "backbone": backbone}
    changed = experiment.model_copy(update={"combination": chosen, "components": components})
    return record.model_copy(update={"experiment": changed, "key": changed.key})


def without_figures(record: RunRecord) -> RunRecord:
    """The same run with NaN where its figures were."""
    evaluation = record.evaluation
    assert evaluation is not None
    nan = float("nan")
    sounds = {**evaluation.by_sound, "ad_mean": [nan] * len(evaluation.by_sound["sounds"])}
    update = {"metrics": {**evaluation.metrics, "ad_mean": nan}, "by_sound": sounds}
    return record.model_copy(update={"evaluation": evaluation.model_copy(update=update)})


def runs() -> list[RunRecord | TrackRecord]:
    """Four models of three backbones, one with two seeds, a baseline, and two of them on a track."""
    mamba, vanilla = model_record(5.0), model_record(9.0, backbone="vanilla")
    return [
        *(mamba, model_record(5.2, seed=1), vanilla),
        model_record(20.0, backbone="swin", loss="AD"),
        model_record(12.0, backbone="vanilla", integration="ADD"),
        baseline_record("ITD"),
        *(on_track(r, {"0 dB": 9.0, "clean": 5.0}, track="snr") for r in (mamba, vanilla)),
    ]
