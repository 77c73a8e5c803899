"""Whole methods: what answers a clip without being put together from parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bastzoo.hookspecs.marks import hookspec

if TYPE_CHECKING:
    from bastzoo.registry import Component


@hookspec
def bastzoo_baselines() -> list[Component]:  # type: ignore[empty-body]
    """Whole methods that need no training by gradient.

    The target is called without arguments and returns an object with `fit(clips, directions)`
    and `predict(clips)`, which returns directions. Clips are `[B, 2, N]` (channel 0 the left
    ear), directions `[B, 3]`, unit vectors; all are torch tensors. Baselines are measured on
    the same clips as the models.

    ```python
    # level_only/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_baselines():
        return [
            Component(
                kind="baseline",
                name="level",
                target="level_only.baseline:Level",
                summary="the training clip with the nearest level difference",
                licence="MIT",
            )
        ]
    ```

    ```python
    # level_only/baseline.py
    class Level:
        # One number a clip: how much louder the left ear is, in dB.

        def fit(self, clips, directions):
            self.levels, self.directions = level_difference(clips), directions

        def predict(self, clips):  # [B, 2, N] -> [B, 3]
            distance = (level_difference(clips)[:, None] - self.levels).abs()
            return self.directions[distance.argmin(dim=1)]


    def level_difference(clips):
        left, right = clips.square().mean(dim=-1).clamp_min(1e-12).log10().unbind(-1)
        return 10 * (left - right)
    ```
    """
