"""What all tables of results share: words, figures, markdown, and how to make a table again."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bastzoo.bench.record import Evaluation, RunRecord, TrackRecord
from bastzoo.experiment import Experiment

# How the papers write what the zoo calls by a shorter name.
MODELS = {"mamba": "BAST-Mamba", "vanilla": "BAST", "swin": "BAST-Swin"}
LOSSES = {"MIX": "Hybrid", "MIX-EXACT": "Hybrid, exact", "AD-EXACT": "AD, exact"}
INTEGRATIONS = {"ADD": "Add.", "SUB": "Sub.", "CONCAT": "Concat."}

PAPER_COLUMNS = ["Model", "Loss", "Integ.", "AD"]


def labels(experiment: Experiment) -> tuple[str, str, str]:
    """Model, loss and integration of an experiment, as the papers write them."""
    chosen = experiment.combination
    model = f"{MODELS.get(chosen.backbone, chosen.backbone)}-{chosen.sharing}"
    extras = [
        name
        for name, usual in ((chosen.head, "azimuth"), (chosen.frontend, "spectrogram"))
        if name != usual
    ]
    extras += [
        f"{kind} version {component.version}"
        for kind, component in experiment.components.items()
        if component.version != 1
    ]
    return (
        " + ".join([model, *extras]),
        LOSSES.get(chosen.loss, chosen.loss),
        INTEGRATIONS.get(chosen.integration, chosen.integration),
    )


def data_words(experiment: Experiment, evaluation: Evaluation) -> str:
    """What was heard in a test, and what was trained on."""
    source, size = experiment.source, experiment.preset.data
    tested = len(evaluation.by_sound["sounds"])
    if source.layout != "rendered":
        what = {"bast": "recordings", "csv": "spectrograms"}[source.layout]
        return f"{tested} sounds of recorded data (`{source.path}`), {what}"
    words = [f"{tested} sounds that no model was trained on"]
    if experiment.condition.directions == "grid":
        step = size.azimuth_step
        words.append(f"{360 // step} azimuths in steps of {step}°")
    if str(experiment.condition):
        words.append(str(experiment.condition))
    if source.hrtf:
        words.append(f"head `{source.hrtf}`")
    corpus = f" of `{source.sounds}`" if source.sounds else ""
    trained = "" if source.sounds else f"{size.train_sounds:,} "
    return f"{', '.join(words)}. Trained on {trained}other sounds{corpus}"


def papers_order(key: tuple[str, ...]) -> tuple[object, ...]:
    """Sort key of a combination: the order in which the papers print them."""
    known = ["NSP", "SP", "MSE", "AD", "MIX", "CONCAT", "ADD", "SUB"]
    return tuple((known.index(k) if k in known else len(known), k) for k in key)


def again(records: Sequence[RunRecord] | Sequence[TrackRecord], *, costs: bool = True) -> list[str]:
    """How to make a table again: commands, and what it was measured with.

    costs: whether the table has columns of costs, which need a word of explanation.
    """
    commands = sorted({r.provenance.command for r in records})
    origins = sorted(
        {
            f"{r.provenance.processor} ({r.provenance.device}, {r.provenance.threads} threads, "
            f"{r.provenance.scan} scan), {r.provenance.platform}, "
            + ", ".join(f"{name} {version}" for name, version in r.provenance.versions.items())
            + f", commit {r.provenance.commit or 'unknown'}"
            for r in records
        }
    )
    explained = [
        "Latency is one clip at batch 1, frontend included (median of 100). MACs count matrix products,",
        "convolutions, attention and the selective scan. The training time is the wall time of a run",
        "without its test. Measured on:",
    ]
    return [
        "## How to make this table again",
        "",
        *[f"    {command}" for command in commands],
        "",
        *(explained if costs else ["Measured on:"]),
        "",
        *[f"- {origin}" for origin in origins],
        "",
    ]


def markdown(table: Sequence[Sequence[object]], columns: list[str]) -> str:
    """A markdown table; words to the left, figures to the right."""
    frame = pd.DataFrame(table, columns=columns).astype(str)
    text = {"Model", "Loss", "Integ.", "Method", "Trained on"}
    align = ["left" if column in text else "right" for column in columns]
    return frame.to_markdown(index=False, tablefmt="pipe", colalign=align, disable_numparse=True)


def degrees(value: float | None) -> str:
    """An angle, or a dash."""
    return "-" if value is None else f"{value:.2f}°"


def percent(value: float | None) -> str:
    """A share, or a dash."""
    return "-" if value is None else f"{100 * value:.1f} %"
