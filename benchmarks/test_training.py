"""What does a training step cost, where does its time go, and how far is it from what the machine can do?

Every backbone (SUB, SP, MIX, on RI) at every preset, beside the published architecture in plain PyTorch:
attention whose score matrix is written down, a scan that keeps all its states, the ears one after the
other. Both take turns in one run, and medians count. A whole run writes `training.md` beside this file.

Run with: pytest benchmarks/test_training.py --benchmark-only
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from reporting import machine, table
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bastzoo.data.environments import ri
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.experiment import Combination
from bastzoo.harness.workbench import Workbench
from bastzoo.ops.selective_scan.availability import VARIABLE
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset

HERE = Path(__file__).parent
BACKBONES = ("vanilla", "swin", "mamba")
# Clips a step, and rounds. The paper's size with the seed's batch of 5 is what its own code was timed with.
PRESETS = {"quick": (64, 15), "standard": (64, 5), "paper": (5, 3)}
GOALS = {
    ("quick", "vanilla"): "22 ms",
    **{("standard", name): "110 ms" for name in BACKBONES},
    ("paper", "vanilla"): "1.3 ×",
    ("paper", "swin"): "1.3 ×",
    ("paper", "mamba"): "3.5 ×",
}
# Of Okabe and Ito (2008): they differ for colour-blind readers too.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7")
PARTS = ("rendering", "frontend", "forward", "backward", "optimizer")

Results = dict[tuple[str, ...], dict[str, Any]]


class Step:
    """One training step, in the parts that its time goes to."""

    def __init__(self, backbone: str, preset: str, batch: int, precision: str = "no") -> None:
        values = load_preset(preset)
        workbench = Workbench(default_registry(), device="cpu")
        experiment = workbench.resolver.experiment(
            Combination(backbone=backbone, integration="SUB", loss="MIX", sharing="SP"),
            preset=values,
            environment="RI",
            seed=0,
        )
        self.model = workbench.session.build(experiment).train()
        self._loss = workbench.session.loss(experiment, self.model)
        self._optimizer = torch.optim.AdamW(self.model.parameters(), fused=True)
        few = values.data.model_copy(update={"train_sounds": 100})
        self._clips = RenderedData(environment=ri(), size=few).split("train")
        self._indices = torch.randperm(len(self._clips), generator=torch.manual_seed(0))[:batch]
        self._bf16 = precision == "bf16"

    def parts(self, localize: Callable[[Tensor], dict[str, Tensor]] | None = None) -> list[float]:
        """Do a step and return the seconds of each of `PARTS`."""
        times = [time.perf_counter()]

        def passed() -> None:
            times.append(time.perf_counter())

        batch = self._clips.take(self._indices)
        passed()
        features = self.model.features(batch.inputs)
        passed()
        with torch.autocast("cpu", torch.bfloat16) if self._bf16 else nullcontext():
            value = self._loss((localize or self.model.localize)(features), batch.targets)
        passed()
        value.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        passed()
        self._optimizer.step()
        self._optimizer.zero_grad()
        passed()
        return [after - before for before, after in pairwise(times)]

    def flops(self) -> int:
        """Floating-point operations of forward and backward, as torch counts them."""
        features = self.model.features(self._clips.take(self._indices[:1]).inputs)
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            self.model.localize(features)
        return 3 * counter.get_total_flops() * len(self._indices)

    def plainly(self, features: Tensor) -> dict[str, Tensor]:
        """The published architecture: the ears one after the other (SP: by one encoder)."""
        model = self.model
        left, right = (
            model.ears[0](model.backbone.embed(features[:, ear].contiguous())) for ear in (0, 1)
        )
        fused = model.fusion(model.integration(left, right))
        return model.head(fused.mean(dim=1))


@contextmanager
def plain(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Attention whose scores are written down, and a scan that keeps every state."""
    layers = [layer for layer in model.modules() if hasattr(layer, "fused_attn")]
    for layer in layers:
        layer.fused_attn = False
    monkeypatch.setenv(VARIABLE, "reference")
    try:
        yield
    finally:
        monkeypatch.delenv(VARIABLE)
        for layer in layers:
            layer.fused_attn = True


def has_bf16() -> bool:
    """Whether the processor multiplies in bfloat16; elsewhere it is written with float32, and slow."""
    flags = Path("/proc/cpuinfo")
    return flags.exists() and "avx512_bf16" in flags.read_text()


def limit() -> float:
    """What the machine multiplies at most, in operations a second: large float32 matrices."""
    a, b = torch.randn(1536, 1536), torch.randn(1536, 1536)
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - started)
    return 2 * 1536**3 / min(seconds)


