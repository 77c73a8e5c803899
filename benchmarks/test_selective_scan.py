"""How fast is the CPU's selective scan, and how much memory does it take, beside its peers?

Peers: the reference of bastzoo (a loop that slices its way through the sequence, as mamba-ssm's
`selective_scan_ref` does), the same loop over steps that are unbound once, and mambapy's parallel scan.
Every number is the fastest of several rounds, so that a busy machine does least harm; the ratios are of
numbers from one run. A whole run writes `selective_scan.md` beside this file.

Run with: pytest benchmarks/test_selective_scan.py --benchmark-only
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from reporting import machine, table
from torch import Tensor
from torch.nn.functional import softplus

from bastzoo.ops.selective_scan import reference, selective_scan
from bastzoo.ops.selective_scan.availability import VARIABLE

HERE = Path(__file__).parent
SHAPES = {
    (5, 1024, 180, 16): 100,
    (30, 512, 64, 8): 15,
    (8, 64, 64, 8): 5,
    (128, 48, 16, 8): None,
    (1, 512, 4096, 16): None,
}
LONG = (1, 512, 4096, 16)
SLOW = ("reference", "mambapy")
SECONDS = 1.0  # of rounds for one number, once the first round is over

Results = dict[tuple[Any, ...], float]


# -- what is compared -------------------------------------------------------------------------------


def problem(batch: int, channels: int, steps: int, state: int) -> tuple[list[Tensor], Tensor]:
    """Arguments of a scan of usual sizes, and a gradient of its output."""
    torch.manual_seed(0)
    tensors = [
        torch.randn(batch, channels, steps),
        torch.randn(batch, channels, steps) - 1,
        -torch.rand(channels, state) * state,
        torch.randn(batch, state, steps),
        torch.randn(batch, state, steps),
        torch.randn(channels),
        torch.randn(channels) * 0.1,
    ]
    return [t.requires_grad_() for t in tensors], torch.randn(batch, channels, steps)


def unbound_loop(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor
) -> Tensor:
    """The reference's loop without slices, whose gradients are as large as what they are cut from."""
    step = softplus(delta + bias[:, None])
    decays = torch.exp(torch.einsum("bdl,dn->bdln", step, A)).unbind(2)
    drives = torch.einsum("bdl,bnl,bdl->bdln", step, B, u).unbind(2)
    state, outputs = u.new_zeros(u.shape[0], *A.shape), []
    for decay, drive, seen in zip(decays, drives, C.unbind(2), strict=True):
        state = decay * state + drive
        outputs.append(torch.einsum("bdn,bn->bd", state, seen))
    return torch.stack(outputs, 2) + u * D[:, None]


def mambapy_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor
) -> Tensor:
    """mambapy's parallel scan (https://github.com/alxndrTL/mamba.py) with this function's arguments."""
    from mambapy.pscan import pscan

    step = softplus(delta + bias[:, None]).transpose(1, 2)[..., None]
    x = u.transpose(1, 2)[..., None]
    h = pscan(torch.exp(step * A), step * B.transpose(1, 2)[:, :, None] * x)
    y = (h @ C.transpose(1, 2)[..., None])[..., 0]
    return y.transpose(1, 2) + u * D[:, None]


SCANS: dict[str, Callable[..., Tensor]] = {
    "reference": reference.selective_scan,
    "unbound": unbound_loop,
    "mambapy": mambapy_scan,
    "cpu": selective_scan,
}


def run(name: str, shape: tuple[int, ...], passes: str) -> Callable[[], Any]:
    if name == "mambapy":
        pytest.importorskip("mambapy")
    if name == "reference" and shape == LONG:
        pytest.skip("the reference's time and memory traffic grow with the square of the steps")
    tensors, dy = problem(*shape)
    scan = SCANS[name]
    if passes == "forward":

        def once() -> None:
            with torch.no_grad():
                scan(*tensors)
    else:

        def once() -> None:
            torch.autograd.grad(scan(*tensors), tensors, dy)

    return once


def fastest(benchmark: Any, once: Callable[[], Any]) -> float | None:
    """Time a function often enough; None under --benchmark-disable."""
    started = time.perf_counter()
    once()
    first = time.perf_counter() - started
    rounds = max(3, min(200, int(SECONDS / max(first, 1e-6))))
    benchmark.pedantic(once, rounds=rounds, warmup_rounds=1 if first < SECONDS else 0)
    return None if benchmark.stats is None else benchmark.stats.stats.min


