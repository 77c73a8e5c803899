"""What is exported answers as the model does, in other runtimes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from bastzoo.errors import SetupError
from bastzoo.models.exporting import export
from bastzoo.models.exporting.export import OPSET, export_onnx, export_torch
from bastzoo.models.localizer import Localizer
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


def _named(choices: dict[str, Any]) -> str:
    return f"{choices['backbone']}-{choices.get('head', '')}"


@pytest.fixture(scope="module")
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Localizer, Path, tuple[str, ...]]:
    """A localizer, its ONNX file, and what that answers."""
    localizer = made(**request.param)
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    return localizer, path, export_onnx(localizer, path)


@pytest.mark.parametrize("exported", CASES, ids=_named, indirect=True)
def test_onnxruntime_agrees_at_any_batch(
    exported: tuple[Localizer, Path, tuple[str, ...]],
) -> None:
    ort = pytest.importorskip("onnxruntime")
    localizer, path, names = exported
    session = ort.InferenceSession(path)
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


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt install gcc")
@pytest.mark.parametrize("exported", CASES[:1], ids=_named, indirect=True)
def test_the_program_in_c_says_what_python_says(
    exported: tuple[Localizer, Path, tuple[str, ...]], tmp_path: Path
) -> None:
    ort = pytest.importorskip("onnxruntime")
    localizer, model, _ = exported
    found = sorted((Path(ort.__file__).parent / "capi").glob("libonnxruntime.so*"))
    if not found:
        pytest.skip("this onnxruntime has no library to link with")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (tmp_path / name).symlink_to(found[0])
    # pip's package has the library without its header; the one beside this test has what is called.
    flags = [f"-I{Path(__file__).parent}", f"-L{tmp_path}", f"-Wl,-rpath,{tmp_path}"]
    source = Path(__file__).parents[2] / "docs" / "hear.c"
    strict = ("-std=c11", "-Wall", "-Wextra", "-Werror")
    command = ["cc", *strict, str(source), "-o", str(tmp_path / "hear"), *flags]
    subprocess.run([*command, "-lonnxruntime", "-lm"], check=True)

    def heard(*arguments: Path) -> subprocess.CompletedProcess[str]:
        words = map(str, (tmp_path / "hear", *arguments))
        return subprocess.run([*words], capture_output=True, text=True, check=False)

    sounds = 0.1 * np.random.default_rng(0).standard_normal((20_000, 2))
    soundfile.write(tmp_path / "sound.wav", sounds, 16_000, subtype="PCM_16")
    soundfile.write(tmp_path / "mono.wav", sounds[:, 0], 16_000, subtype="PCM_16")
    samples = soundfile.read(tmp_path / "sound.wav", dtype="float32")[0]
    clips = np.zeros((24_000, 2), np.float32)
    clips[: len(samples)] = samples
    with torch.no_grad():
        outputs = localizer.model(torch.from_numpy(clips.reshape(3, 8_000, 2)).mT.contiguous())
        decoded: Any = localizer.model.head
        x, y, _ = decoded.decode(outputs)["direction"].T
    lines = heard(model, tmp_path / "sound.wav").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["0.00 s", "0.50 s", "1.00 s"]
    answers = [float(line.split()[2]) for line in lines]
    np.testing.assert_allclose(answers, torch.rad2deg(torch.atan2(y, x)), atol=0.06)
    for wrong, why in ((tmp_path / "mono.wav", "has not two channels"), (model, "is no WAV file")):
        refused = heard(model, wrong)
        assert refused.returncode == 1
        assert why in refused.stderr


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
