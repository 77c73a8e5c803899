"""Baselines: what can be localized without a network, by the cues that spatial hearing is built on.

Each has `fit(clips, directions)` and `predict(clips)`; clips are `[B, 2, N]` at 16 kHz, channel 0
the left ear, directions are unit vectors `[B, 3]`. A clip in which nothing is heard gets a row of
NaN, for no direction (but from `Chance`, which does not listen).
"""

from bastzoo.zoo.baselines.chance import Chance
from bastzoo.zoo.baselines.regression import GccPhatRidge
from bastzoo.zoo.baselines.templates import IldTemplate, ItdIldTemplate, ItdTemplate

__all__ = ["Chance", "GccPhatRidge", "IldTemplate", "ItdIldTemplate", "ItdTemplate"]
