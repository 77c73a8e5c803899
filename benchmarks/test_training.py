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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from reporting import machine, table
from steps import BACKBONES, PARTS, Step, limit
from torch import nn

from bastzoo.ops.dropout import Dropout
from bastzoo.ops.selective_scan.availability import VARIABLE
from bastzoo.zoo.backbones import vanilla

HERE = Path(__file__).parent
# Clips a step, and rounds. The paper's size with the seed's batch of 5 is what its own code was timed with.
PRESETS = {"quick": (64, 15), "standard": (64, 5), "paper": (5, 2)}
GOALS = {
    ("quick", "vanilla"): "22 ms",
    **{("standard", name): "110 ms" for name in BACKBONES},
    ("paper", "vanilla"): "1.3 ×",
    ("paper", "swin"): "1.3 ×",
    ("paper", "mamba"): "3.5 ×",
}
# Of Okabe and Ito (2008): they differ for colour-blind readers too.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7")

Results = dict[tuple[str, ...], dict[str, Any]]


@contextmanager
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Attention whose scores are written down, a scan that keeps every state, and torch's own dropout."""
    with monkeypatch.context() as patched:
        patched.setattr(vanilla, "is_fused", lambda tokens: False)
        patched.setenv(VARIABLE, "reference")
        patched.setattr(Dropout, "forward", nn.Dropout.forward)
        yield


def has_bf16() -> bool:
    """Whether the processor multiplies in bfloat16; elsewhere it is written with float32, and slow."""
    flags = Path("/proc/cpuinfo")
    return flags.exists() and "avx512_bf16" in flags.read_text()


def peak_memory(backbone: str, preset: str) -> float:
    """GiB that a fresh process of two steps takes at most; of no backbone, one that does none."""
    done = subprocess.run(
        [sys.executable, __file__, backbone, preset], check=True, capture_output=True, text=True
    )
    return float(done.stdout) / 2**20


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    found: Results = {}
    yield found
    steps = [each for key, each in found.items() if len(key) == 2]
    if len(steps) == len(BACKBONES) * len(PRESETS) and all("memory" in each for each in steps):
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
        with plain(monkeypatch):
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


@pytest.mark.thorough
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_peak_memory(
    benchmark: Any, ratio: Any, results: Results, backbone: str, preset: str
) -> None:
    """Of a fresh process that does two steps, beside one that only imports what they need."""
    alone = peak_memory("none", preset)
    found = benchmark.pedantic(peak_memory, args=(backbone, preset), rounds=1)
    if (preset, backbone) in results:
        results[preset, backbone]["memory"] = found
    ratio(alone / found, "no step")


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
    if named in BACKBONES:
        once = Step(named, size, PRESETS[size][0])
        once.parts()
        once.parts()
    # Not getrusage's figure, which starts from that of the process that started this one.
    print(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
