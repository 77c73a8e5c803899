"""What all tables of results share: words, figures, markdown, and how to make a table again."""

from __future__ import annotations

import html
import math
import re
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from tabulate import tabulate

from bastzoo.boards.statistics import (
    ENOUGH_SEEDS,
    STATISTICS_PROTOCOL,
    Counts,
    Means,
    pooled_trainings,
)
from bastzoo.conditions import DataSource
from bastzoo.errors import tellable
from bastzoo.experiment import Experiment
from bastzoo.records.record import Evaluation, RunRecord, TrackRecord

# How the papers write what the zoo calls by a shorter name.
MODELS = {"mamba": "BAST-Mamba", "vanilla": "BAST", "swin": "BAST-Swin"}
LOSSES = {"MIX": "Hybrid", "MIX-EXACT": "Hybrid, exact", "AD-EXACT": "AD, exact"}
INTEGRATIONS = {"ADD": "Add.", "SUB": "Sub.", "CONCAT": "Concat."}

_LONGEST_WORDS, _LONGEST_COMMAND = 2_000, 20_000

PAPER_COLUMNS = ["Model", "Loss", "Integ.", "AD"]
TEXT_COLUMNS = frozenset({"Model", "Loss", "Integ.", "Method", "Trained on", "Why"})

MARK = " ←"
"""Stands after the name of a row that is pointed out."""

MARKED = "Rows with ← are those of this command."

BUSY = " (busy)"
"""Stands after a latency that was measured while the machine did other work."""

# What a reader has to know about a column of costs, by the column's key.
_EXPLAINED = {
    "latency": "Latency is one clip at batch 1, frontend included (median of 100).",
    "busy": "A busy machine did other work meanwhile: that latency says little.",
    "macs": "MACs count matrix products, convolutions, attention and the selective scan.",
    "trained": "The training time is the wall time of a run without its test.",
}


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


