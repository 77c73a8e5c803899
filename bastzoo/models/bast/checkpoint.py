"""Reader of the checkpoints that BAST's and BAST-Mamba's training code writes (`*_best.pkl`).

Nothing in a file is executed: only tensors, numbers, strings, lists and dictionaries are read.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from bastzoo.data.archives import check_torch_file
from bastzoo.errors import BastzooError, DataError
from bastzoo.model import BinauralLocalizer
from bastzoo.models.bast.settings import settings_of_weights
from bastzoo.registry import accepted
from bastzoo.zoo.backbones.mamba import Mamba
from bastzoo.zoo.backbones.swin import Swin
from bastzoo.zoo.backbones.vanilla import Vanilla
from bastzoo.zoo.frontends import Spectrogram
from bastzoo.zoo.heads import Azimuth
from bastzoo.zoo.integrations import Add, Concat, Sub

INTEGRATIONS: dict[str, type[Add | Sub | Concat]] = {"ADD": Add, "SUB": Sub, "CONCAT": Concat}

BACKBONES: dict[str, type[Mamba | Swin | Vanilla]] = {
    "mamba": Mamba,
    "swin": Swin,
    "vanilla": Vanilla,
}

# What the blocks of the first encoder are called in each backbone's checkpoints.
BLOCKS = {
    "mamba": re.compile(r"transformer1\.blocks\.(\d+)\.mixer\."),
    "swin": re.compile(r"transformer1\.(\d+)\.attn\."),
    "vanilla": re.compile(r"transformer1\.layers\.(\d+)\.0\."),
}

# From BAST's names to ours, applied from top to bottom.
NAMES = [
    (r"^to_patch_embedding\.3\.", "backbone.patches.projection."),
    (r"^cls_token$", "backbone.class_token"),
    (r"^pos_embedding$", "backbone.positions"),
    (r"^mlp_head\.0\.", "head.norm."),
    (r"^mlp_head\.1\.", "head.linear."),
    (r"^patch_pooling\.0\.", "pool.weights."),
    # vanilla: a block is a pair of an attention and an MLP, each behind its norm.
    (r"\.layers\.(\d+)\.0\.norm\.", r".\1.norm1."),
    (r"\.layers\.(\d+)\.0\.fn\.to_qkv\.", r".\1.attn.qkv."),
    (r"\.layers\.(\d+)\.0\.fn\.to_out\.0\.", r".\1.attn.proj."),
    (r"\.layers\.(\d+)\.1\.norm\.", r".\1.norm2."),
    (r"\.layers\.(\d+)\.1\.fn\.net\.0\.", r".\1.mlp.fc1."),
    (r"\.layers\.(\d+)\.1\.fn\.net\.3\.", r".\1.mlp.fc2."),
    (r"^(transformer\d)\.(\d)", r"\1.blocks.\2"),
    (r"^transformer1\.", "ears.0."),
    (r"^transformer2\.", "ears.1."),
    (r"^transformer3\.", "fusion."),
]

_LARGEST = 2**31
"""Bytes: BAST's own checkpoints have some 300 MB."""

# Tables that some versions of timm save and every version computes.
COMPUTED = re.compile(r"\.(relative_position_index|attn_mask)$")


@dataclass(frozen=True, slots=True)
class BastCheckpoint:
    """What a checkpoint holds, in our words.

    backbone, integration, sharing, pool: names; sizes: what a backbone is built from; weights: by our
    names, azimuths as BAST counts them; loss, environment: as its settings say.
    """

    backbone: str
    integration: str
    sharing: str
    pool: str
    sizes: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    loss: str
    environment: str
    epochs: int


def read_bast_checkpoint(path: str | Path) -> BinauralLocalizer:
    """Return the model of a checkpoint, in evaluation mode on the CPU, as BAST has it.

    Its `localize` takes the spectrograms that BAST's own network takes, with an axis for the
    channels of an ear (`spectrograms[:, :, None]`), and azimuths are clockwise as in BAST's file names;
    `bastzoo.load` turns them.

    Raises DataError, naming the file, when it cannot be read, is no such checkpoint, or holds other
    weights than its settings ask for.
    """
    found = parse_bast_checkpoint(path)
    model = _build(Path(path), found)
    model.load_state_dict(dict(found.weights))
    return model.eval()


