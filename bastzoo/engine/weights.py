"""Weights in files: safetensors, a tensor that has several names once."""

from __future__ import annotations

import safetensors.torch
from torch import Tensor, nn


def weights_of(model: nn.Module) -> bytes:
    """Return the state of a model as a safetensors file; tied weights are in it once."""
    state = model.state_dict()
    kept = {name: state[name] for name, first in _first_names(state).items() if name == first}
    # Copies: views of one storage that are not the same tensor are no fault of the file's.
    return safetensors.torch.save(
        {n: v.detach().cpu().contiguous().clone() for n, v in kept.items()}
    )


def load_weights(model: nn.Module, file: bytes) -> None:
    """Give a model the state of such a file.

    Raises SafetensorError for a damaged file, RuntimeError for that of another model.
    """
    found = safetensors.torch.load(file)
    for name, first in _first_names(model.state_dict()).items():
        if name not in found and first in found:
            found[name] = found[first]
    model.load_state_dict(found)


def _first_names(state: dict[str, Tensor]) -> dict[str, str]:
    """For each name the first one of the same tensor."""
    first: dict[tuple[object, ...], str] = {}
    names = {}
    for name, value in state.items():
        same = (value.data_ptr(), value.device, value.dtype, value.shape, value.stride())
        names[name] = first.setdefault(same, name) if value.numel() else name
    return names
