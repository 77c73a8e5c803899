"""`--precision auto`: whether bfloat16 trains faster here, found by training a few steps in it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from bastzoo.engine.evaluation import synchronise
from bastzoo.errors import SetupError
from bastzoo.experiment import Experiment, digest
from bastzoo.harness.workbench import Workbench
from bastzoo.records.store import write_text

FASTER = 1.1
"""How many times faster bfloat16 has to be to be taken: less than that is not worth fewer digits."""

CHOICES_FILE = "precision.json"
"""In the folder of runs: what was chosen there, so that the same command again goes on with it."""

_ROUNDS = 3
_HOPELESS = 2.0


@dataclass(frozen=True)
class Choice:
    """A precision, and the seconds of training steps in float32 over those in bfloat16."""

    precision: Literal["no", "bf16"]
    ratio: float

    def __str__(self) -> str:
        name = "bfloat16" if self.precision == "bf16" else "float32"
        return (
            f"Computing in {name}: a step in bfloat16 takes {1 / self.ratio:.2f} times as long as one in "
            f"float32 here (below {1 / FASTER:.2f} it is taken)."
        )


def chosen_precision(
    experiments: Sequence[Experiment], *, workbench: Workbench, folder: Path | None
) -> Choice:
    """The precision for all rows of a grid, which has one, so that they stand in one table.

    experiments: those of the grid; one of each backbone is trained for a few steps, unless it was chosen
        for them before. folder: of the runs, which keeps what was chosen; None to keep nothing.

    Raises SetupError for one training of several processes.
    """
    if workbench.session.accelerator.num_processes > 1:
        raise SetupError(
            "--precision auto measures one process, and this training has several; "
            "use --precision bf16 or no."
        )
    first: dict[str, Experiment] = {}
    for experiment in experiments:
        first.setdefault(experiment.combination.backbone, experiment)
    name = digest(
        [
            [each.combination.model_dump(mode="json") for each in first.values()],
            [
                each.preset.model_dump(mode="json", include={"model", "parameters"})
                for each in first.values()
            ],
            [each.preset.recipe.batch for each in first.values()],
            workbench.session.device.type,
        ]
    )
    kept = {} if folder is None else _kept(folder / CHOICES_FILE)
    with suppress(KeyError, TypeError):
        return Choice(**kept[name])
    times = [_seconds(each, workbench) for each in first.values()]
    ratio = sum(full for full, _ in times) / sum(half for _, half in times)
    choice = Choice("bf16" if ratio >= FASTER else "no", round(ratio, 3))
    if folder is not None:
        write_text(
            folder / CHOICES_FILE, json.dumps({**kept, name: asdict(choice)}, indent=1) + "\n"
        )
    return choice


def _kept(path: Path) -> dict[str, Any]:
    """What was chosen before. A file that cannot be read is one that is not there: it is measured anew."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(experiment: Experiment, workbench: Workbench) -> tuple[float, float]:
    """Seconds of forward and backward in float32 and in bfloat16, in turns, after one of each not counted."""
    session = workbench.session
    model = session.build(experiment).to(session.device).train()
    loss = session.loss(experiment, model)
    clips = workbench.data.of(experiment).split("train")
    batch = clips.take(torch.arange(min(experiment.preset.recipe.batch, len(clips))))

    def step(*, half: bool) -> float:
        started = _now(session.device)
        with torch.autocast(session.device.type, torch.bfloat16, enabled=half):
            outputs = {name: output.float() for name, output in model(batch.inputs).items()}
            value = loss(outputs, batch.targets)
        value.backward()
        seconds = _now(session.device) - started
        model.zero_grad()
        return seconds

    full, half = [step(half=False)], [step(half=True)]
    for _ in range(_ROUNDS):
        full.append(step(half=False))
        half.append(step(half=True))
        if (
            half[-1] > _HOPELESS * full[-1]
        ):  # a processor without such arithmetic: minutes, for a known answer
            break
    return median(full[1:]), median(half[1:])


def _now(device: torch.device) -> float:
    synchronise(device)
    return time.perf_counter()
