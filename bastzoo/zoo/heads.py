"""What the network answers: from pooled features to named outputs, and from those to their meaning.

A head is made of parts, one an answer: `vector` (a direction), `class_logits`, `elevation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.errors import ComponentError
from bastzoo.zoo.losses import Loss
from bastzoo.zoo.task_losses import TaskLoss, Term, class_loss, elevation_loss


class _Part(nn.Module):
    """LayerNorm and a linear layer, as BAST's head."""

    def __init__(self, *, width: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, outputs)

    def answer(self, pooled: Float[Tensor, "B D"]) -> Float[Tensor, "B K"]:
        """Return the outputs of the linear layer."""
        answered: Tensor = self.linear(self.norm(pooled))
        return answered


class Azimuth(_Part):
    """A point (x, y) in the horizontal plane, x to the front and y to the left; BAST's head.

    Its length is free: only its direction is an answer.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__(width=width, outputs=2)

    def forward(self, pooled: Float[Tensor, "B D"]) -> dict[str, Tensor]:
        """Return `{"vector": [B, 2]}`."""
        return {"vector": self.answer(pooled)}

    @staticmethod
    def decode(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `{"direction": [B, 3]}`, unit vectors with z = 0.

        A vector that is zero or not finite has no direction: its row is NaN.
        """
        flat = nn.functional.pad(outputs["vector"], (0, 1))
        return {"direction": unit_or_nan(flat)}


class Direction(_Part):
    """A point (x, y, z) in space: x to the front, y to the left, z up. Its length is free."""

    def __init__(self, *, width: int) -> None:
        super().__init__(width=width, outputs=3)

    def forward(self, pooled: Float[Tensor, "B D"]) -> dict[str, Tensor]:
        """Return `{"vector": [B, 3]}`."""
        return {"vector": self.answer(pooled)}

    @staticmethod
    def decode(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `{"direction": [B, 3]}`, unit vectors; NaN for a vector without direction."""
        return {"direction": unit_or_nan(outputs["vector"])}


class Elevation(_Part):
    """One number: degrees above the horizontal plane, as BAST's fork for two tasks answers it."""

    # The layer's own outputs are near 1 in size; degrees are not. The answer is in degrees.
    _SCALE = 45.0

    def __init__(self, *, width: int) -> None:
        super().__init__(width=width, outputs=1)

    def forward(self, pooled: Float[Tensor, "B D"]) -> dict[str, Tensor]:
        """Return `{"elevation": [B]}`, degrees."""
        return {"elevation": self._SCALE * self.answer(pooled)[:, 0]}

    @staticmethod
    def decode(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `{"elevation": [B]}`, degrees from -90 to 90; NaN where it is not finite."""
        elevation = outputs["elevation"]
        known = torch.isfinite(elevation)
        return {"elevation": torch.where(known, elevation.clamp(-90, 90), torch.nan)}


class Class(_Part):
    """A score (logit) for each class.

    classes: their names, which the data decides. Raises ComponentError without any.
    """

    def __init__(self, *, width: int, classes: Sequence[str] = ()) -> None:
        if not classes:
            raise ComponentError(
                "A head that answers classes needs their names, and the data gives none; "
                "train it on data with classes."
            )
        super().__init__(width=width, outputs=len(classes))

    def forward(self, pooled: Float[Tensor, "B D"]) -> dict[str, Tensor]:
        """Return `{"class_logits": [B, C]}`."""
        return {"class_logits": self.answer(pooled)}

    @staticmethod
    def decode(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `{"class": [B]}`, the position of the highest score."""
        return {"class": outputs["class_logits"].argmax(dim=-1)}


class Several(nn.Module):
    """Several answers of one trunk.

    parts: `azimuth` or `direction`, and any of `elevation` and `class`; an azimuth and an elevation make
        the direction together.
    classes: names of the classes, for the part `class`.
    """

    _SIMPLE: ClassVar[Mapping[str, Callable[..., _Part]]] = {
        "azimuth": Azimuth,
        "direction": Direction,
        "elevation": Elevation,
    }

    def __init__(self, *, width: int, parts: Sequence[str], classes: Sequence[str] = ()) -> None:
        super().__init__()
        self.parts = nn.ModuleDict()
        for name in parts:
            made = (
                Class(width=width, classes=classes)
                if name == "class"
                else self._SIMPLE[name](width=width)
            )
            self.parts[f"answer_{name}"] = made

    def forward(self, pooled: Float[Tensor, "B D"]) -> dict[str, Tensor]:
        """Return the outputs of all parts by name."""
        outputs: dict[str, Tensor] = {}
        for part in self.parts.values():
            outputs |= part(pooled)
        return outputs

    def decode(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `direction` `[B, 3]` and, of the parts that there are, `class` `[B]`."""
        found: dict[str, Tensor] = {}
        for part in self.parts.values():
            decode: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = part.decode  # type: ignore[assignment]
            found |= decode(outputs)
        if "elevation" in found:
            found["direction"] = _raised(found["direction"], found.pop("elevation"))
        return found

    def loss(
        self,
        localization: Loss,
        *,
        cls_weight: float = 1.0,
        elev_weight: float = 0.1,
        weighting: str = "fixed",
    ) -> TaskLoss:
        """The localization loss, and cross-entropy of the class (nats) and squared error of the elevation
        (degrees²) where it answers them; `weighting` is `fixed` or `learned`.
        """
        terms = (
            Term(
                "class",
                lambda outputs, targets: class_loss(outputs["class_logits"], targets["class"]),
                cls_weight,
                categorical=True,
            ),
            Term(
                "elevation",
                lambda outputs, targets: elevation_loss(outputs["elevation"], targets["direction"]),
                elev_weight,
            ),
        )
        answered = [term for term in terms if f"answer_{term.name}" in self.parts]
        return TaskLoss(localization, answered, learned=weighting == "learned")


def _raised(flat: Float[Tensor, "B 3"], elevation: Float[Tensor, " B"]) -> Float[Tensor, "B 3"]:
    """Directions in the horizontal plane, lifted by degrees."""
    angle = torch.deg2rad(elevation.to(flat.dtype))[:, None]
    level, up = torch.cos(angle), torch.sin(angle)
    return torch.cat([flat[:, :2] * level, flat[:, 2:] * level + up], dim=1)


def unit_or_nan(vector: Float[Tensor, "B 3"]) -> Float[Tensor, "B 3"]:
    """Vectors of length 1, in single precision at least; a row of NaN for one without direction."""
    vector = vector.to(torch.promote_types(vector.dtype, torch.float32))
    # Squares of very short or very long vectors would vanish or overflow.
    x, y, z = vector.unbind(-1)
    length = torch.hypot(torch.hypot(x, y), z)
    known = (torch.isfinite(length) & (length > 0))[..., None]
    return torch.where(known, vector / length[..., None], torch.nan)
