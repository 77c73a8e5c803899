"""What is a GPU worth in training, and how much of it is used?

Every backbone (SUB, SP, MIX, on RI) at one preset, in float32 and bfloat16, in the batch with the most clips
a second that fits; with the network compiled, and replayed as a CUDA graph; and the selective scan beside
mamba-ssm's kernel. Clips are rendered, and their features made, on the GPU.

    python benchmarks/gpu.py                                    # writes gpu.md, where a CUDA device is
    python benchmarks/gpu.py --device cpu --preset quick        # prints the same; says nothing of a GPU
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from reporting import machine, seconds_of, table
from steps import BACKBONES, PARTS, Step, limit
from test_selective_scan import problem
from torch import Tensor

from bastzoo.ops.selective_scan import selective_scan
from bastzoo.ops.selective_scan.availability import PREFERENCE, VARIABLE, installed
from bastzoo.presets import load_preset

HERE = Path(__file__).parent
# Dense bfloat16 operations a second, from NVIDIA's data sheets.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}
GOAL = 0.40
# The scans of `mamba` in these presets, [clips, channels, steps, state].
SCANS = {"quick": (64, 64, 64, 8), "standard": (64, 256, 64, 16), "paper": (64, 1024, 180, 16)}
WAYS = ("as it is", "compiled", "CUDA graph")
ROUNDS = 7


@dataclass
class Reached:
    """One backbone, one way of running it: the median seconds of each of `PARTS`, or why there are none."""

    backbone: str
    precision: str
    way: str
    batch: int = 0
    parts: tuple[float, ...] = ()
    flops: float = 0.0
    memory: float = 0.0
    why_not: str = ""

    @property
    def clips_a_second(self) -> float:
        return self.batch / sum(self.parts)

    @property
    def operations_a_second(self) -> float:
        """Of forward and backward."""
        return self.flops / (self.parts[2] + self.parts[3])


def largest(step: Step, first: int, doublings: int) -> Reached:
    """The step in the batch, doubled from the first one on, that fits and has the most clips a second."""
    best = Reached("", "", WAYS[0], why_not=f"{first} clips do not fit")
    for doubled in range(doublings + 1):
        step.batch = first << doubled
        try:
            found = timed(step, None)
        except torch.OutOfMemoryError:
            step.model.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()
            break
        if best.parts and found.clips_a_second < 1.02 * best.clips_a_second:
            break
        best = found
    step.batch = best.batch
    return best


def timed(step: Step, localize: Callable[[Tensor], dict[str, Tensor]] | None) -> Reached:
    """Medians of several steps, after two that are not counted."""
    cuda = step.device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    rounds = [step.parts(localize) for _ in range(ROUNDS + 2)][2:]
    return Reached(
        *("", "", WAYS[0], step.batch),
        parts=tuple(median(times) for times in zip(*rounds, strict=True)),
        flops=step.flops(),
        memory=torch.cuda.max_memory_allocated() / 2**30 if cuda else 0.0,
    )


def training(preset: str, device: str, doublings: int) -> list[Reached]:
    """Every backbone in every precision, as it is, compiled, and as a CUDA graph."""
    first = load_preset(preset).recipe.batch
    found = []
    for backbone in BACKBONES:
        for precision in ("no", "bf16"):
            step = Step(backbone, preset, first, precision, device)
            best = largest(step, first, doublings)
            best.backbone, best.precision = backbone, precision
            found.append(best)
            print(line(best), flush=True)
            if device == "cpu" or not best.parts:
                continue
            for way, mode in zip(WAYS[1:], ("default", "reduce-overhead"), strict=True):
                other = attempted(step, mode)
                other.backbone, other.precision, other.way = backbone, precision, way
                found.append(other)
                print(line(other), flush=True)
            del step
            torch.cuda.empty_cache()
    return found


def attempted(step: Step, mode: str) -> Reached:
    """The same step with its network compiled; a compiler that gives up is named, and nothing else stops."""
    try:
        return timed(step, torch.compile(step.model.localize, mode=mode))
    except Exception as error:
        return Reached("", "", "", step.batch, why_not=str(error).strip().splitlines()[0][:80])


def scans(preset: str, device: str) -> list[list[str]]:
    """Forward and backward of one scan, by each implementation that is installed here."""
    import os

    shape = SCANS.get(preset, SCANS["paper"])
    tensors, dy = problem(*shape)
    tensors = [tensor.detach().to(device).requires_grad_() for tensor in tensors]
    dy = dy.to(device)

    def once() -> None:
        torch.autograd.grad(selective_scan(*tensors), tensors, dy)
        if device == "cuda":
            torch.cuda.synchronize()

    rows = []
    for name in PREFERENCE[device]:
        if not (status := installed(name)).ok:
            rows.append([name, "-", status.reason])
            continue
        os.environ[VARIABLE] = name
        try:
            once()
            rows.append([name, f"{1e3 * seconds_of(once, ROUNDS):.2f} ms", ""])
        except Exception as error:
            rows.append([name, "-", str(error).strip().splitlines()[0][:80]])
        finally:
            del os.environ[VARIABLE]
    return rows


def line(found: Reached) -> str:
    what = f"{found.backbone}, {found.precision}, {found.way}"
    if not found.parts:
        return f"{what}: {found.why_not}"
    return f"{what}: {found.batch} clips in {1e3 * sum(found.parts):.1f} ms"


def report(found: list[Reached], preset: str, device: str) -> str:
    cuda = device == "cuda"
    card = torch.cuda.get_device_name() if cuda else "no GPU: this processor"
    size = 8192 if cuda else 1024
    reached = {
        "no": limit(device, torch.float32, size),
        "bf16": limit(device, torch.bfloat16, size),
    }
    peak = next((value for name, value in PEAKS.items() if name in card), None)
    rows, split = [], []
    for each in found:
        name = [each.backbone, "float32" if each.precision == "no" else "bfloat16", each.way]
        if not each.parts:
            rows.append([*name, "-", "-", "-", "-", "-", each.why_not])
            continue
        at_most = f"{100 * each.operations_a_second / reached[each.precision]:.0f} %"
        of_peak = "-"
        if peak is not None and each.precision == "bf16":
            of_peak = f"{100 * each.operations_a_second / peak:.0f} %"
        rows.append(
            [
                *name,
                str(each.batch),
                f"{1e3 * sum(each.parts):.1f} ms",
                f"{each.clips_a_second:,.0f}",
                at_most,
                of_peak,
                f"{each.memory:.1f} GiB" if cuda else "-",
            ]
        )
        whole = sum(each.parts)
        split.append([*name, *(f"{100 * part / whole:.0f} %" for part in each.parts)])
    sections = [
        "# Training on a GPU",
        f"Written by `python benchmarks/gpu.py --device {device} --preset {preset}`. SUB, SP, MIX on RI; "
        f"medians of {ROUNDS} steps, in the batch with the most clips a second.",
        f"Card: {card}. Large matrices reach {reached['no'] / 1e12:.3g} TFLOP/s in float32 and "
        f"{reached['bf16'] / 1e12:.3g} in bfloat16 here"
        + (f"; its data sheet says {peak / 1e12:.0f}." if peak else ".")
        + f" The goal is {100 * GOAL:.0f} % of the peak in bfloat16, forward and backward.",
        machine(),
        table(
            [
                *("backbone", "precision", "network", "clips", "a step", "clips/s"),
                *("of large matrices", "of the data sheet", "memory"),
            ],
            rows,
        ),
        "## Where the time goes",
        table(["backbone", "precision", "network", *PARTS], split),
        "## The selective scan",
        f"Forward and backward, {list(SCANS.get(preset, SCANS['paper']))} (clips, channels, steps, state); "
        "`cuda` is mamba-ssm's kernel.",
        table(["implementation", "time", ""], scans(preset, device)),
    ]
    return "\n\n".join(sections) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu"
    )
    parser.add_argument("--preset", default="paper")
    parser.add_argument(
        "--doublings", type=int, help="of the batch: 8 on a GPU, none on a processor"
    )
    given = parser.parse_args()
    doublings = given.doublings
    if doublings is None:
        doublings = 8 if given.device == "cuda" else 0
    page = report(training(given.preset, given.device, doublings), given.preset, given.device)
    if given.device == "cuda":
        (HERE / "gpu.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
