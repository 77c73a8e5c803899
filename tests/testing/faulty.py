"""Components that break one promise each, for the tests of the suites."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from bastzoo.conditions import Case, Track
from bastzoo.metrics.metric import Figure, Metric
from bastzoo.zoo.frontends import Spectrogram
from bastzoo.zoo.heads import Azimuth
from bastzoo.zoo.integrations import Concat


class Honest(nn.Module):
    """A backbone in order, to be broken by subclasses."""

    def __init__(self, *, input_shape, dim, dropout):
        super().__init__()
        self.dim = dim
        self.dropout = dropout
        self.project = nn.Conv2d(input_shape[0], dim, kernel_size=(32, 16), stride=(32, 16))

    def embed(self, x):
        return self.project(x).flatten(2).transpose(1, 2)

    def encoder(self, width):
        return nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(self.dropout))


class WrongWidth(Honest):
    """Its tokens are not as wide as it says."""

    def __init__(self, *, input_shape, dim, dropout):
        super().__init__(input_shape=input_shape, dim=dim, dropout=dropout)
        self.dim = dim + 1


class OneEncoder(Honest):
    """It returns the same module at every call: ears that should not share do."""

    def encoder(self, width):
        name = f"made_{width}"
        if not hasattr(self, name):
            setattr(self, name, super().encoder(width))
        return getattr(self, name)


class Unused(Honest):
    """It holds parameters that nothing uses."""

    def __init__(self, *, input_shape, dim, dropout):
        super().__init__(input_shape=input_shape, dim=dim, dropout=dropout)
        self.spare = nn.Linear(4, 4)


class Noisy(Honest):
    """It draws random numbers in eval mode too."""

    def embed(self, x):
        tokens = super().embed(x)
        return tokens + torch.randn_like(tokens)


class Nosy(Honest):
    """It standardises over the batch."""

    def embed(self, x):
        tokens = super().embed(x)
        return tokens - tokens.mean(dim=0, keepdim=True)


class Single(Honest):
    """It can compute in single precision only."""

    def embed(self, x):
        return super().embed(x).float()


class Forgetful(Honest):
    """It keeps what it has learned where no state dict finds it."""

    def __init__(self, *, input_shape, dim, dropout):
        super().__init__(input_shape=input_shape, dim=dim, dropout=dropout)
        self.hidden = [torch.randn(dim)]

    def embed(self, x):
        return super().embed(x) + self.hidden[0].to(x.dtype)


class Branching(Honest):
    """It decides by a value of its input, which cannot be exported."""

    def embed(self, x):
        tokens = super().embed(x)
        return tokens if float(x.sum()) > 0 else 2 * tokens


class Frozen(Honest):
    """Nothing in it can be trained to an answer."""

    def embed(self, x):
        return 0 * super().embed(x)


class Slow(Honest):
    """It computes a hundred times what it needs."""

    def embed(self, x):
        tokens = super().embed(x)
        for _ in range(100):
            tokens = tokens + 1e-9 * super().embed(x)
        return tokens


class Greedy(Honest):
    """It keeps far more than it needs."""

    def embed(self, x):
        tokens = super().embed(x)
        wide = tokens[..., None] * torch.ones(200)
        return tokens + 1e-9 * wide.square().sum(-1)


class Sighted(Honest):
    """Each ear knows which it is, so it is not blind as it declares: it hears both."""

    def embed(self, x):
        tokens = super().embed(x)
        return tokens * torch.linspace(1, 2, len(tokens))[:, None, None]


class NarrowConcat(Concat):
    """Its width is not what it gives."""

    def width(self, dim):
        return dim


class LeftOnly(Concat):
    """It does not listen to the right ear."""

    def forward(self, left, right):
        return torch.cat([left, left], dim=-1)


class LongDirections(Azimuth):
    """Its directions are not of length 1."""

    def decode(self, outputs):
        return {"direction": 2 * super().decode(outputs)["direction"]}


class Confident(Azimuth):
    """It has a direction for a clip without features."""

    def decode(self, outputs):
        return super().decode({"vector": outputs["vector"].nan_to_num(1.0)})


class OtherOutputs(Azimuth):
    """It does not give what its record names."""

    def forward(self, pooled):
        return {"arrow": super().forward(pooled)["vector"]}

    def decode(self, outputs):
        return super().decode({"vector": outputs["arrow"]})


class Loose(Azimuth):
    """Its terms do not hold what it is asked, nor does it answer that."""

    def loss(self, localization):
        return lambda outputs, targets: (
            0 * self.norm.weight.sum()
            + localization({"vector": outputs["vector"].detach()}, targets)
        )


def wordless():
    figures = {"off": Figure("", "nothing")}
    return Metric(figures=figures, compute=lambda arrays: {"off": 1.0, "on": 2.0})


def raw_mean():
    def compute(arrays):
        return {"off": float(np.mean(arrays["directions"][:, 1]))}

    return Metric(figures={"off": Figure("off", "a mean without a thought")}, compute=compute)


def first_of_all():
    def compute(arrays):
        arrays["directions"] *= 2
        return {"off": float(arrays["directions"][0, 0])}

    return Metric(figures={"off": Figure("off", "that of the first clip")}, compute=compute)


class Shrinking(Azimuth):
    """The surer it should be of a cap, the smaller it is."""

    def decode(self, outputs):
        radii = torch.linspace(90, 10, 9).expand(len(outputs["vector"]), -1)
        return {**super().decode(outputs), "radii": radii}


class WrongShape(Spectrogram):
    """It announces a frame too many."""

    def output_shape(self, samples):
        channels, bands, frames = super().output_shape(samples)
        return channels, bands, frames + 1


class Overwriting(Spectrogram):
    """It writes into the clips that it is given."""

    def forward(self, clips):
        features = super().forward(clips)
        clips *= 0
        return features


class SilentNan(Spectrogram):
    """Silence has no finite value."""

    def forward(self, clips):
        return super().forward(clips) + clips.sum(dim=-1)[..., None, None, None].log().abs() * 0


class Loudness(Spectrogram):
    """How loud a clip is, is what it sees."""

    def forward(self, clips):
        return self.decibels(clips).unsqueeze(2) + 100 * clips.abs().mean()


def mean_of_squares(outputs, targets):
    """A loss in order."""
    return (outputs["vector"] - targets["direction"][:, :2]).square().mean()


class Climbing:
    """Its gradient leads away from the minimum."""

    def __call__(self, outputs, targets):
        error = mean_of_squares(outputs, targets)
        return 2 * error.detach() - error


class PerClip:
    """It is not one number."""

    def __call__(self, outputs, targets):
        return (outputs["vector"] - targets["direction"][:, :2]).square().mean(dim=-1)


class Endless:
    """Its gradient is not finite."""

    def __call__(self, outputs, targets):
        return (outputs["vector"] * 0).abs().sum().sqrt() + mean_of_squares(outputs, targets)


class Half:
    """It stays in the precision of the outputs."""

    def __call__(self, outputs, targets):
        vector = outputs["vector"]
        return (vector - targets["direction"][:, :2].to(vector.dtype)).square().mean()


class Dice:
    """The same outputs have another loss every time."""

    def __call__(self, outputs, targets):
        return mean_of_squares(outputs, targets) + 1e-3 * torch.rand(())


class LongAnswers:
    """A baseline whose answers are not of length 1."""

    def fit(self, clips, directions):
        self.direction = directions[0]

    def predict(self, clips):
        return 3 * self.direction.expand(len(clips), -1)


class Wandering(LongAnswers):
    """A baseline whose answers depend on the batch, and change from fit to fit."""

    def predict(self, clips):
        return nn.functional.normalize(torch.randn(len(clips), 3), dim=-1)


class Deaf(LongAnswers):
    """A baseline that raises at silence."""

    def predict(self, clips):
        if not clips.any():
            raise ZeroDivisionError("no energy")
        return self.direction.expand(len(clips), -1)


def renamed():
    """An environment under another name than its record's."""
    from bastzoo.data.environments import ri01

    return ri01()


class Lazy:
    """An executor that performs the first job only."""

    def run(self, jobs, settings, *, watch, stopping, here):
        yield here.perform(jobs[0])


def nameless():
    """A data set without members and licence, of a file that nobody can check."""
    from bastzoo.data.sets.index import DataFile, DataIndex

    return DataIndex(
        name="nameless",
        holds="sounds",
        licence="",
        citation="none",
        source="here",
        read=lambda folder, member: folder,
        members={},
        files=[DataFile("a.wav", url="https://example.org/a.wav")],
    )


def nowhere():
    """A model whose folder is not there."""
    return "/nowhere/at/all"


def mute():
    """A model that answers nothing, and does not say what it was trained on."""
    import tempfile
    from pathlib import Path

    import torch

    from bastzoo.models.sharing.package import write_package
    from tests.models.made import made

    localizer = made()
    with torch.no_grad():
        localizer.model.head.linear.weight.zero_()
        localizer.model.head.linear.bias.zero_()
    folder = Path(tempfile.mkdtemp()) / "mute"
    record = localizer.record.model_copy(update={"trained_on": None})
    write_package(folder, localizer.model, record)
    return folder


def twins() -> Track:
    return Track("other", " ", (Case("a"), Case("a")), conditions=())