# -- the numbers ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    found: Results = {}
    yield found
    if ("step", "cpu") in found and ("first call", "cold") in found:  # a whole run
        (HERE / "selective_scan.md").write_text(report(found), encoding="utf-8")


@pytest.mark.parametrize("passes", ["forward", "both"])
@pytest.mark.parametrize(
    "name", ["unbound", "cpu", *(pytest.param(n, marks=pytest.mark.thorough) for n in SLOW)]
)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_time(
    benchmark: Any, ratio: Any, results: Results, shape: tuple, name: str, passes: str
) -> None:
    seconds = fastest(benchmark, run(name, shape, passes))
    if seconds is None:
        return
    results[passes, shape, name] = seconds
    if name == "cpu" and (passes, shape, "unbound") in results:
        ratio(results[passes, shape, "unbound"] / seconds, "the loop over unbound steps")


@pytest.mark.thorough
@pytest.mark.parametrize("steps", [1024, 2048, 4096, 8192, 16384])
def test_time_by_steps(benchmark: Any, results: Results, steps: int) -> None:
    seconds = fastest(benchmark, run("cpu", (1, 512, steps, 16), "both"))
    if seconds is not None:
        results["steps", steps] = seconds


MEMORY = """
import sys
sys.path[:0] = sys.argv[1:3]
import torch
from test_selective_scan import SCANS, problem

def kilobytes(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))

name, shape = sys.argv[3], [int(size) for size in sys.argv[4:]]
scan = SCANS[name]
tensors, dy = problem(1, 16, 4, 2)
torch.autograd.grad(scan(*tensors), tensors, dy)
tensors, dy = problem(*shape)
with open("/proc/self/clear_refs", "w") as reset:
    reset.write("5")  # the peak starts anew
before = kilobytes("VmRSS")
gradients = torch.autograd.grad(scan(*tensors), tensors, dy)
print((kilobytes("VmHWM") - before) * 1024)
"""


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_memory(benchmark: Any, results: Results, shape: tuple, name: str) -> None:
    run(name, shape, "both")  # skips what cannot run
    command = [sys.executable, "-c", MEMORY, str(HERE), str(HERE.parent), name, *map(str, shape)]

    def measure() -> int:
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    extra = benchmark.pedantic(measure, rounds=1)
    tensors, dy = problem(*shape)
    results["memory", shape, name] = extra / sum(4 * t.numel() for t in (*tensors, dy))


FIRST_CALL = """
import sys, time
sys.path.insert(0, sys.argv[1])
import torch
started = time.perf_counter()
from bastzoo.ops.selective_scan import selective_scan
sizes = [(1, 16, 4), (1, 16, 4), (16, 2), (1, 2, 4), (1, 2, 4), (16,), (16,)]
tensors = [torch.rand(size, requires_grad=True) for size in sizes]
selective_scan(*tensors).sum().backward()
print(time.perf_counter() - started)
"""


@pytest.mark.thorough
def test_first_call(benchmark: Any, results: Results, tmp_path: Path) -> None:
    """In fresh processes with torch imported: with an empty cache, then with a full one."""

    def measure() -> float:
        done = subprocess.run(
            [sys.executable, "-c", FIRST_CALL, str(HERE.parent)],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            check=True,
            capture_output=True,
            text=True,
        )
        return float(done.stdout)

    results["first call", "cold"] = measure()
    benchmark.pedantic(measure, rounds=3)
    results["first call", "warm"] = min(measure() for _ in range(3))


def test_overhead_of_one_call(benchmark: Any, results: Results) -> None:
    seconds = fastest(benchmark, run("cpu", (1, 16, 1, 1), "forward"))
    if seconds is not None:
        results["overhead",] = seconds


