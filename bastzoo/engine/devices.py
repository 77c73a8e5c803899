"""Devices that are asked for by name, and are not always there."""

from __future__ import annotations

from bastzoo.errors import SetupError

DEVICES = ("auto", "cpu", "cuda", "mps")


def check_device(name: str) -> None:
    """Raise SetupError, in a sentence, for a device that there is none of here."""
    import torch

    if name not in DEVICES:
        raise SetupError(f"There is no device {name!r}; use auto, cpu, cuda or mps.")
    if name == "cuda" and not torch.cuda.is_available():
        raise SetupError(
            "The device 'cuda' was asked for, but torch sees no CUDA GPU here; "
            "use --device cpu, or see `bastzoo doctor`."
        )
    if name == "mps" and not torch.backends.mps.is_available():
        raise SetupError("The device 'mps' was asked for, but torch sees none; use --device cpu.")
