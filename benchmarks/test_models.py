"""Models that leave the harness: how long until they answer?

Each figure stands beside another of the same run: `predict` beside `import torch`, onnxruntime beside eager
PyTorch. Run with: make perf (or pytest benchmarks/test_models.py --benchmark-only -o addopts=).
"""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from reporting import beside_a_product, process, seconds_of, yardstick
from safetensors.torch import load_file

import bastzoo as bz
from bastzoo.experiment import Combination, resolve
from bastzoo.models.building import build_model
from bastzoo.models.exporting.export import export_onnx
from bastzoo.models.exporting.quantization import quantize_onnx
from bastzoo.models.localizer import Localizer
from bastzoo.models.sharing.package import read_package, write_package
from bastzoo.models.sharing.record import record_of_experiment
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset

ROUNDS = 5
# Two of the eight exports stand for all of them in `make perf`.
BRIEFLY = {("vanilla", "quick"), ("mamba", "standard")}
EXPORTED = [
    pytest.param(
        backbone,
        preset,
        marks=() if (backbone, preset) in BRIEFLY else pytest.mark.thorough,
        id=f"{backbone}-{preset}",
    )
    for preset in ("quick", "standard")
    for backbone in ("mamba", "vanilla", "swin", "conv")
]
NOISE = np.random.default_rng(0).normal(size=(60 * 44_100, 2)).astype(np.float32) * 0.05


def test_predict_beside_import_torch(benchmark: Any, ratio: Any, tmp_path: Path) -> None:
    """From command to answer in a fresh process; the goal is 1.5 times `import torch`."""
    soundfile.write(tmp_path / "clip.wav", NOISE[:44_100], 44_100)
    command = ("-m", "bastzoo", "predict", str(tmp_path / "clip.wav"))
    alone: list[float] = []

    def in_turns() -> None:
        alone.append(seconds_of(lambda: process("-c", "import torch"), 1))

    benchmark.pedantic(lambda: process(*command), setup=in_turns, rounds=ROUNDS)
    ratio(float(np.median(alone)) / benchmark.stats.stats.median, "import torch")


def test_a_minute_at_a_hop_of_50_ms(benchmark: Any, ratio: Any) -> None:
    """The goal for ten minutes is 20 s: 30 times faster than the sound."""
    localizer = bz.load()
    beside_a_product(benchmark, ratio, lambda: localizer(NOISE.T, 44_100, hop_ms=50), rounds=3)
    speed = 60 / benchmark.stats.stats.median
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    benchmark.extra_info["times faster than sound"] = round(speed, 1)
    print(f"\n{speed:.1f} times faster than the sound; peak memory of all {peak:.2f} GiB")


def test_from_the_last_sample_to_the_line(benchmark: Any, ratio: Any) -> None:
    """Live: how long an answer takes once the last block of a window is there; the goal is a p95 of 50 ms."""
    localizer = bz.load()
    late: list[float] = []

    def listen() -> None:
        came = 0.0

        def blocks() -> Any:
            nonlocal came
            for start in range(0, 16_000 * 10, 80):
                came = time.perf_counter()
                yield NOISE[start : start + 80]

        answers = localizer.stream(blocks(), 16_000, hop_ms=100, batch=1, to_the_end=False)
        late.extend(time.perf_counter() - came for _ in answers)

    benchmark.pedantic(listen, rounds=2)
    p95 = 1000 * float(np.percentile(late, 95))
    ratio(1000 * yardstick() / p95, "a product of matrices")
    benchmark.extra_info["p95 ms"] = round(p95, 1)
    print(f"\np95 from the last block to the answer: {p95:.1f} ms")


@pytest.mark.parametrize(("backbone", "preset"), EXPORTED)
def test_onnxruntime_beside_eager(
    benchmark: Any, ratio: Any, backbone: str, preset: str, tmp_path: Path
) -> None:
    """A clip at a time; the goal is no slower, and int8 1.5 times faster than float32 at `standard`."""
    ort = pytest.importorskip("onnxruntime")
    localizer = of_preset(backbone, preset)
    export_onnx(localizer, tmp_path / "m.onnx")
    quantize_onnx(tmp_path / "m.onnx", tmp_path / "int8.onnx")
    clip = torch.randn(1, 2, 8_000) * 0.1
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    plain, small = (
        ort.InferenceSession(tmp_path / name, options) for name in ("m.onnx", "int8.onnx")
    )

    def eager() -> None:
        with torch.inference_mode():
            localizer.model(clip)

    given = {"clips": clip.numpy()}
    for warm in (eager, lambda: plain.run(None, given), lambda: small.run(None, given)):
        warm()
    of_int8 = seconds_of(lambda: small.run(None, given), 30)
    others: list[float] = []
    benchmark.pedantic(
        lambda: plain.run(None, given),
        setup=lambda: others.append(seconds_of(eager, 1)),
        rounds=30,
    )
    of_eager, of_onnx = float(np.median(others)), benchmark.stats.stats.median
    ratio(of_eager / of_onnx, "eager PyTorch")
    benchmark.extra_info["onnx / int8"] = round(of_onnx / of_int8, 2)
    print(
        f"\n{backbone} {preset}: eager {1000 * of_eager:.1f} ms, onnx {1000 * of_onnx:.1f} ms, "
        f"int8 {1000 * of_int8:.1f} ms"
    )


@pytest.mark.parametrize("backbone", ["vanilla", "mamba"])
def test_a_model_of_the_papers_size_is_loaded(
    benchmark: Any, ratio: Any, backbone: str, tmp_path: Path
) -> None:
    """The goal is 5 s."""
    localizer = of_preset(backbone, "paper")
    record = write_package(tmp_path / "model", localizer.model, localizer.record)
    registry = default_registry()
    plain = seconds_of(lambda: load_file(tmp_path / "model" / "model.safetensors"), 3)
    benchmark.pedantic(lambda: read_package(tmp_path / "model", registry), rounds=3)
    ratio(plain / benchmark.stats.stats.median, "safetensors alone")
    print(f"\n{backbone}: {record.parameters / 1e6:.0f} million parameters")


def of_preset(backbone: str, preset: str) -> Localizer:
    registry, sizes = default_registry(), load_preset(preset)
    experiment = resolve(
        Combination(backbone=backbone, integration="SUB", loss="MIX", sharing="SP"),
        registry=registry,
        preset=sizes,
        environment="RI",
        data_digest="none",
    )
    model = build_model(
        registry, experiment.components, sharing="SP", size=sizes.model.model_dump()
    )
    return Localizer(model, record_of_experiment(experiment, registry, name=backbone))
