"""A training step that can be watched: the parts that its time goes to, on a processor or a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bastzoo.data.environments import ri
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.experiment import Combination
from bastzoo.harness.workbench import Workbench
from bastzoo.limits.memory import keep_freed_memory
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset

BACKBONES = ("vanilla", "swin", "mamba")
PARTS = ("rendering", "frontend", "forward", "backward", "optimizer")

Localize = Callable[[Tensor], dict[str, Tensor]]


class Step:
    """One training step (SUB, SP, MIX, on RI), in the parts that its time goes to.

    Clips are rendered on the device that trains, as `bastzoo train` does it. precision: `no` or `bf16`.
    """

    def __init__(
        self, backbone: str, preset: str, batch: int, precision: str = "no", device: str = "cpu"
    ) -> None:
        keep_freed_memory()  # as trainings do
        values = load_preset(preset)
        workbench = Workbench(default_registry(), device=device)
        experiment = workbench.resolver.experiment(
            Combination(backbone=backbone, integration="SUB", loss="MIX", sharing="SP"),
            preset=values,
            environment="RI",
            seed=0,
        )
        self.device = torch.device(device)
        self.model = workbench.session.build(experiment).to(self.device).train()
        self._loss = workbench.session.loss(experiment, self.model)
        self._optimizer = torch.optim.AdamW(self.model.parameters(), fused=True)
        few = values.data.model_copy(update={"train_sounds": 100})
        self._clips = RenderedData(environment=ri(), size=few, device=device).split("train")
        self._order = torch.randperm(len(self._clips), generator=torch.manual_seed(0))
        self._bf16 = precision == "bf16"
        self.batch = batch

    @property
    def indices(self) -> Tensor:
        """The clips of a step: always the same."""
        return self._order[: self.batch]

    def parts(self, localize: Localize | None = None) -> list[float]:
        """Do a step and return the seconds of each of `PARTS`."""
        times: list[float] = []

        def passed() -> None:
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter())

        passed()
        batch = self._clips.take(self.indices)
        passed()
        features = self.model.features(batch.inputs)
        passed()
        half = torch.autocast(self.device.type, torch.bfloat16) if self._bf16 else nullcontext()
        with half:
            value = self._loss((localize or self.model.localize)(features), batch.targets)
        passed()
        value.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        passed()
        self._optimizer.step()
        self._optimizer.zero_grad()
        passed()
        return [after - before for before, after in pairwise(times)]

    def flops(self) -> int:
        """Floating-point operations of forward and backward, as torch counts them."""
        features = self.model.features(self._clips.take(self.indices[:1]).inputs)
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            self.model.localize(features)
        return 3 * counter.get_total_flops() * self.batch

    def plainly(self, features: Tensor) -> dict[str, Tensor]:
        """The published architecture: the ears one after the other (SP: by one encoder)."""
        model = self.model
        left, right = (
            model.ears[0](model.backbone.embed(features[:, ear].contiguous())) for ear in (0, 1)
        )
        fused = model.fusion(model.integration(left, right))
        return model.head(fused.mean(dim=1))


def limit(device: str = "cpu", dtype: torch.dtype = torch.float32, size: int = 1536) -> float:
    """What the machine multiplies at most, in operations a second: large matrices."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds)
