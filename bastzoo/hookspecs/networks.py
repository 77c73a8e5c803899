"""The parts of a network and what it is trained on: backbones, integrations, losses, heads, frontends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bastzoo.hookspecs.marks import hookspec

if TYPE_CHECKING:
    from bastzoo.registry import Component


@hookspec
def bastzoo_backbones() -> list[Component]:  # type: ignore[empty-body]
    """Encoders: from what an ear hears to features.

    The target is called with those of the keyword arguments `input_shape` (C, F, T), `dim`,
    `depth`, `heads`, `mlp_dim`, `patch`, `stride` and `dropout` that its signature names, and
    returns an `nn.Module` with `dim`, the width of its tokens; `embed(x)`, which turns one ear
    `[B, C, F, T]` into tokens `[B, N, dim]`; and `encoder(width)`, which makes a new module
    from tokens to tokens of that width. The model makes one or two ear encoders and a fusion
    encoder from it. A backbone whose ears need another encoder than both ears joined (a
    convolutional network that makes the tokens, say) also has `ear_encoder()`, which makes a new
    one; `embed(x)` may then return anything with a row an ear, and the ear encoder returns tokens.

    `blindness` declares what no training can teach: it holds for every backbone that encodes
    each ear on its own.

    ```python
    # gru_ears/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_backbones():
        return [
            Component(
                kind="backbone",
                name="gru",
                target="gru_ears.backbone:Gru",
                summary="a recurrent network that reads the frames in both directions",
                citation="Cho et al., arXiv:1406.1078 (2014)",
                licence="MIT",
                blindness={"ADD+SP": "left-right", "SUB+SP": "identical ears"},
            )
        ]
    ```

    ```python
    # gru_ears/backbone.py
    from torch import nn


    class Gru(nn.Module):
        # Every frame of the spectrogram is a token.

        def __init__(self, *, input_shape, dim, depth):
            super().__init__()
            channels, bands, _ = input_shape
            self.dim = dim
            self.depth = depth
            self.project = nn.Linear(channels * bands, dim)

        def embed(self, x):  # [B, C, F, T] -> [B, T, dim]
            return self.project(x.flatten(1, 2).transpose(1, 2))

        def encoder(self, width):
            return Encoder(width, self.depth)


    class Encoder(nn.Module):
        # As many features come out as go in: half of them from each direction.

        def __init__(self, width, depth):
            super().__init__()
            self.gru = nn.GRU(width, width // 2, depth, batch_first=True, bidirectional=True)

        def forward(self, tokens):  # [B, N, width] -> [B, N, width]
            return self.gru(tokens)[0]
    ```
    """


@hookspec
def bastzoo_integrations() -> list[Component]:  # type: ignore[empty-body]
    """How the features of two ears become one.

    The target is called with those of the keyword arguments `dim` (the width of an ear's tokens),
    `heads` and `dropout` that its signature names, and returns an `nn.Module` with `width(dim)`, the
    width of the fused tokens for ears of width `dim`, and `forward(left, right)`, which fuses
    `[B, N, dim]` and `[B, N, dim]` into `[B, N, width(dim)]`.

    ```python
    # coincidence/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_integrations():
        return [
            Component(
                kind="integration",
                name="PRODUCT",
                target="coincidence.integration:Product",
                summary="left × right: a coincidence detector",
                citation="Jeffress, J. Comp. Physiol. Psychol. 41:35 (1948)",
                licence="MIT",
            )
        ]
    ```

    ```python
    # coincidence/integration.py
    from torch import nn


    class Product(nn.Module):
        # Large where both ears respond, as the cells of Jeffress' model do.

        def width(self, dim):
            return dim

        def forward(self, left, right):  # [B, N, dim], [B, N, dim] -> [B, N, dim]
            return left * right
    ```
    """


@hookspec
def bastzoo_losses() -> list[Component]:  # type: ignore[empty-body]
    """What training makes small.

    The target is called without arguments and returns a callable `(outputs, targets) ->
    scalar`. `outputs` are the head's; `targets["direction"]` is `[B, 3]`, unit vectors: x
    front, y left, z up. `needs` names the outputs that the loss reads, so that a head which
    does not give them is refused before anything runs.

    ```python
    # sector_loss/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_losses():
        return [
            Component(
                kind="loss",
                name="SECTORS",
                target="sector_loss.loss:SectorCrossEntropy",
                summary="cross-entropy over sectors of the azimuth",
                licence="MIT",
                needs=("logits",),
            )
        ]
    ```

    ```python
    # sector_loss/loss.py
    import math

    import torch
    from torch.nn.functional import cross_entropy


    class SectorCrossEntropy:
        # As many sectors as the head has logits; the first one lies around 0 degrees.

        def __call__(self, outputs, targets):
            logits = outputs["logits"]  # [B, K]
            x, y, _ = targets["direction"].unbind(-1)
            turns = torch.atan2(y, x) / (2 * math.pi)
            sectors = logits.shape[-1]
            return cross_entropy(logits, torch.round(turns * sectors).long() % sectors)
    ```
    """


@hookspec
def bastzoo_heads() -> list[Component]:  # type: ignore[empty-body]
    """What the network answers.

    The target is called with `width`, the width of the pooled features, and returns an
    `nn.Module` with `forward(pooled)`, from `[B, width]` to named outputs, and
    `decode(outputs)`, from these to `{"direction": [B, 3]}`, unit vectors. `gives` names the
    outputs. `vector`, `[B, 2]` or `[B, 3]`, is what the built-in losses read. `parameters` are
    keyword arguments that the record fixes.

    A head that answers more brings what belongs to it. Its record says what it `needs` to know of clips
    (`class`: then it is built with `classes`, their names; `elevation`; or a target that the environment
    offers), which loss `terms` it brings, and how many `sources` it can answer. Its method
    `loss(localization)` joins the user's loss and its terms, `decode` returns all that it answers by name,
    and a metric scores that. `collect` says which rows these are where a row is not a clip.
    A head that knows how sure it is decodes to `radii` too, `[B, 9]`, degrees: how far the true
    direction lies at most with the probabilities of `bastzoo.model.CREDIBLE_LEVELS`.

    ```python
    # sector_head/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_heads():
        return [
            Component(
                kind="head",
                name="sectors",
                target="sector_head.head:Sectors",
                summary="one logit for each sector of 5 degrees, and their mean direction",
                licence="MIT",
                parameters={"sectors": 72},
                gives=("logits", "vector"),
            )
        ]
    ```

    ```python
    # sector_head/head.py
    import math

    import torch
    from torch import nn


    class Sectors(nn.Module):
        # A distribution over the azimuth; its mean vector is the answer.

        def __init__(self, *, width, sectors):
            super().__init__()
            self.linear = nn.Linear(width, sectors)
            azimuth = torch.arange(sectors) * (2 * math.pi / sectors)
            self.register_buffer("centres", torch.stack([azimuth.cos(), azimuth.sin()], dim=-1))

        def forward(self, pooled):  # [B, width]
            logits = self.linear(pooled)
            return {"logits": logits, "vector": logits.softmax(-1) @ self.centres}

        def decode(self, outputs):
            flat = nn.functional.normalize(outputs["vector"], dim=-1)
            return {"direction": nn.functional.pad(flat, (0, 1))}
    ```
    """


@hookspec
def bastzoo_frontends() -> list[Component]:  # type: ignore[empty-body]
    """From waveforms to what an encoder sees.

    The target is called without arguments and returns an `nn.Module` with `forward(clips)`,
    from `[B, 2, N]` (channel 0 the left ear, 16 kHz) to `[B, 2, C, F, T]`: C channels an ear, F
    bands, T frames; and `output_shape(samples)`, the (C, F, T) that clips of so many samples
    give. It runs batched, on the device of the clips. Silence has a defined value, never NaN.

    ```python
    # envelopes/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_frontends():
        return [
            Component(
                kind="frontend",
                name="envelope",
                target="envelopes.frontend:Envelope",
                summary="log energy of the waveform every 4 ms",
                licence="MIT",
            )
        ]
    ```

    ```python
    # envelopes/frontend.py
    from torch import nn

    HOP = 64
    FLOOR = 1e-8


    class Envelope(nn.Module):
        # One band: how loud each ear is, over time.

        def output_shape(self, samples):
            return 1, 1, samples // HOP

        def forward(self, clips):  # [B, 2, N] -> [B, 2, 1, 1, T]
            whole = clips[..., : clips.shape[-1] // HOP * HOP]
            energy = whole.unflatten(-1, (-1, HOP)).square().mean(dim=-1)
            return energy.clamp_min(FLOOR).log()[:, :, None, None, :]
    ```
    """
