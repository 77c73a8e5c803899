"""`bastzoo package` and `import-bast`: models that come out of runs, and those that come in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import bastzoo as bz
from bastzoo.models.bast.imported import read_bast
from tests.cli.command import bastzoo
from tests.models.test_bast import CHECKPOINTS, MAMBA, PARITY


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Path) -> Path:
    """A folder with `runs/`: one model trained for seconds, and one imported."""
    folder = tmp_path_factory.mktemp("models")
    for words in (
        ("train", "--backbone", "vanilla", "--preset", str(tiny_preset), "--env", "RI01"),
        ("import-bast", str(MAMBA)),
    ):
        done = bastzoo(*words, "--runs", str(folder / "runs"))
        assert done.returncode == 0, done.stderr
    noise = np.random.default_rng(0).normal(size=(12_000, 2)) * 0.1
    soundfile.write(folder / "noise.wav", noise, 16_000)
    return folder


def test_a_run_becomes_a_folder_that_answers_elsewhere(runs: Path, tmp_path: Path) -> None:
    out = ("--runs", str(runs / "runs"))
    done = bastzoo("package", "vanilla-SUB", str(tmp_path / "ears"), "--half", *out)
    assert done.returncode == 0, done.stderr
    assert "MiB in float16" in done.stdout
    shutil.move(tmp_path / "ears", tmp_path / "moved")
    sound = str(runs / "noise.wav")
    of_run, of_folder = (
        json.loads(bastzoo("predict", model, sound, "--json", *out).stdout)[0]["windows"]
        for model in ("vanilla-SUB", str(tmp_path / "moved"))
    )
    assert [w["azimuth_deg"] for w in of_folder] == pytest.approx(
        [w["azimuth_deg"] for w in of_run], abs=0.5
    )
    card = (tmp_path / "moved" / "README.md").read_text()
    assert "| RI01, its own test |" in card
    assert "bastzoo train --backbone vanilla" in card
    again = bastzoo("package", "vanilla-SUB", str(tmp_path / "moved"), *out)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)


def test_an_imported_checkpoint_is_a_run_like_any_other(runs: Path) -> None:
    out = ("--runs", str(runs / "runs"))
    listed = bastzoo("runs", "list", "--backbone", "mamba", *out)
    assert "finished  mamba/SUB/MIX/SP" in listed.stdout
    tested = bastzoo("evaluate", "mamba-SUB", "--env", "RI01", *out)
    assert tested.returncode == 0, tested.stderr
    assert "AD, mean" in tested.stdout
    answered = bastzoo("predict", "mamba-SUB", str(runs / "noise.wav"), *out)
    assert answered.returncode == 0, answered.stderr
    wrong = bastzoo("import-bast", str(runs / "noise.wav"), *out)
    assert wrong.returncode == 1
    assert "noise.wav is no checkpoint of BAST" in wrong.stderr


def test_a_run_is_exported_for_other_runtimes(runs: Path, tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    out = ("--runs", str(runs / "runs"))
    wrong = bastzoo("export", "vanilla-SUB", str(tmp_path / "ears.pt2"), "--quantize", "int8", *out)
    assert wrong.returncode == 1
    assert "--quantize is for ONNX files" in wrong.stderr
    done = bastzoo("export", "vanilla-SUB", str(tmp_path / "ears.onnx"), "--quantize", "int8", *out)
    assert done.returncode == 0, done.stderr
    assert "ONNX, opset 20" in done.stdout
    assert "clips -> direction, vector" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["ears.onnx"]
    session = ort.InferenceSession(tmp_path / "ears.onnx")
    cost = json.loads(session.get_modelmeta().custom_metadata_map["bastzoo.int8"])
    assert cost["clips"] == 720
    assert cost["ad_float32"] != cost["ad_int8"]
    assert f"{cost['ad_float32']:.2f}° before, {cost['ad_int8']:.2f}° in int8" in done.stdout
    clips = 0.1 * np.random.default_rng(0).normal(size=(9, 2, 8_000)).astype(np.float32)
    (direction,) = session.run(["direction"], {"clips": clips})
    assert direction.shape == (9, 3)
    model = bz.load("vanilla-SUB", runs=runs / "runs").model
    with torch.no_grad():
        exact = model.head.decode(model(torch.from_numpy(clips)))["direction"].numpy()
    turned = np.degrees(np.arccos(np.clip((direction * exact).sum(-1), -1, 1)))
    # A model that has trained for seconds answers some noise with next to nothing, which turns easily.
    assert 0 < np.median(turned) < 20


def test_a_model_by_name_is_tested_on_recordings(tiny_preset: Path, tmp_path: Path) -> None:
    """The Swin of the quick board, on clips that were written to disk as BAST writes them."""
    clips = ("--layout", "bast", "--to", str(tmp_path / "clips"), "--env", "RI01")
    done = bastzoo("data", "render", *clips, "--preset", str(tiny_preset))
    assert done.returncode == 0, done.stderr
    out = ("--runs", str(tmp_path / "runs"))
    done = bastzoo("evaluate", "quick-swin", "--data", str(tmp_path / "clips"), "--json", *out)
    assert done.returncode == 0, done.stderr
    assert '"ad_mean"' in done.stdout
    (record,) = (tmp_path / "runs").glob("swin-*/track-*of_clips.json")
    (case,) = json.loads(record.read_text())["cases"]
    assert case["evaluation"]["metrics"]["ad_mean"] < 10
    # One that was trained in made rooms has no such environment among recordings: all of them, then.
    done = bastzoo("evaluate", "default", "--data", str(tmp_path / "clips"), *out)
    assert done.returncode == 0, done.stderr
    odd = bastzoo("evaluate", "quick-swin", "--data", "clips", "--listener", "kemar", *out)
    assert odd.returncode == 1
    assert "leave them out with --data or --csv" in odd.stderr


@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda path: path.stem)
def test_imported_models_answer_as_the_original_with_the_side_turned(path: Path) -> None:
    model, record = read_bast(path, bz.default_registry())
    spectrograms = torch.from_numpy(np.load(PARITY / "input.npy"))[:, :, None]
    with torch.no_grad():
        found = model.localize(spectrograms)["vector"].numpy()
    expected = np.load(path.with_name(path.name.replace("_best.pkl", "_output.npy")))
    np.testing.assert_allclose(found, expected * [1, -1], rtol=0, atol=1e-5)
    assert record.trained_on is not None
    assert record.trained_on.environment == "RI"


def without_conf(path: Path, into: Path) -> Path:
    torch.save(torch.load(path, weights_only=True)["state_dict"], into / path.name)
    return into / path.name


@pytest.mark.parametrize("name", ["SUB_MIX_XY_SP_mamba", "CONCAT_MIX_XY_NSP_swin"])
def test_settings_that_are_missing_follow_from_the_weights(name: str, tmp_path: Path) -> None:
    path = PARITY / f"BAST_{name}_best.pkl"
    spectrograms = torch.from_numpy(np.load(PARITY / "input.npy"))[:, :, None]
    with torch.no_grad():
        expected, found = (
            read_bast(p, bz.default_registry())[0].localize(spectrograms)["vector"]
            for p in (path, without_conf(path, tmp_path))
        )
    torch.testing.assert_close(found, expected)


def test_settings_that_nothing_says_are_asked_for(tmp_path: Path) -> None:
    vanilla = without_conf(PARITY / "BAST_SUB_MIX_XY_SP_vanilla_best.pkl", tmp_path)
    with pytest.raises(bz.BastzooError, match="do not say how many heads"):
        bz.load(vanilla)
    nameless = without_conf(MAMBA, tmp_path).rename(tmp_path / "nameless.pkl")
    with pytest.raises(bz.BastzooError, match="ADD and SUB look alike: name the file as BAST"):
        bz.load(nameless)


@pytest.mark.parametrize("pool", ["conv", "linear", "cls"])
def test_every_pool_of_the_original_is_known(pool: str, tmp_path: Path) -> None:
    """A weighted sum of the patches behind the class token, then GELU; or the class token alone."""
    content = torch.load(PARITY / "BAST_SUB_MIX_XY_SP_vanilla_best.pkl", weights_only=True)
    content["conf"]["TRANSFORMER_POOL"] = pool
    weights = torch.linspace(-1, 1, 180) / 20
    if pool != "cls":
        shape = (1, 180, 1) if pool == "conv" else (1, 180)
        content["state_dict"]["patch_pooling.0.weight"] = weights.reshape(shape)
        content["state_dict"]["patch_pooling.0.bias"] = torch.tensor([0.3])
    torch.save(content, tmp_path / "pooled.pkl")
    model, _ = read_bast(tmp_path / "pooled.pkl", bz.default_registry())
    tokens = torch.randn(2, 181, 32, generator=torch.Generator().manual_seed(0))
    assert model.pool is not None
    expected = (
        tokens[:, 0]
        if pool == "cls"
        else torch.nn.functional.gelu(torch.einsum("bpd,p->bd", tokens[:, 1:], weights) + 0.3)
    )
    torch.testing.assert_close(model.pool(tokens), expected)
