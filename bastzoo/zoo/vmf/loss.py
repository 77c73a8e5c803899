"""The loss of a head that answers a distribution: how unlikely it held the true direction."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from bastzoo.zoo.losses import SHORTEST
from bastzoo.zoo.vmf.distribution import negative_log_density


class NegativeLogLikelihood:
    """Mean negative log likelihood in nats (von Mises-Fisher; Mardia, Jupp 2000).

    Its minimum is where the direction is right and the concentration matches the errors that are
    made, so the model learns to say how wrong it will be.
    """

    def __call__(
        self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> Float[Tensor, ""]:
        """Return the loss of `vector` and `concentration` against `targets["direction"]`."""
        vector, concentration = outputs["vector"], outputs["concentration"]
        dtype = torch.promote_types(vector.dtype, torch.float32)
        vector, concentration = vector.to(dtype), concentration.to(dtype)
        count = vector.shape[-1]
        target = torch.nn.functional.normalize(targets["direction"][:, :count].to(dtype), dim=-1)
        length = torch.linalg.vector_norm(vector, dim=-1, keepdim=True).clamp(min=SHORTEST)
        # 1 - cos as half a squared chord: a difference of nearly equal numbers would lose small angles.
        chord = (vector / length - target).square().sum(-1)
        return negative_log_density(1 - chord / 2, concentration, coordinates=count).mean()
