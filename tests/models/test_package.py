"""A model is a folder: what is written is what is loaded, and nothing that lies is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import bastzoo as bz
from bastzoo.errors import BastzooError, SetupError
from bastzoo.models.localizer import Localizer, Prediction
from bastzoo.models.sharing.package import write_package
from tests.models.made import made

SOUND = np.random.default_rng(0).normal(size=(2, 8_000)) * 0.1


def asked(localizer: Localizer) -> np.ndarray:
    found = localizer(SOUND)
    assert isinstance(found, Prediction)
    return found.direction


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "ears"
    localizer = made()
    write_package(path, localizer.model, localizer.record)
    return path


@pytest.mark.parametrize("backbone", ["mamba", "swin", "conv"])
def test_a_copied_folder_answers_as_the_model_did(backbone: str, tmp_path: Path) -> None:
    localizer = made(backbone=backbone, integration="CONCAT", sharing="NSP")
    write_package(tmp_path / "a", localizer.model, localizer.record)
    shutil.copytree(tmp_path / "a", tmp_path / "elsewhere")
    for reference in (tmp_path / "elsewhere", str(tmp_path / "elsewhere" / "model.safetensors")):
        np.testing.assert_array_equal(asked(bz.load(reference)), asked(localizer))
    write_package(tmp_path / "half", localizer.model, localizer.record, half=True)
    halved = bz.load(tmp_path / "half")
    np.testing.assert_allclose(asked(halved), asked(localizer), atol=5e-3)
    assert next(halved.model.parameters()).dtype == torch.float32
    size = [(tmp_path / n / "model.safetensors").stat().st_size for n in ("half", "a")]
    assert size[0] < 0.6 * size[1]


def test_the_card_says_how_to_use_it_and_what_it_cannot_tell(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: bastzoo\nlicense: ")
    for words in (
        "bastzoo predict PATH/OF/THIS/FOLDER recording.wav",
        "SUB+SP: clips with identical ears all give one answer",
        "time differences between the ears",
        "arXiv:2207.03927",
        "trained on RI01",
    ):
        assert words in card


def test_a_folder_that_is_there_is_left_alone(folder: Path) -> None:
    before = (folder / "model.json").read_bytes()
    localizer = made()
    with pytest.raises(SetupError, match="is there already"):
        write_package(folder, localizer.model, localizer.record)
    assert (folder / "model.json").read_bytes() == before
    with pytest.raises(SetupError, match="cannot be written"):
        write_package(folder / "no" / "where", localizer.model, localizer.record)


def changed_record(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        values = json.loads((path / "model.json").read_text())
        change(values)
        (path / "model.json").write_text(json.dumps(values))

    return apply


def changed_weights(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        import hashlib

        state = load_file(path / "model.safetensors")
        change(state)
        save_file(state, path / "model.safetensors")
        data = (path / "model.safetensors").read_bytes()
        described = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        changed_record(lambda v: v["weights"].update(described))(path)

    return apply


def cut(path: Path) -> None:
    file = path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def exchanged(path: Path) -> None:
    file = path / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))


HUGE = {"dim": 65_000, "mlp_dim": 65_000, "depth": 200}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (cut, r"have [\d,]+ bytes, and model\.json says"),
        (exchanged, r"SHA-256 differs"),
        (lambda p: (p / "model.safetensors").unlink(), "No such file"),
        (lambda p: (p / "model.json").write_text("{"), "is no record of a model"),
        (lambda p: (p / "model.json").write_text("[" * 100_000), "is no record of a model"),
        (changed_record(lambda v: v.update(schema_version=9)), "by a newer bastzoo"),
        (changed_record(lambda v: v.update(surprise=1)), "surprise: Extra inputs"),
        (changed_record(lambda v: v["components"].pop("head")), "it names no head"),
        (changed_record(lambda v: v["size"].update(dim=48)), r"instead of \[1, 1, 48\]"),
        (changed_record(lambda v: v["size"].update(HUGE)), "are not those of the model"),
        (
            changed_record(lambda v: v["size"].update(depth=10**9)),
            "size.depth: Input should be less than or equal to 1000",
        ),
        (
            changed_record(lambda v: v["size"].update(dim="wide")),
            "size.dim: Input should be a valid integer",
        ),
        (changed_record(lambda v: v["size"].pop("heads")), "size.heads: Field required"),
        (
            changed_record(lambda v: v["weights"].update(file="../../secret.safetensors")),
            "weights.file",
        ),
        (
            changed_record(
                lambda v: v["components"]["backbone"].update(
                    name="timm/odd", distribution="bastzoo-odd"
                )
            ),
            "which is not installed. It comes from the package 'bastzoo-odd': pip install",
        ),
        (
            changed_record(lambda v: v["components"]["head"].update(version=7)),
            "has version 7 of the head 'azimuth', and version 1 is installed",
        ),
        (changed_weights(lambda s: s.pop("head.linear.bias")), r"lacks head\.linear\.bias \[2\]"),
        (changed_weights(lambda s: s.update(x=torch.zeros(1))), "has x, which the model has not"),
    ],
)
def test_what_lies_is_refused_in_a_sentence(
    spoil: Callable[[Path], None], sentence: str, folder: Path, tmp_path: Path
) -> None:
    spoiled = tmp_path / "spoiled"
    shutil.copytree(folder, spoiled)
    spoil(spoiled)
    with pytest.raises(BastzooError, match=sentence):
        bz.load(spoiled)


def test_what_is_no_model_is_a_sentence_that_says_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(BastzooError, match=r"notes\.txt' is no model: give a folder"):
        bz.load(tmp_path / "notes.txt")
    with pytest.raises(BastzooError, match=r"no model named 'defualt'\. Did you mean 'default'"):
        bz.load("defualt")
