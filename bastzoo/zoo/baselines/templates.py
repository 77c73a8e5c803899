"""Template matching: the direction whose remembered cues are nearest to those heard.

The way in which localization from binaural cues has been modelled since Jeffress (J. Comp. Physiol.
Psychol. 41:35, 1948), with the listener's own table of cues learned from training clips (compare May et
al., IEEE Trans. Audio Speech Lang. Process. 19:1, 2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bastzoo.zoo.baselines.cues import (
    interaural_level_differences,
    interaural_time_differences,
    require_sound,
)

_CHUNK = 512
"""Clips matched at a time: with 36 directions and 48 cues, 4 MB."""

_MAD_TO_STD = 1.4826
"""Ratio of standard deviation to median absolute deviation of a normal distribution."""


class Cue(NamedTuple):
    """What is measured in a clip, and how finely: a template's spread is never taken as less."""

    measure: Callable[[Float[Tensor, "B 2 N"]], Float[Tensor, "B K"]]
    resolution: float


# What listeners just notice: 10 µs (Klumpp, Eady, J. Acoust. Soc. Am. 28:859, 1956) and 1 dB
# (Mills, J. Acoust. Soc. Am. 32:132, 1960). Clips without noise repeat far better than that, and a
# matcher that trusts them to the last digit knows nothing between the training directions.
ITD = Cue(interaural_time_differences, resolution=10.0)
ILD = Cue(interaural_level_differences, resolution=1.0)


class NearestTemplate:
    """Robust maximum likelihood over the training directions, of one or several cues.

    A template holds, for each training direction, the median of every cue over its clips and its
    spread (median absolute deviation). A clip's cues are taken to be independent and Cauchy
    distributed around the right template: a heavy tail, because one band can be far off (another
    peak of the correlation, a note that fills it alone) without saying anything about the rest.
    The answer is always one of the training directions.
    """

    def __init__(self, *cues: Cue) -> None:
        self._cues = cues
        self._directions: Float[Tensor, "D 3"] | None = None
        self._centre: Float[Tensor, "D K"]
        self._spread: Float[Tensor, "D K"]

    def fit(self, clips: Float[Tensor, "B 2 N"], directions: Float[Tensor, "B 3"]) -> None:
        """Learn a template for every direction. Raises DataError when no clip holds any sound."""
        # Directions are told apart to 0.01°, whatever rounding they went through.
        grid, label = torch.unique((directions * 1e4).round(), dim=0, return_inverse=True)
        measured = [cue.measure(clips) for cue in self._cues]
        cues = torch.cat(measured, dim=1)
        require_sound(cues)
        least = torch.cat(
            [
                cues.new_full((each.shape[1],), cue.resolution)
                for cue, each in zip(self._cues, measured, strict=True)
            ]
        )
        self._centre, self._spread = _templates(cues, label, len(grid), least)
        means = [directions[label == d].mean(0) for d in range(len(grid))]
        self._directions = torch.nn.functional.normalize(torch.stack(means), dim=1)

    def predict(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 3"]:
        """The direction of the nearest template of each clip; NaN where no cue was heard."""
        if self._directions is None:
            raise RuntimeError(f"{type(self).__name__}.predict was called before fit.")
        heard = torch.cat([cue.measure(clips) for cue in self._cues], dim=1)
        centre, spread = self._centre.to(clips.device), self._spread.to(clips.device)
        nearest = torch.cat([_surprise(c, centre, spread).argmin(1) for c in heard.split(_CHUNK)])
        answers = self._directions.to(clips.device)[nearest]
        return answers.masked_fill(heard.isnan().all(1, keepdim=True), math.nan)


class ItdTemplate(NearestTemplate):
    """Nearest template of interaural time differences by band."""

    def __init__(self) -> None:
        super().__init__(ITD)


class IldTemplate(NearestTemplate):
    """Nearest template of the spectrum of interaural level differences."""

    def __init__(self) -> None:
        super().__init__(ILD)


class ItdIldTemplate(NearestTemplate):
    """Nearest template of time and level differences, each cue scaled by its own spread."""

    def __init__(self) -> None:
        super().__init__(ITD, ILD)


def _templates(
    cues: Float[Tensor, "B K"],
    label: Int[Tensor, " B"],
    directions: int,
    least: Float[Tensor, " K"],
) -> tuple[Float[Tensor, "D K"], Float[Tensor, "D K"]]:
    """Median and spread of every cue in every direction.

    A band never heard from a direction gets the template of all directions together, which neither
    speaks for that direction nor against it.
    """
    centres, spreads = zip(*(_robust(cues[label == d]) for d in range(directions)), strict=True)
    centre, spread = torch.stack(centres), torch.stack(spreads)
    anywhere, anywhere_spread = (x.nan_to_num(nan=0.0) for x in _robust(cues))
    centre = torch.where(centre.isnan(), anywhere, centre)
    spread = torch.where(spread.isnan(), anywhere_spread, spread)
    return centre, torch.maximum(spread, least)


def _robust(cues: Float[Tensor, "n K"]) -> tuple[Float[Tensor, " K"], Float[Tensor, " K"]]:
    centre = cues.nanmedian(0).values
    return centre, (cues - centre).abs().nanmedian(0).values * _MAD_TO_STD


def _surprise(
    cues: Float[Tensor, "B K"], centre: Float[Tensor, "D K"], spread: Float[Tensor, "D K"]
) -> Float[Tensor, "B D"]:
    """Negative log likelihood (Cauchy), less a constant; a cue that was not heard adds nothing."""
    z = (cues[:, None] - centre) / spread
    return (z.square().log1p() + spread.log()).nan_to_num(nan=0.0).sum(-1)
