"""In which precision networks compute: float32, or float32 mixed with bfloat16 or float16."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator

from bastzoo.errors import SetupError

PRECISIONS = ("no", "bf16", "fp16")


class MixedAccelerator(Accelerator):
    """An accelerator with a precision of its own, which may change from one run to the next.

    accelerate's belongs to the process: another one raises, once there is an accelerator. bfloat16 needs
    nothing of accelerate but `autocast`; float16, whose gradients are scaled, stays with it.

    Raises SetupError where the process computes otherwise already.
    """

    def __init__(self, *, cpu: bool, precision: str) -> None:
        if precision not in PRECISIONS:
            raise SetupError(f"There is no precision {precision!r}; use {', '.join(PRECISIONS)}.")
        self.precision = precision
        try:
            super().__init__(cpu=cpu, mixed_precision="fp16" if precision == "fp16" else "no")
        except ValueError as error:
            raise SetupError(
                "This process computes on another device or in float16 already, and accelerate knows one of "
                "each; start a new Python."
            ) from error

    def autocast(self, autocast_handler: Any = None) -> Any:
        """Compute what follows in this precision, layer by layer as torch knows is safe."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return super().autocast(autocast_handler)
