"""The reader of BAST's checkpoints: parity with the original network, and sentences for bad files."""

from __future__ import annotations

import os
import pickle
import resource
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bastzoo.errors import DataError
from bastzoo.models.bast.checkpoint import read_bast_checkpoint

PARITY = Path(__file__).parents[1] / "parity"
CHECKPOINTS = sorted(PARITY.glob("*_best.pkl"))
MAMBA = PARITY / "BAST_SUB_MIX_XY_SP_mamba_best.pkl"


def test_every_combination_of_backbone_integration_and_sharing_is_there():
    assert len(CHECKPOINTS) == 18


@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda path: path.stem)
def test_outputs_agree_with_the_original_network(path: Path):
    model = read_bast_checkpoint(path)
    spectrograms = torch.from_numpy(np.load(PARITY / "input.npy"))[:, :, None]
    with torch.no_grad():
        outputs = model.localize(spectrograms)["vector"].numpy()
    expected = np.load(path.with_name(path.name.replace("_best.pkl", "_output.npy")))
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-5)


def test_a_model_that_was_read_hears_16_bit_clips():
    clips = torch.from_numpy(np.load(PARITY / "spectrogram.npz")["waveform"].astype(np.float32))
    vector = read_bast_checkpoint(MAMBA)(clips)["vector"]
    assert vector.shape == (5, 2)
    assert vector.isfinite().all()