def data_words(
    experiment: Experiment, evaluation: Evaluation, notes: Mapping[str, Any] | None = None
) -> str:
    """What was heard in a test, and what was trained on.

    notes: of a record on recorded data; how many sounds its splits have.
    """
    source, size = experiment.source, experiment.preset.data
    tested = len(evaluation.by_sound["sounds"])
    if source.layout != "rendered":
        what = {"bast": "recordings", "csv": "spectrograms"}[source.layout]
        trained = ""
        if notes and "train_sounds" in notes:
            trained = (
                f". Trained on {notes['train_sounds']:,} other sounds, "
                f"{notes.get('validation_sounds', 0):,} held out for validation"
            )
        return f"{tested} sounds of recorded data ({code(source.path or '')}), {what}{trained}"
    words = [f"{tested} sounds that no model was trained on"]
    if experiment.condition.directions == "grid":
        step, heard = size.azimuth_step, len(evaluation.by_azimuth)
        # A measured room has the azimuths that were measured in it.
        of_grid = f"{360 // step} azimuths in steps of {step}°"
        words.append(of_grid if heard in (0, 360 // step) else f"{heard} azimuths")
    if str(experiment.condition):
        words.append(str(experiment.condition))
    words += named_listeners(source)
    corpus = f" of {code(source.sounds)}" if source.sounds else ""
    trained = "" if source.sounds else f"{size.train_sounds:,} "
    return f"{', '.join(words)}. Trained on {trained}other sounds{corpus}"


def named_listeners(source: DataSource) -> list[str]:
    """The listeners that a source names, in words: those of training, and those of the test if others."""
    words = []
    if source.own_listeners:
        words.append(_listener_words(source.own_listeners))
    if source.test_listeners:
        words.append(f"tested with {_listener_words(source.test_listeners)}")
    return words


def listener_facts(source: DataSource) -> dict[str, str]:
    """The listeners of training among the facts of a table; none where the source names none."""
    return {"listeners": ", ".join(source.own_listeners)} if source.own_listeners else {}


def _listener_words(names: Sequence[str]) -> str:
    plural = "s" if len(names) > 1 else ""
    return f"listener{plural} {', '.join(map(code, names))}"


def answers_words(rows: Iterable[Any]) -> list[str]:
    """What a table says of rows scored from answers, if it has any; `rows` have a record, `first`."""
    if not any(row.first.kind == "answers" for row in rows):
        return []
    return [
        "Rows *scored from answers* are of methods that ran elsewhere (`bastzoo score`): bastzoo made the "
        "clips and the figures, and knows nothing of how the answers came about. Their rank counts the "
        "models that are significantly better, and changes no model's."
    ]


def protocols(measured: int) -> str:
    """The protocol of a table's ranks, and of its figures where that is another."""
    if measured == STATISTICS_PROTOCOL:
        return f"protocol {measured}"
    return f"figures of protocol {measured}, ranks and intervals of protocol {STATISTICS_PROTOCOL}"


def papers_order(key: tuple[str, ...]) -> tuple[object, ...]:
    """Sort key of a combination: the order in which the papers print them."""
    known = ["NSP", "SP", "MSE", "AD", "MIX", "CONCAT", "ADD", "SUB"]
    return tuple((known.index(k) if k in known else len(known), k) for k in key)


def again(
    records: Sequence[RunRecord] | Sequence[TrackRecord], *, columns: Collection[str] = ()
) -> list[str]:
    """How to make a table again: commands, and what it was measured with.

    columns: keys of the columns that the table has; those of costs need a word of explanation.
    """
    shown = {*columns, "busy"} if "latency" in columns and _were_busy(records) else columns
    explained = [words for key, words in _EXPLAINED.items() if key in shown]
    return [
        "## How to make this table again",
        "",
        *[f"    {tellable(command, _LONGEST_COMMAND)}" for command in commands(records)],
        "",
        *paragraph(*explained, "Measured on:"),
        "",
        *sorted(f"- {marked(_origin_words(origin))}" for origin in origins(records)),
        "",
    ]


def _were_busy(records: Iterable[RunRecord | TrackRecord]) -> bool:
    costs = [record.cost for record in records if isinstance(record, RunRecord)]
    return any(cost.busy for cost in costs if cost is not None)


def commands(records: Iterable[RunRecord | TrackRecord]) -> list[str]:
    """The commands that made the records."""
    return sorted({record.provenance.command for record in records})


def origins(records: Iterable[RunRecord | TrackRecord]) -> list[dict[str, Any]]:
    """Hardware, versions and commit that records were made with, with the seeds that ran there.

    Nothing that a clock says is in it: repeated runs give the same.
    """
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        origin = record.provenance.model_dump(
            exclude={"created", "command", "seconds", "peak_memory_mb"}
        )
        origin = found.setdefault(repr(origin), {**origin, "seeds": set()})
        if record.experiment is not None:
            origin["seeds"].add(record.experiment.seed)
    return [{**found[key], "seeds": sorted(found[key]["seeds"])} for key in sorted(found)]


def _origin_words(origin: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in origin["versions"].items())
    seeds = f", {seed_words(origin['seeds'])}" if origin["seeds"] else ""
    return (
        f"{origin['processor']} ({origin['device']}, {origin['threads']} threads, "
        f"{origin['scan']} scan), {origin['platform']}, {versions}, "
        f"commit {origin['commit'] or 'unknown'}{seeds}"
    )


def seed_words(seeds: Iterable[int]) -> str:
    """Seeds in words: `seed 0`, `seeds 0, 1`, `seeds 0 to 4, 7`."""
    runs: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    words = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"seed{'s' * (sum(map(len, runs)) > 1)} {', '.join(words)}"


def paragraph(*sentences: str) -> list[str]:
    """Lines of a paragraph."""
    return textwrap.wrap(" ".join(sentences), width=96, break_on_hyphens=False)


_MARKED = str.maketrans(
    {"<": "&lt;", ">": "&gt;", **{letter: f"\\{letter}" for letter in "\\|[]`"}}
)


def marked(text: str) -> str:
    """A stranger's words as markdown shows them: no table, link, picture or HTML comes of them."""
    return tellable(text, _LONGEST_WORDS).translate(_MARKED)


def unmarked(text: str) -> str:
    """The same words where markdown is not read: as they were before `marked` and `code`."""
    return html.unescape(re.sub(r"\\([\\|\[\]`])|`", r"\1", text))


def code(text: str) -> str:
    """A stranger's words as code."""
    return f"`{tellable(text).replace('`', chr(39))}`"


def markdown(
    table: Sequence[Sequence[object]],
    columns: Sequence[str],
    text: Collection[str] = TEXT_COLUMNS,
) -> str:
    """A markdown table; the columns that hold `text` to the left, figures to the right."""
    align = ["left" if column in text else "right" for column in columns]
    return tabulate(
        [[marked(str(cell)) for cell in line] for line in table],
        headers=[marked(column) for column in columns],
        tablefmt="pipe",
        colalign=align,
        disable_numparse=True,
    )


def degrees(value: float | None) -> str:
    """An angle, or a dash."""
    return "-" if value is None else f"{value:.2f}°"


def percent(value: float | None) -> str:
    """A share, or a dash."""
    return "-" if value is None else f"{100 * value:.1f} %"


def ranks_in_words(rows: Sequence[Means], counts: Counts) -> str:
    """What the ranks of a table mean, in sentences."""
    said = (
        "A rank is one more than the number of rows that are significantly better (5 %, Holm): paired over "
        "sounds, and with the variance of trainings."
    )
    pooled = pooled_trainings(rows, counts)
    seeds = [len(np.atleast_2d(row)) for row in rows]
    if pooled is None:
        return (
            f"{said} Every row is one training, and nobody knows how far another one would come out: ranks "
            "in brackets count the sounds only."
        )
    common = (
        f"the spread of trainings that the table has in common, {100 * math.sqrt(pooled.share):.1f} % of the "
        f"AD ({pooled.freedom} degrees of freedom)"
    )
    if min(seeds) < ENOUGH_SEEDS:
        said += f" Rows of fewer than {ENOUGH_SEEDS} seeds take {common}."
        if max(seeds) >= ENOUGH_SEEDS:
            said += " Rows of more join their own with it."
    elif len(seeds) > 1:
        said += f" Rows join their own spread of trainings with {common}."
    return said
