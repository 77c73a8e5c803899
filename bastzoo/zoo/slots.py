"""Several sources at a time: which slot answers which source, and the loss of that.

A head of K slots gives `slot_vector` `[B, K, 3]` (free length), `slot_class` `[B, K, C]` (logits) and
`slot_presence` `[B, K]` (logits). The targets of S sources are `directions` `[B, S, 3]`, `classes`
`[B, S]` and `present` `[B, S]`; absent ones are NaN and -1.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bastzoo.errors import ComponentError
from bastzoo.zoo.heads import unit_or_nan
from bastzoo.zoo.losses import Loss

# Above this many ways to give slots to sources, each clip is solved on its own.
_FEW = 60
_WORST = 1e4


class Slots(nn.Module):
    """K slots, each with a direction, a class and whether it answers a source at all.

    slots: K, the most sources that can be answered. classes: their names, which the data decides.
    """

    def __init__(self, *, width: int, slots: int = 3, classes: Sequence[str] = ()) -> None:
        super().__init__()
        if not classes or slots < 1:
            raise ComponentError(
                "The head 'multi' needs one slot at least, and the names of the classes, which the data "
                f"gives; it has {slots} slots and {len(classes)} classes."
            )
        self.slots = slots
        self.norm = nn.LayerNorm(width)
        # Slots that began alike would stay alike: each reads the trunk through a layer of its own.
        self.hidden = nn.Linear(width, slots * width)
        self.linear = nn.Linear(width, 3 + len(classes) + 1)

    def forward(self, pooled: Float[Tensor, "B D"]) -> dict[str, Tensor]:
        """Return `slot_vector` `[B, K, 3]`, `slot_class` `[B, K, C]`, `slot_presence` `[B, K]`."""
        each = functional.gelu(self.hidden(self.norm(pooled))).unflatten(-1, (self.slots, -1))
        answered = self.linear(each)
        return {
            "slot_vector": answered[..., :3],
            "slot_class": answered[..., 3:-1],
            "slot_presence": answered[..., -1],
        }

    @staticmethod
    def decode(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `directions` `[B, K, 3]` (unit vectors), `classes` `[B, K]`, `present` `[B, K]`, and
        `direction` and `class` of the slot that is surest of a source.
        """
        vectors = outputs["slot_vector"]
        directions = unit_or_nan(vectors.reshape(-1, 3)).reshape(vectors.shape)
        classes = outputs["slot_class"].argmax(dim=-1)
        first = outputs["slot_presence"].nan_to_num(-torch.inf).argmax(dim=-1)
        return {
            "directions": directions,
            "classes": classes,
            "present": outputs["slot_presence"] > 0,
            "direction": directions.gather(1, first[:, None, None].expand(-1, 1, 3))[:, 0],
            "class": classes.gather(1, first[:, None])[:, 0],
        }

    @staticmethod
    def loss(localization: Loss, *, cls_weight: float = 1.0) -> SlotLoss:
        """Where, what and how many, over slots that are matched to sources."""
        return SlotLoss(localization, cls_weight=cls_weight)

    @staticmethod
    def collect(
        rows: Mapping[str, Tensor],
        *,
        outputs: Mapping[str, Tensor],
        decoded: Mapping[str, Tensor],
        targets: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """A row for each source, answered by the slot that is matched to it; and every slot of each clip."""
        targets = sources_of(targets)
        clips, sources = targets["present"].nonzero(as_tuple=True)
        slots = match(outputs, targets)[clips, sources]
        found = {
            "directions": decoded["directions"][clips, slots],
            "targets": targets["directions"][clips, sources],
            "class": decoded["classes"][clips, slots],
            "true_class": targets["classes"][clips, sources],
            "sounds": rows["sounds"][clips],
            "rooms": rows["rooms"][clips],
            "raw": outputs["slot_vector"][clips, slots],
        }
        for name in ("directions", "classes", "present"):
            found[f"slots_{name}"] = decoded[name]
            found[f"slots_target_{name}"] = targets[name]
        return {**found, "slots_rooms": rows["rooms"]}


def sources_of(targets: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The targets of all sources; of data with one source a clip, that one."""
    if "directions" in targets:
        return targets
    labels = targets["class"][:, None]
    return {
        "directions": targets["direction"][:, None],
        "classes": labels,
        "present": torch.ones_like(labels, dtype=torch.bool),
    }


class SlotLoss(nn.Module):
    """Where, what, and how many, over slots that are matched to sources first.

    localization: a loss on directions; it sees all matched pairs of the batch as one.
    cls_weight, presence_weight: of the focal losses of class (over matched pairs) and presence (over all
        slots). gamma: of both (Lin et al. 2017, arXiv:1708.02002).
    """

    def __init__(
        self,
        localization: Loss,
        *,
        cls_weight: float = 1.0,
        presence_weight: float = 1.0,
        gamma: float = 2.0,
    ) -> None:
        super().__init__()
        self.localization = localization
        self.cls_weight, self.presence_weight, self.gamma = cls_weight, presence_weight, gamma

    def forward(
        self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> Float[Tensor, ""]:
        """Return the weighted sum; finite for a batch without any source."""
        targets = sources_of(targets)
        clips, sources = targets["present"].nonzero(as_tuple=True)
        slots = match(outputs, targets)[clips, sources]
        presence = outputs["slot_presence"]
        there = torch.zeros_like(presence)
        there[clips, slots] = 1.0
        total = self.presence_weight * binary_focal(presence, there, self.gamma)
        if len(clips):
            vectors = outputs["slot_vector"][clips, slots]
            total = total + self.localization(
                {"vector": vectors}, {"direction": targets["directions"][clips, sources]}
            )
            logits = outputs["slot_class"][clips, slots]
            labels = targets["classes"][clips, sources]
            total = total + self.cls_weight * focal(logits, labels, self.gamma)
        return total


@torch.no_grad()
def match(outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Int[Tensor, "B S"]:
    """For each source the slot that answers it at the least cost of all, -1 for an absent source.

    Cost of a pair: the angle in radians, and the negative log probabilities of class and presence
    (Hungarian method: Kuhn 1955; as set prediction: Carion et al. 2020, arXiv:2005.12872).
    """
    vectors = functional.normalize(outputs["slot_vector"].float(), dim=-1)
    directions = targets["directions"].float()
    cosine = torch.einsum("bkc,bsc->bsk", vectors, directions.nan_to_num())
    angle = torch.acos(cosine.clamp(-1, 1))
    labels = targets["classes"].clamp(min=0)
    logs = outputs["slot_class"].float().log_softmax(-1)
    what = -logs.gather(-1, labels[:, None].expand(-1, logs.shape[1], -1)).transpose(1, 2)
    there = -functional.logsigmoid(outputs["slot_presence"].float())[:, None]
    cost = (angle + what + there).nan_to_num(_WORST, _WORST, _WORST).clamp(max=_WORST)
    return assign(torch.where(targets["present"][..., None], cost, 0.0), targets["present"])


def assign(cost: Float[Tensor, "B S K"], present: Tensor) -> Int[Tensor, "B S"]:
    """Different slots for the sources of each clip, at the least sum; -1 for absent sources.

    Rows of absent sources must cost the same at every slot. Ties go to the first slots.
    """
    sources, slots = cost.shape[1:]
    ways = list(itertools.islice(itertools.permutations(range(slots), sources), _FEW + 1))
    if len(ways) <= _FEW:
        each = torch.tensor(ways, device=cost.device)
        sums = cost[:, torch.arange(sources, device=cost.device), each].sum(-1)
        chosen = each[sums.argmin(dim=-1)]
    else:
        from scipy.optimize import linear_sum_assignment

        solved = [linear_sum_assignment(one)[1].tolist() for one in cost.cpu().double().numpy()]
        chosen = torch.tensor(solved, device=cost.device)
    return torch.where(present, chosen, -1)


def focal(
    logits: Float[Tensor, "M C"], labels: Int[Tensor, " M"], gamma: float = 2.0
) -> Float[Tensor, ""]:
    """Mean focal loss of a choice between classes; cross-entropy at `gamma` 0."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    log = logits.log_softmax(-1).gather(-1, labels[:, None])[:, 0]
    return -((1 - log.exp()).clamp(min=0) ** gamma * log).mean()


def binary_focal(
    logits: Float[Tensor, "B K"], there: Float[Tensor, "B K"], gamma: float = 2.0
) -> Float[Tensor, ""]:
    """Mean focal loss of yes or no; binary cross-entropy at `gamma` 0."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    entropy = functional.binary_cross_entropy_with_logits(
        logits, there.to(logits.dtype), reduction="none"
    )
    return ((1 - (-entropy).exp()).clamp(min=0) ** gamma * entropy).mean()
