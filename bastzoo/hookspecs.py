"""The hooks through which every component enters the zoo.

A plugin implements those it wants with `@hookimpl`. Each returns records, which are data; the code
behind a record is in another module, imported when the component is built. So what a plugin imports
to register (the first file of each example) must not import torch. `docs/plugins.md` has the same
examples with more words; the tests run them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from bastzoo.registry import Component

hookspec = pluggy.HookspecMarker("bastzoo")
hookimpl = pluggy.HookimplMarker("bastzoo")
"""Marks a function of a plugin as the implementation of the hook that it is named after."""

KIND_OF_HOOK = {
    "bastzoo_backbones": "backbone",
    "bastzoo_integrations": "integration",
    "bastzoo_losses": "loss",
    "bastzoo_heads": "head",
    "bastzoo_frontends": "frontend",
    "bastzoo_environments": "environment",
    "bastzoo_baselines": "baseline",
    "bastzoo_executors": "executor",
    "bastzoo_datasets": "dataset",
}
"""The kind of component that each hook returns."""


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

    A head that also says what a sound was or how high gives `class_logits` (`[B, C]`) or `elevation`
    (`[B]`, degrees): these are scored beside the localization loss (docs/multitask.md). It is called
    with `classes`, the names that the data gives, and `decode` returns `class` (`[B]`, positions) too.
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


@hookspec
def bastzoo_environments() -> list[Component]:  # type: ignore[empty-body]
    """Where the sounds are heard.

    The target is called without arguments and returns a
    `bastzoo.data.environments.Environment`: a name and its rooms, each a
    `bastzoo.acoustics.rooms.shoebox.Room`. Every sound is heard in each room from every azimuth.

    ```python
    # wet_rooms/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_environments():
        return [
            Component(
                kind="environment",
                name="BATHROOM",
                target="wet_rooms.environment:bathroom",
                summary="a tiled bathroom, 2.5 × 3 m, RT60 of 1.2 s",
                licence="MIT",
            )
        ]
    ```

    ```python
    # wet_rooms/environment.py
    from bastzoo.acoustics.rooms.shoebox import Room
    from bastzoo.data.environments import Environment


    def bathroom():
        room = Room(
            "bathroom",
            size=(2.5, 3.0, 2.4),
            rt60=1.2,
            listener=(1.1, 1.4, 1.6),
            source_distance=0.8,
        )
        return Environment("BATHROOM", (room,))
    ```
    """


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


@hookspec
def bastzoo_executors() -> list[Component]:  # type: ignore[empty-body]
    """Where the jobs of a grid run.

    The target is called with those of the keyword arguments `jobs` (how many at a time) and
    `address` (of a cluster) that its signature names, and returns an object with
    `run(jobs, settings, *, watch, stopping, here)`, a generator that performs every job and yields
    its outcome, in whatever order they end. Jobs and settings are data (pydantic) that can be sent
    to another machine, where `bastzoo.bench.jobs.Bench(settings, registry=...).perform(job)` runs
    one; `here` is such a bench in the calling process. `watch(key, progress)` feeds the display;
    `stopping.signal` is not 0 once the user wants an end. An outcome with the status `busy` means
    that another process works on that run: ask again later.

    ```python
    # night_shift/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_executors():
        return [
            Component(
                kind="executor",
                name="night",
                target="night_shift.executor:Night",
                summary="one job after the other, between 22 and 6 o'clock",
                licence="MIT",
            )
        ]
    ```

    ```python
    # night_shift/executor.py
    import time


    class Night:
        def __init__(self, *, clock=time.localtime):
            self.clock = clock

        def run(self, jobs, settings, *, watch, stopping, here):
            for job in jobs:
                while 6 <= self.clock().tm_hour < 22:
                    time.sleep(60)
                yield here.perform(job)
    ```
    """


@hookspec
def bastzoo_datasets() -> list[Component]:  # type: ignore[empty-body]
    """Data sets that users fetch: listeners, rooms or sounds by name.

    The target returns a `DataIndex` (`bastzoo.data.sets.index`): the files with address, size and SHA-256,
    the licence, which files a member needs, and `read(folder, member)`, which returns a `Listener`, a
    `MeasuredRoom`, or the path of a folder of sounds. It is called by `bastzoo data list`, so it must be
    quick. Nothing is fetched unless a user asks, with `bastzoo data fetch NAME`. Listeners are named
    `--listener NAME/MEMBER`, sounds `--sounds NAME`; for rooms, register an environment too, whose
    rooms are `read_members("NAME/MEMBER", "rooms", default_registry())`.

    ```python
    # studio_ears/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_datasets():
        return [
            Component(
                kind="dataset",
                name="studio",
                target="studio_ears.index:studio",
                summary="two listeners, measured in our studio",
                citation="none",
                licence="CC-BY-4.0",
            )
        ]
    ```

    ```python
    # studio_ears/index.py
    from bastzoo.acoustics.listeners.listener import read_sofa
    from bastzoo.data.sets.index import DataFile, DataIndex

    FILES = {"ann": "11aa" * 16, "bob": "22bb" * 16}  # name -> SHA-256


    def studio():
        return DataIndex(
            name="studio",
            holds="listeners",
            licence="CC-BY-4.0",
            citation="none",
            source="https://example.org/studio",
            files=[
                DataFile(f"{name}.sofa", sha256, url=f"https://example.org/studio/{name}.sofa")
                for name, sha256 in FILES.items()
            ],
            members={name: [f"{name}.sofa"] for name in FILES},
            read=lambda folder, name: read_sofa(folder / f"{name}.sofa"),
        )
    ```
    """
