"""Promises of backbones."""

from __future__ import annotations

from typing import Any
from unittest import SkipTest

import torch
from torch import Tensor, nn

from bastzoo.model import BinauralLocalizer
from bastzoo.testing.modules import SEED, SIZES, Inputs, ModuleSuite, random, seeded
from bastzoo.zoo.heads import Azimuth
from bastzoo.zoo.integrations import Add, Concat, Sub

SHAPES = ((1, 129, 61), (1, 128, 59), (3, 129, 61), (1, 80, 40))
"""Features that a backbone is tried with: channels, bands, frames."""


class Ready(nn.Module):
    """Features that come as they are, for a model without a frontend."""

    def forward(self, features: Tensor) -> Tensor:
        """Return the features."""
        return features

    def output_shape(self, samples: int) -> tuple[int, int, int]:
        """Refuse: nothing is computed."""
        raise NotImplementedError


class BackboneSuite(ModuleSuite):
    """Promises of a backbone, of which a whole model is made.

    shapes: (C, F, T) of the features it is tried with, the first one in every promise. Give others for a
    backbone that takes no spectrograms.
    """

    kind = "backbone"
    shapes: tuple[tuple[int, int, int], ...] = ()

    def feature_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """The shapes to try: those of the suite, or of the frontends that give what it needs."""
        if self.shapes:
            return self.shapes
        needs = set(self.record.needs)
        if not needs:
            return SHAPES
        fitting = [
            self.registry.get("frontend", name)
            for name in self.registry.names("frontend")
            if needs <= set(self.registry.get("frontend", name).gives)
        ]
        if not fitting:
            raise SkipTest(f"no frontend here gives {', '.join(sorted(needs))}")
        return tuple(c.build(**SIZES).output_shape(8000) for c in fitting)

    def build_backbone(
        self, shape: tuple[int, int, int] | None = None, *, seed: int = SEED, **changes: Any
    ) -> Any:
        """Build the backbone alone for features of a shape."""
        shape = shape or self.feature_shapes()[0]
        with seeded(seed):
            return self.record.build(**{**SIZES, **changes}, input_shape=shape)

    def build(self, *, seed: int = SEED, **changes: Any) -> nn.Module:
        """Build a model of two ears, with CONCAT and an encoder for each ear."""
        return self._model(Concat(), "NSP", seed=seed, **changes)

    def inputs(self, batch: int = 3) -> Inputs:
        """Features of both ears."""
        return (random(batch, 2, *self.feature_shapes()[0]),)

    def _model(
        self,
        integration: nn.Module,
        sharing: str,
        *,
        shape: tuple[int, int, int] | None = None,
        seed: int = SEED,
        **changes: Any,
    ) -> BinauralLocalizer:
        backbone = self.build_backbone(shape, seed=seed, **changes)
        with seeded(seed):
            return BinauralLocalizer(
                frontend=Ready(),
                backbone=backbone,
                integration=integration,  # type: ignore[arg-type]
                head=lambda width: Azimuth(width=width),
                sharing=sharing,
            )

    # --- Promises --------------------------------------------------------------------------------

    def test_shapes_follow_the_contract(self) -> None:
        """Features of every size and batch become tokens, and encoders keep the tokens' shape."""
        for shape in self.feature_shapes():
            for batch in (1, 2, 5):
                backbone = self.build_backbone(shape).eval()
                what = f"{batch} × {shape}"
                tokens = backbone.embed(random(batch, *shape))
                if hasattr(backbone, "ear_encoder"):
                    tokens = backbone.ear_encoder().eval()(tokens)
                assert tokens.ndim == 3, f"an ear of {what} becomes {tuple(tokens.shape)}"
                assert tokens.shape[0] == batch, f"{what} becomes {tokens.shape[0]} ears"
                assert tokens.shape[2] == backbone.dim, (
                    f"tokens of {what} are {tokens.shape[2]} wide, and `dim` is {backbone.dim}"
                )
                for width in (backbone.dim, 2 * backbone.dim):  # of an ear, and of CONCAT
                    joined = random(batch, tokens.shape[1], width)
                    changed = backbone.encoder(width).eval()(joined)
                    kept = changed.shape == joined.shape
                    # What only sees both ears joined may sum up: fewer tokens, of the same width.
                    if hasattr(backbone, "ear_encoder") and changed.ndim == 3:
                        kept = changed.shape[::2] == joined.shape[::2] and changed.shape[1] > 0
                    assert kept, (
                        f"encoder({width}) makes {tuple(changed.shape)} of {tuple(joined.shape)}"
                    )

    def test_every_call_of_encoder_makes_a_new_one(self) -> None:
        """`encoder` and `ear_encoder` make a new module at every call: ears that do not share do not."""
        backbone = self.build_backbone()
        for make in (lambda: backbone.encoder(backbone.dim), lambda: _ear_encoder(backbone)):
            first, second = make(), make()
            shared = {id(p) for p in first.parameters()} & {id(p) for p in second.parameters()}
            assert first is not second, "two calls return one module"
            assert not shared, "two encoders share parameters"

    def test_a_gradient_step_helps(self) -> None:
        """Forty steps of training on four clips make their error smaller by half."""
        model = self.build().train()
        features = random(4, 2, *self.feature_shapes()[0])
        targets = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
        errors = []
        with seeded():
            for _ in range(40):
                error = (model(features)["vector"] - targets).square().mean()
                optimizer.zero_grad()
                error.backward()
                optimizer.step()
                errors.append(error.item())
        assert errors[-1] < 0.5 * errors[0], (
            f"the error went from {errors[0]:.3f} to {errors[-1]:.3f}"
        )

    def test_declared_blindness_is_true(self) -> None:
        """What the record declares that it cannot tell, it cannot tell: to the last digits."""
        declared = {key.upper(): words for key, words in self.record.blindness.items()}
        holds = {key: self._is_blind(key) for key in ("ADD+SP", "SUB+SP")}
        unknown = sorted(set(declared) - set(holds))
        if unknown:
            raise SkipTest(f"there is no test of {', '.join(unknown)}; write one in the plugin")
        false = [key for key in declared if not holds[key]]
        assert not false, f"it is not blind with {', '.join(false)}, as it declares"
        missing = [key for key, blind in holds.items() if blind and key not in declared]
        if missing:
            raise SkipTest(f"it is blind with {', '.join(missing)} and does not declare it")

    def _is_blind(self, key: str) -> bool:
        """ADD+SP: an exchange of the ears changes nothing; SUB+SP: identical ears, one answer."""
        adds = key == "ADD+SP"
        model = self._model(Add() if adds else Sub(), "SP").eval()
        features = random(4, 2, *self.feature_shapes()[0])
        with torch.no_grad():
            if adds:
                first, second = model(features)["vector"], model(features.flip(1))["vector"]
            else:
                same = features[:, :1].expand(-1, 2, -1, -1, -1)
                first = model(same)["vector"]
                second = first[:1].expand_as(first)
        return torch.allclose(first, second, rtol=1e-4, atol=1e-5)


def _ear_encoder(backbone: Any) -> nn.Module:
    make = getattr(backbone, "ear_encoder", None)
    module: nn.Module = make() if make is not None else backbone.encoder(backbone.dim)
    return module