def parse_bast_checkpoint(path: str | Path) -> BastCheckpoint:
    """Read and check a checkpoint; see `read_bast_checkpoint`. No network is built in memory."""
    path = Path(path)
    conf, weights = _load(path)
    found = _described(path, conf, weights)
    with torch.device("meta"):  # settings that the weights do not bear out must not fill the memory
        expected = _build(path, found).state_dict()
    state = _ours(weights, expected=expected)
    _check(path, expected=expected, found=state)
    return replace(found, weights=state)


def _load(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if path.exists() and not path.is_file():  # a pipe would be waited for, for ever
        raise DataError(f"The checkpoint {path} cannot be read: it is no regular file.")
    try:
        if path.exists():
            check_torch_file(path, largest=_LARGEST)
        with warnings.catch_warnings():  # of pickle protocols, which are no concern of the user's
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except DataError as error:
        raise DataError(f"The file {path} is no checkpoint of BAST: it {error}.") from error
    except OSError as error:
        raise DataError(f"The checkpoint {path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # whatever a damaged or hostile file makes of the reader
        raise DataError(
            f"The file {path} is no checkpoint of BAST, or it is damaged: it holds something other "
            "than weights and settings."
        ) from error
    parts = content if isinstance(content, dict) else {}
    conf = parts.get("conf")
    weights = parts.get("state_dict", parts if "conf" not in parts else None)
    if not isinstance(weights, dict) or not weights or not isinstance(conf, dict | None):
        raise DataError(
            f"The file {path} is no checkpoint of BAST: it lacks a 'conf' or a 'state_dict'."
        )
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in weights.items()):
        raise DataError(
            f"The checkpoint {path} has a 'state_dict' that holds more than named tensors."
        )
    size = path.stat().st_size
    if sum(value.numel() * value.element_size() for value in weights.values()) > size + 2**20:
        raise DataError(
            f"The checkpoint {path} has weights larger than the file: they are views of a few numbers."
        )
    weights = {
        name.removeprefix("module."): value  # of torch's DataParallel
        for name, value in weights.items()
        if not COMPUTED.search(name)
    }
    return conf if conf is not None else settings_of_weights(path, weights), weights


def _described(
    path: Path, conf: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> BastCheckpoint:
    name = backbone_of(path, weights)
    try:
        _only(conf, "NUM_OUTPUT", [2])
        pools = {"mean": "mean", "conv": "patches", "linear": "patches"}
        pools |= {"cls": "cls"} if name == "vanilla" else {}
        return BastCheckpoint(
            backbone=name,
            integration=_only(conf, "BINAURAL_INTEGRATION", INTEGRATIONS),
            sharing="SP" if conf["SHARE_PARAMS"] else "NSP",
            pool=pools[_only(conf, "TRANSFORMER_POOL", pools)],
            # The mixers of BAST-Mamba are three whatever its settings say, so the blocks are counted.
            sizes={**_sizes(conf), "depth": len(blocks_of(weights)[name])},
            weights=weights,
            loss=_word(conf, "LOSS", "MIX"),
            environment=_word(conf, "DATA_ENV", "RI"),
            epochs=conf["EPOCH"] if isinstance(conf.get("EPOCH"), int) else 0,
        )
    except KeyError as error:
        raise DataError(f"The settings of the checkpoint {path} lack {error.args[0]}.") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"The settings of the checkpoint {path} make no sense: {error}") from error


def backbone_of(path: Path, weights: Mapping[str, Tensor]) -> str:
    """Which backbone's weights these are. Raises DataError unless it is one."""
    found = [name for name, blocks in blocks_of(weights).items() if blocks]
    if len(found) != 1:
        raise DataError(
            f"The checkpoint {path} should hold one of the backbones {', '.join(BACKBONES)}, "
            f"and it holds {' and '.join(found) or 'none'}."
        )
    return found[0]


def blocks_of(weights: Mapping[str, Tensor]) -> dict[str, set[str]]:
    """Numbers of the first encoder's blocks, by the backbone that names them so."""
    return {
        name: {match[1] for match in map(pattern.match, weights) if match}
        for name, pattern in BLOCKS.items()
    }


def _build(path: Path, found: BastCheckpoint) -> BinauralLocalizer:
    backbone = BACKBONES[found.backbone]
    try:
        return BinauralLocalizer(
            # The waveforms of BAST are 16-bit integers, and its spectrograms take them as they are.
            frontend=Spectrogram(full_scale=1.0),
            backbone=backbone(**accepted(backbone, {**found.sizes, "pool": found.pool})),
            integration=INTEGRATIONS[found.integration](),
            head=lambda width: Azimuth(width=width),
            sharing=found.sharing,
        )
    except (TypeError, ValueError, RuntimeError, BastzooError) as error:
        raise DataError(f"The settings of the checkpoint {path} make no sense: {error}") from error


def _sizes(conf: Mapping[str, Any]) -> dict[str, Any]:
    rows, columns = conf["SPECTROGRAM_SIZE"]
    patch = conf["PATCH_SIZE"]
    stride = patch - conf["PATCH_OVERLAP"]
    sizes = {
        "input_shape": (conf["INPUT_CHANNEL"], rows, columns),
        "patch": (patch, patch),
        "stride": (stride, stride),
        "dim": conf["EMBEDDING_DIM"],
        "heads": conf["TRANSFORMER_HEADS"],
        "dim_head": conf["TRANSFORMER_DIM_HEAD"],
        "mlp_dim": conf["TRANSFORMER_MLP_DIM"],
    }
    for name, value in sizes.items():
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(number, int) and number > 0 for number in numbers):
            raise ValueError(f"{name} would be {value}.")
    return {**sizes, "dropout": conf["DROPOUT"], "embed_dropout": conf["EMB_DROPOUT"]}