class Hostile:
    """Unpickled, it would make a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


def test_nothing_in_a_file_is_executed(tmp_path: Path):
    trap = tmp_path / "trap"
    file = tmp_path / "hostile.pkl"
    torch.save({"state_dict": {}, "conf": Hostile(trap)}, file)
    with pytest.raises(DataError, match=r"hostile\.pkl is no checkpoint of BAST"):
        read_bast_checkpoint(file)
    file.write_bytes(pickle.dumps(Hostile(trap)))
    with pytest.raises(DataError, match=r"hostile\.pkl is no checkpoint of BAST"):
        read_bast_checkpoint(file)
    assert not trap.exists()


def test_a_missing_file_is_a_sentence(tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.pkl cannot be read: No such file"):
        read_bast_checkpoint(tmp_path / "none.pkl")


@pytest.mark.parametrize(
    "content", [b"", b"not a pickle", b"PK\x03\x04 cut short"], ids=["empty", "text", "cut"]
)
def test_a_file_that_is_none_of_ours_is_a_sentence(content: bytes, tmp_path: Path):
    file = tmp_path / "odd.pkl"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"odd\.pkl is no checkpoint of BAST"):
        read_bast_checkpoint(file)


def checkpoint(tmp_path: Path, *, conf: dict[str, Any] | None = None, **weights: Any) -> Path:
    """The mamba checkpoint with some settings and weights changed; None takes one away."""
    content = torch.load(MAMBA, weights_only=True)
    for part, changes in (("conf", conf or {}), ("state_dict", weights)):
        changed = {**content[part], **changes}
        content[part] = {name: value for name, value in changed.items() if value is not None}
    path = tmp_path / "changed.pkl"
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mlp_head.1.bias": None}, r"changed\.pkl does not fit .* lacks head\.linear\.bias"),
        ({"surplus": torch.ones(1)}, r"has surplus, which the model has not"),
        ({"mlp_head.1.bias": torch.ones(3)}, r"head\.linear\.bias of the shape \(3,\), not \(2,\)"),
        (
            {"cls_token": torch.ones(1, 1, 32)},
            r"has backbone\.class_token, which the model has not",
        ),
        ({"to_patch_embedding.3.weight": torch.ones(32, 255)}, r"of the shape \(32, 255\)"),
        ({"transformer1.0.attn.qkv.weight": torch.ones(1)}, r"and it holds mamba and swin"),
        ({"log": 3}, r"holds more than named tensors"),
    ],
)
def test_weights_that_do_not_fit_are_named(change: dict, sentence: str, tmp_path: Path):
    with pytest.raises(DataError, match=sentence):
        read_bast_checkpoint(checkpoint(tmp_path, **change))


@pytest.mark.parametrize(
    ("conf", "sentence"),
    [
        ({"SHARE_PARAMS": None}, r"changed\.pkl lack SHARE_PARAMS"),
        (
            {"BINAURAL_INTEGRATION": "MUL"},
            r"BINAURAL_INTEGRATION is 'MUL', not ADD or SUB or CONCAT",
        ),
        ({"TRANSFORMER_POOL": "max"}, r"TRANSFORMER_POOL is 'max', not mean or conv or linear"),
        ({"TRANSFORMER_POOL": "cls"}, r"TRANSFORMER_POOL is 'cls', not mean"),
        ({"TRANSFORMER_POOL": "conv"}, r"lacks pool\.weights\.weight"),
        ({"PATCH_OVERLAP": 16}, r"make no sense: stride would be \(0, 0\)"),
        ({"PATCH_SIZE": "16"}, r"make no sense"),
        ({"SPECTROGRAM_SIZE": [129]}, r"make no sense"),
        ({"SHARE_PARAMS": False}, r"lacks ears\.1\."),
        # 4 × 10^18 bytes, were the model built before its weights are looked at.
        ({"EMBEDDING_DIM": 10**9, "TRANSFORMER_MLP_DIM": 10**9}, r"of the shape \(32, "),
    ],
)
def test_settings_that_make_no_sense_are_named(conf: dict, sentence: str, tmp_path: Path):
    with pytest.raises(DataError, match=sentence):
        read_bast_checkpoint(checkpoint(tmp_path, conf=conf))


def zipped(path: Path, pickled: bytes, how: int = zipfile.ZIP_DEFLATED, **data: bytes) -> Path:
    """An archive as torch.save makes it, compressed unless `how` says otherwise."""
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/version", b"3\n")
        for name, content in data.items():
            archive.writestr(f"x/data/{name}", content)
    return path


def _greedy(path: Path) -> Path:
    """A pickle that makes 4 GB out of a number, with what safe loading allows."""
    return zipped(path, b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.")


def _endless(path: Path) -> Path:
    return zipped(path, b"\x80\x02" + b"}" * 3_000_000 + b".", zipfile.ZIP_STORED)


def _bomb(path: Path) -> Path:
    return zipped(path, b"\x80\x02}.", **{"0": bytes(400_000_000)})


def _views(path: Path) -> Path:
    """Weights that are all one number: none of them lies in the file."""
    weights = {"a": torch.zeros(1).expand(30_000, 30_000)}
    torch.save({"conf": {}, "state_dict": weights}, path)
    return path


def _old_and_greedy(path: Path) -> Path:
    path.write_bytes(b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.")
    return path


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_greedy, "makes memory out of nothing"),
        (_endless, "holds more than weights and settings"),
        (_bomb, "unpacks to 381 MiB"),
        (_views, "views of a few numbers"),
        (_old_and_greedy, "makes memory out of nothing"),
    ],
)
def test_a_small_file_takes_no_gigabytes(make: Any, sentence: str, tmp_path: Path):
    path = make(tmp_path / "hostile.pkl")
    assert path.stat().st_size < 4_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=sentence):
        read_bast_checkpoint(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_another_pickle_protocol_is_a_sentence_of_ours_alone(protocol: int, tmp_path: Path):
    """PyTorch's own warning reached the user before it; pytest makes warnings errors."""
    weights = {"a": torch.zeros(2)}
    for number, new in enumerate((True, False)):
        path = tmp_path / f"{number}.pkl"
        how = {"pickle_protocol": protocol, "_use_new_zipfile_serialization": new}
        torch.save({"conf": {}, "state_dict": weights}, path, **how)
        with pytest.raises(DataError, match=rf"{number}\.pkl"):
            read_bast_checkpoint(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.pkl")
    with pytest.raises(DataError, match="it is no regular file"):
        read_bast_checkpoint(tmp_path / "pipe.pkl")