def peak_memory(backbone: str, preset: str) -> float:
    """GiB that a fresh process of two steps takes at most."""
    done = subprocess.run(
        [sys.executable, __file__, backbone, preset], check=True, capture_output=True, text=True
    )
    return float(done.stdout) / 2**20


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    found: Results = {}
    yield found
    if len([key for key in found if len(key) == 2]) == len(BACKBONES) * len(PRESETS):
        (HERE / "training.md").write_text(report(found), encoding="utf-8")
        draw(found, HERE.parent / "docs" / "pictures" / "training-step.svg")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_step(
    benchmark: Any,
    ratio: Any,
    results: Results,
    monkeypatch: pytest.MonkeyPatch,
    backbone: str,
    preset: str,
) -> None:
    batch, rounds = PRESETS[preset]
    step = Step(backbone, preset, batch)
    ours: list[list[float]] = []
    theirs: list[list[float]] = []
    reached: list[float] = []

    def in_turns() -> None:
        with plain(step.model, monkeypatch):
            theirs.append(step.parts(step.plainly))
        reached.append(limit())

    benchmark.group = f"a training step at {preset}, {batch} clips"
    benchmark.pedantic(
        lambda: ours.append(step.parts()), setup=in_turns, rounds=rounds, warmup_rounds=1
    )
    parts = [median(times) for times in zip(*ours[1:], strict=True)]
    seconds, plain_seconds = (median(map(sum, each[1:])) for each in (ours, theirs))
    work = parts[2] + parts[3]
    found = {
        "seconds": seconds,
        "plain": plain_seconds,
        "parts": parts,
        "share": step.flops() / work / max(reached),
        "memory": peak_memory(backbone, preset),
        "limit": max(reached),
    }
    results[preset, backbone] = found
    ratio(plain_seconds / seconds, "the published architecture in plain PyTorch")
    benchmark.extra_info["share"] = round(found["share"], 2)


@pytest.mark.skipif(not has_bf16(), reason="the processor has no bfloat16 arithmetic")
@pytest.mark.parametrize("preset", ["standard", "paper"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_step_in_bfloat16(
    benchmark: Any, ratio: Any, results: Results, backbone: str, preset: str
) -> None:
    """Beside float32 in the same run: `--precision auto` follows from this."""
    batch, rounds = PRESETS[preset]
    full, half = (Step(backbone, preset, batch, precision) for precision in ("no", "bf16"))
    seconds: list[float] = []
    benchmark.pedantic(
        half.parts, setup=lambda: seconds.append(sum(full.parts())), rounds=rounds, warmup_rounds=1
    )
    found = {"full": median(seconds[1:]), "half": benchmark.stats.stats.median}
    results[preset, backbone, "bf16"] = found
    ratio(found["full"] / found["half"], "float32")


def report(found: Results) -> str:
    """The page of a whole run."""
    rows, split = [], []
    for preset, (batch, _) in PRESETS.items():
        for backbone in BACKBONES:
            each = found[preset, backbone]
            rows.append(
                [
                    f"{preset}, {batch} clips",
                    backbone,
                    f"{1e3 * each['seconds']:.0f} ms",
                    f"{each['plain'] / each['seconds']:.2f} ×",
                    GOALS.get((preset, backbone), ""),
                    f"{100 * each['share']:.0f} %",
                    f"{each['memory']:.2f} GiB",
                ]
            )
            whole = sum(each["parts"])
            split.append(
                [preset, backbone, *(f"{100 * part / whole:.0f} %" for part in each["parts"])]
            )
    reached = median(each["limit"] for key, each in found.items() if len(key) == 2)
    sections = [
        "# A training step",
        "Written by `pytest benchmarks/test_training.py --benchmark-only`. SUB, SP, MIX on RI, float32; "
        "medians of rounds in turns with the published architecture in plain PyTorch (attention whose scores "
        "are written down, a scan that keeps every state, the ears one after the other).",
        machine(),
        f"Large float32 matrices reach {reached / 1e9:.0f} GFLOP/s here; the share is that of forward and "
        "backward. The memory is the peak of a fresh process.",
        table(["step", "backbone", "time", "plain / ours", "goal", "of the limit", "memory"], rows),
        "## Where the time goes",
        table(["step", "backbone", *PARTS], split),
        "## bfloat16",
    ]
    halves = [(key, each) for key, each in found.items() if len(key) == 3]
    if halves:
        lines = [
            [key[0], key[1], f"{1e3 * each['half']:.0f} ms", f"{each['full'] / each['half']:.2f} ×"]
            for key, each in halves
        ]
        sections.append(table(["step", "backbone", "time", "float32 / bfloat16"], lines))
    else:
        sections.append("This processor has no bfloat16 arithmetic, so there is no figure.")
    return "\n\n".join(sections) + "\n"


def draw(found: Results, path: Path) -> None:
    """Where the time of a step goes: a bar for each backbone and preset, its parts as shares."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from bastzoo.plots.style import drawing, style_named

    rows = [(preset, backbone) for preset in PRESETS for backbone in BACKBONES]
    with drawing(style_named("paper")):
        figure, axes = pyplot.subplots(figsize=(6.3, 3.2), layout="constrained")
        left = [0.0] * len(rows)
        places = range(len(rows))
        for number, part in enumerate(PARTS):
            shares = [100 * found[row]["parts"][number] / sum(found[row]["parts"]) for row in rows]
            axes.barh(places, shares, left=left, label=part, height=0.7, color=COLOURS[number])
            left = [a + b for a, b in zip(left, shares, strict=True)]
        axes.set_yticks(
            places,
            [
                f"{preset}, {backbone}: {1e3 * found[preset, backbone]['seconds']:.0f} ms"
                for preset, backbone in rows
            ],
        )
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("share of a training step, %")
        axes.legend(ncols=len(PARTS), loc="lower center", bbox_to_anchor=(0.4, 1.0), frameon=False)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


if __name__ == "__main__":
    named, size = sys.argv[1:]
    once = Step(named, size, PRESETS[size][0])
    once.parts()
    once.parts()
    # Not getrusage's figure, which starts from that of the process that started this one.
    print(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