def _word(conf: Mapping[str, Any], name: str, usual: str) -> str:
    value = conf.get(name, usual)
    return value if isinstance(value, str) and len(value) < 80 else usual


def _only(conf: Mapping[str, Any], name: str, known: Collection[Any]) -> Any:
    if conf[name] not in known:
        raise ValueError(f"{name} is {conf[name]!r}, not {' or '.join(map(str, known))}.")
    return conf[name]


def _ours(weights: Mapping[str, Tensor], *, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename every weight, and bring to our shapes the two kinds that differ."""
    state = {}
    for name, value in weights.items():
        for pattern, ours in NAMES:
            name = re.sub(pattern, ours, name)
        state[name] = value
    for x in [name for name in state if ".conv1d_x." in name]:
        z = x.replace("conv1d_x", "conv1d_z")
        if z in state:  # our mixer convolves both halves at once
            state[x.replace("conv1d_x", "conv")] = torch.cat([state.pop(x), state.pop(z)])
    pool = "pool.weights.weight"
    if pool in state:  # a convolution over the patches is a linear layer
        state[pool] = state[pool].reshape(1, -1)
    patches = "backbone.patches.projection.weight"
    if patches in state and state[patches].numel() == expected[patches].numel():
        _, _, height, width = expected[patches].shape
        state[patches] = rearrange(state[patches], "d (h w c) -> d c h w", h=height, w=width)
    return state


def _check(path: Path, *, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    faults = [f"lacks {name}" for name in expected if name not in found]
    faults += [f"has {name}, which the model has not" for name in found if name not in expected]
    faults += [
        f"has {name} of the shape {tuple(found[name].shape)}, not {tuple(value.shape)}"
        for name, value in expected.items()
        if name in found and found[name].shape != value.shape
    ]
    if faults:
        more = f" ({len(faults) - 1} more such faults)" if len(faults) > 1 else ""
        raise DataError(
            f"The checkpoint {path} does not fit its own settings: it {faults[0]}{more}."
        )
