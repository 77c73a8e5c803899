"""Settings of a BAST checkpoint that has none: what its weights, and then its file's name, say.

The names and defaults are those of BAST's `conf.py` and `train_BAST.py`
(github.com/ShengKuangCN/BAST, MIT licence).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from bastzoo.errors import DataError
from bastzoo.zoo.backbones.patches import patch_grid

_SPECTROGRAM = (129, 61)
_OVERLAP = 10
_DIM_HEAD = 64


def settings_of_weights(path: Path, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """The settings that these weights were trained with, as far as they decide the network.

    Raises DataError, saying which, when something is in neither the weights nor the file's name.
    """
    try:
        return _settings(path, weights)
    except (KeyError, IndexError, ValueError) as error:
        raise DataError(
            f"The checkpoint {path} has no settings ('conf'), and its weights do not say them: they lack "
            f"{error}."
        ) from error


def _settings(path: Path, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    projection = weights["to_patch_embedding.3.weight"]
    dim = projection.shape[0]
    patch = math.isqrt(projection.shape[1])
    mlp, heads, dim_head = _block(path, weights)
    pooled = weights.get("patch_pooling.0.weight")
    pool = "mean" if pooled is None else "conv" if pooled.ndim == 3 else "linear"
    return {
        "SPECTROGRAM_SIZE": list(_SPECTROGRAM),
        "PATCH_SIZE": patch,
        "PATCH_OVERLAP": _overlap(path, patch, weights),
        "NUM_OUTPUT": weights["mlp_head.1.weight"].shape[0],
        "EMBEDDING_DIM": dim,
        "TRANSFORMER_HEADS": heads,
        "TRANSFORMER_MLP_DIM": mlp,
        "TRANSFORMER_POOL": pool,
        "TRANSFORMER_DIM_HEAD": dim_head,
        "INPUT_CHANNEL": 1,
        "DROPOUT": 0.2,
        "EMB_DROPOUT": 0.2,
        "BINAURAL_INTEGRATION": _integration(path, dim, weights),
        "LOSS": _in_name(path, "MSE", "AD", "MIX") or "MIX",
        "DATA_ENV": _in_name(path, "RI01", "RI02", "RI") or "RI",
        "SHARE_PARAMS": not any(name.startswith("transformer2.") for name in weights),
    }


def _block(path: Path, weights: Mapping[str, Tensor]) -> tuple[int, int, int]:
    """Hidden width of the MLP, attention heads, and the width of one."""
    vanilla = weights.get("transformer1.layers.0.0.fn.to_qkv.weight")
    if vanilla is not None:
        inner = vanilla.shape[0] // 3
        if inner % _DIM_HEAD:
            raise DataError(
                f"The checkpoint {path} has no settings, and its weights do not say how many heads its "
                f"attention has: {inner} is no multiple of BAST's {_DIM_HEAD}. Save it with its 'conf'."
            )
        mlp = weights["transformer1.layers.0.1.fn.net.0.weight"].shape[0]
        return mlp, inner // _DIM_HEAD, _DIM_HEAD
    table = weights.get("transformer1.0.attn.relative_position_bias_table")
    if table is not None:
        return weights["transformer1.0.mlp.fc1.weight"].shape[0], table.shape[1], 1
    return weights["transformer1.blocks.0.mlp.fc1.weight"].shape[0], 1, 1


def _overlap(path: Path, patch: int, weights: Mapping[str, Tensor]) -> int:
    """By how many bins patches overlap, from the number of patches where a weight has one each."""
    counts = []
    if "pos_embedding" in weights:
        counts.append(weights["pos_embedding"].shape[1] - 1)
    if "patch_pooling.0.weight" in weights:
        counts.append(weights["patch_pooling.0.weight"].numel())
    candidates = sorted(range(patch), key=lambda overlap: abs(overlap - _OVERLAP))
    for overlap in candidates:
        stride = patch - overlap
        grid = patch_grid(_SPECTROGRAM, patch=(patch, patch), stride=(stride, stride))
        if counts and all(grid[0] * grid[1] == count for count in counts):
            return overlap
    if counts or patch <= _OVERLAP:
        raise DataError(
            f"The checkpoint {path} has no settings, and no overlap of patches of {patch} × {patch} bins "
            "fits its weights. Save it with its 'conf'."
        )
    return _OVERLAP


def _integration(path: Path, dim: int, weights: Mapping[str, Tensor]) -> str:
    if weights["mlp_head.0.weight"].shape[0] == 2 * dim:
        return "CONCAT"
    named = _in_name(path, "ADD", "SUB")
    if named is None:
        raise DataError(
            f"The checkpoint {path} has no settings, and the weights of ADD and SUB look alike: name the "
            "file as BAST does (BAST_SUB_MIX_XY_SP_best.pkl)."
        )
    return named


def _in_name(path: Path, *words: str) -> str | None:
    """The one of these words that is a part of the file's name, between underscores."""
    parts = re.split(r"[_.\-\s]", path.name.upper())
    found = [word for word in words if word in parts]
    return found[0] if len(found) == 1 else None
