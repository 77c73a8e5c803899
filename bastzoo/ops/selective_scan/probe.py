"""Tries an implementation of the selective scan on a small scan: installed is not yet working."""

import math

import torch
from torch import Tensor

from bastzoo.ops.selective_scan import reference
from bastzoo.ops.selective_scan.availability import PREFERENCE
from bastzoo.ops.selective_scan.implementations import implementation


def failure(name: str) -> str | None:
    """Why the implementation does not work here, in words; None where it does."""
    device = next(device for device, names in PREFERENCE.items() if name in names)
    if device == "cuda" and not torch.cuda.is_available():
        return "torch sees no CUDA device"
    try:
        return _disagreement(name, device)
    except Exception as error:  # whatever a foreign kernel raises: this is what the probe is for
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _disagreement(name: str, device: str) -> str | None:
    def ramp(*shape: int) -> Tensor:
        numbers = torch.linspace(-1, 1, math.prod(shape), dtype=torch.float32, device=device)
        return numbers.reshape(shape).requires_grad_()

    batch, channels, steps, state = 1, 2, 3, 2
    with torch.inference_mode(False), torch.autocast(device, enabled=False):
        u, delta = ramp(batch, channels, steps), ramp(batch, channels, steps)
        B, C = ramp(batch, state, steps), ramp(batch, state, steps)
        inputs = (u, delta, ramp(channels, state), B, C, ramp(channels), ramp(channels))
        with torch.enable_grad():
            expected = reference.selective_scan(*inputs)
            gradients = torch.autograd.grad(expected.sum(), inputs)
        with torch.no_grad():
            module = implementation(name)
            y, states = module.forward(*inputs, True)
            found = module.backward(torch.ones_like(y), states, *inputs, True)
    pairs = zip((y, *found), (expected, *gradients), strict=True)
    if all(torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4) for ours, theirs in pairs):
        return None
    return "it runs and its numbers are wrong"
