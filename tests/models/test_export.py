"""What is exported answers as the model does, in other runtimes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bastzoo.errors import SetupError
from bastzoo.models.exporting import export
from bastzoo.models.exporting.export import OPSET, export_onnx, export_torch
from bastzoo.ops.selective_scan.doubling import selective_scan
from bastzoo.ops.selective_scan.reference import selective_scan as reference
from tests.models.made import made

CLASSES = {"head": {"classes": ["voice", "bell"]}}
CASES: list[Any] = [
    {"backbone": "conv", "integration": "CONCAT", "frontend": "binaural", "head": "vmf-azimuth"},
    {
        "backbone": "mamba",
        "integration": "CONCAT",
        "sharing": "NSP",
        "head": "azimuth+elevation+class",
        "parameters": CLASSES,
    },
    # A translation takes ten seconds and more; the suite has one for the scan and one for convolutions.
    *(
        pytest.param(choices, marks=pytest.mark.soak)
        for choices in (
            {"backbone": "vanilla", "head": "multi", "parameters": CLASSES},
            {"backbone": "swin-stem", "frontend": "mel", "integration": "ADD", "head": "vmf"},
        )
    ),
]


@pytest.mark.parametrize("choices", CASES, ids=lambda c: f"{c['backbone']}-{c.get('head', '')}")
def test_onnxruntime_agrees_at_any_batch(choices: dict[str, Any], tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    localizer = made(**choices)
    names = export_onnx(localizer, tmp_path / "model.onnx")
    session = ort.InferenceSession(tmp_path / "model.onnx")
    assert [o.name for o in session.get_outputs()] == list(names)
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["bastzoo.sample_rate"] == "16000"
    head: Any = localizer.model.head
    for batch in (1, 5):
        clips = 0.1 * torch.randn(batch, 2, 8_000, generator=torch.Generator().manual_seed(batch))
        with torch.no_grad():
            outputs = localizer.model(clips)
            expected = {**outputs, **head.decode(outputs)}
        found = dict(zip(names, session.run(None, {"clips": clips.numpy()}), strict=True))
        assert "direction" in found
        for name, value in found.items():
            np.testing.assert_allclose(value, expected[name], atol=1e-4, rtol=1e-4, err_msg=name)


def test_torch_runs_its_own_program(tmp_path: Path) -> None:
    localizer = made(size=48)
    names = export_torch(localizer, tmp_path / "model.pt2")
    clips = 0.1 * torch.randn(4, 2, 8_000, generator=torch.Generator().manual_seed(1))
    extra = {"bastzoo.json": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=extra)
    found = dict(zip(names, program.module()(clips), strict=True))
    with torch.no_grad():
        outputs = localizer.model(clips)
    torch.testing.assert_close(found["vector"], outputs["vector"], atol=1e-5, rtol=0)
    assert json.loads(extra["bastzoo.json"])["outputs"] == list(names)


def test_a_missing_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        SetupError, match=r"takes onnx and onnxscript: pip install 'bastzoo\[export\]'"
    ):
        export_onnx(made(), tmp_path / "model.onnx")
    assert OPSET == 20


@pytest.mark.parametrize("steps", [1, 2, 7, 64])
def test_the_scan_of_standard_operators_is_the_scan(steps: int) -> None:
    generator = torch.Generator().manual_seed(steps)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    u, delta, B, C = drawn(2, 6, steps), drawn(2, 6, steps), drawn(2, 4, steps), drawn(2, 4, steps)
    A, D, bias = -drawn(6, 4).exp(), drawn(6), drawn(6)
    for more in ((D, bias, True), (None, None, True), (D, None, False)):
        step = delta if more[2] else delta.abs()
        torch.testing.assert_close(
            selective_scan(u, step, A, B, C, *more), reference(u, step, A, B, C, *more)
        )
