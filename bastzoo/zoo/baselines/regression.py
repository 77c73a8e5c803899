"""Ridge regression from cues to a direction: what a linear model makes of them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from bastzoo.zoo.baselines.cues import gcc_phat, require_sound

# Relative to features of unit variance. Below 1e-8 a fit would live on rounding errors.
_PENALTIES = tuple(10.0**k for k in range(-8, 4))


class GccPhatRidge:
    """Linear regression with an L2 penalty from the GCC-PHAT of each band to the direction.

    Each coordinate has a penalty of its own, the one with the least generalised cross-validation
    error (Golub, Heath, Wahba, Technometrics 21:215, 1979). The answer takes y and z as regressed,
    of x only the sign: where front and back sound alike, x is regressed to zero, and a vector scaled
    to length 1 would point sideways however well the side is known.
    """

    def __init__(self) -> None:
        self._weights: Float[Tensor, "K 3"] | None = None
        self._bias: Float[Tensor, " 3"]

    def fit(self, clips: Float[Tensor, "B 2 N"], directions: Float[Tensor, "B 3"]) -> None:
        """Solve for the weights in closed form. Raises DataError when no clip holds any sound."""
        features = gcc_phat(clips)
        require_sound(features)
        heard = features.isfinite().all(1)
        # In double: the correlations of a band nearly depend on each other.
        x, y = features[heard].double(), directions[heard].double()
        centre, answer = x.mean(0), y.mean(0)
        scale = (x - centre).square().mean(0).sqrt().clamp_min(1e-9)
        self._weights = _ridge((x - centre) / scale, y - answer) / scale[:, None]
        self._bias = answer - centre @ self._weights

    def predict(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 3"]:
        """The directions of clips, as unit vectors; NaN where nothing was heard."""
        if self._weights is None:
            raise RuntimeError("GccPhatRidge.predict was called before fit.")
        weights, bias = self._weights.to(clips.device), self._bias.to(clips.device)
        ahead, aside = (gcc_phat(clips).double() @ weights + bias).split([1, 2], dim=1)
        aside = aside / aside.norm(dim=1, keepdim=True).clamp_min(1)
        depth = (1 - aside.square().sum(1, keepdim=True)).clamp_min(0).sqrt()
        return torch.cat([depth.copysign(ahead), aside], dim=1).to(clips.dtype)


def _ridge(x: Float[Tensor, "B K"], y: Float[Tensor, "B 3"]) -> Float[Tensor, "K 3"]:
    """Weights of the penalties with the least GCV error; one eigendecomposition serves them all.

    x, y: centred. The error is `rss / n / (1 - dof / n)^2`, `dof` the trace of the smoother.
    """
    n = len(x)
    values, vectors = torch.linalg.eigh(x.T @ x / n)
    values = values.clamp_min(0)
    along = vectors.T @ (x.T @ y) / n
    penalties = torch.tensor(_PENALTIES, dtype=x.dtype, device=x.device)
    shrunk = 1 / (values + penalties[:, None])
    explained = (2 * shrunk - values * shrunk.square()) @ along.square()
    left = 1 - (values * shrunk).sum(1, keepdim=True) / n
    best = ((y.square().mean(0) - explained) / left.square()).argmin(0)
    return vectors @ (shrunk[best].T * along)