@pytest.mark.thorough
def test_training_step(benchmark: Any, results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward, backward and AdamW step of BAST-Mamba (SUB, SP) in the paper's size, batch 5.

    The two scans take turns, and the medians count: a step of seconds has no undisturbed round.
    """
    once = training_step()
    references: list[float] = []

    def with_reference() -> None:
        monkeypatch.setenv(VARIABLE, "reference")
        started = time.perf_counter()
        once()
        references.append(time.perf_counter() - started)
        monkeypatch.setenv(VARIABLE, "cpu")

    benchmark.pedantic(once, setup=with_reference, rounds=5, warmup_rounds=1)
    if benchmark.stats is not None:
        results["step", "reference"] = median(references)
        results["step", "cpu"] = benchmark.stats.stats.median


def training_step(batch: int = 5) -> Callable[[], None]:
    from bastzoo.experiment import Combination
    from bastzoo.model import build_localizer
    from bastzoo.plugins import default_registry
    from bastzoo.presets import load_preset

    torch.manual_seed(0)
    combination = Combination(backbone="mamba", integration="SUB", loss="MIX", sharing="SP")
    components = combination.components(default_registry())
    size = load_preset("paper").model.model_dump()
    model = build_localizer(components, sharing="SP", size=size)
    loss = components["loss"].build()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)  # as bastzoo.engine has it
    clips = 0.1 * torch.randn(batch, 2, 8000)
    targets = {"direction": torch.nn.functional.normalize(torch.randn(batch, 3), dim=1)}

    def once() -> None:
        optimizer.zero_grad()
        loss(model(clips), targets).backward()
        optimizer.step()

    return once


# -- the table --------------------------------------------------------------------------------------


def report(found: Results) -> str:
    sections = [
        "# The selective scan on a CPU",
        "Written by `pytest benchmarks/test_selective_scan.py --benchmark-only`. Milliseconds, the "
        "fastest of several rounds; ratios are times of the peer over times of `cpu`.",
        machine(),
        "`reference` slices its way through the sequence, as mamba-ssm's `selective_scan_ref` does "
        "(its backward pass grows with the square of the steps); `unbound` is the same loop over "
        "steps that are unbound once; `mambapy` is its parallel scan.",
        "## Forward and backward",
        times(found, "both"),
        "## Forward",
        times(found, "forward"),
        "## Memory",
        "Peak resident memory of forward and backward in a fresh process, beyond what was resident "
        "before, as a multiple of inputs plus output (Linux's VmHWM, reset before; it counts the "
        "output and the gradients, which alone are one such multiple).",
        memory(found),
        "## Long sequences",
        "Batch 1, 512 channels, state 16, forward and backward.",
        table(
            ["steps", "ms", "ns a step and channel"],
            [
                [str(key[1]), f"{1e3 * seconds:.1f}", f"{1e9 * seconds / key[1] / 512:.2f}"]
                for key, seconds in found.items()
                if key[0] == "steps"
            ],
        ),
        "## The rest",
        rest(found),
    ]
    return "\n\n".join(sections) + "\n"


def times(found: Results, passes: str) -> str:
    rows = []
    for shape, goal in SHAPES.items():
        mine = found[passes, shape, "cpu"]
        row = [str(shape), f"{1e3 * mine:.2f}"]
        for name in ("reference", "unbound", "mambapy"):
            peer = found.get((passes, shape, name))
            row.append("" if peer is None else f"{1e3 * peer:.1f} ({peer / mine:.0f} ×)")
        rows.append([*row, f"{goal} ×" if goal else ""] if passes == "both" else row)
    header = ["batch, channels, steps, state", "cpu", "reference", "unbound", "mambapy"]
    goals = ["goal against the reference"] if passes == "both" else []
    return table([*header, *goals], rows)


def memory(found: Results) -> str:
    rows = [
        [
            str(shape),
            *(
                f"{found['memory', shape, name]:.1f}" if ("memory", shape, name) in found else ""
                for name in ("cpu", "reference", "unbound", "mambapy")
            ),
        ]
        for shape in SHAPES
    ]
    return table(["shape", "cpu", "reference", "unbound", "mambapy"], rows)


def rest(found: Results) -> str:
    slow, fast = found["step", "reference"], found["step", "cpu"]
    return table(
        ["what", "measured", "goal"],
        [
            [
                "training step of BAST-Mamba (SUB, SP, paper size, batch 5), reference",
                f"{slow:.2f} s",
                "",
            ],
            [
                "the same, cpu (medians of five rounds in turns)",
                f"{fast:.2f} s ({slow / fast:.1f} ×)",
                "3 ×",
            ],
            ["one forward call of almost no work", f"{1e6 * found['overhead',]:.0f} µs", "100 µs"],
            ["first call, compiled anew", f"{found['first call', 'cold']:.1f} s", "30 s"],
            ["first call, cache full", f"{found['first call', 'warm']:.2f} s", "1 s"],
        ],
    )
