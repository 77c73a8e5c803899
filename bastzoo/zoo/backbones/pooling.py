"""How the tokens of the fusion encoder become the one vector that a head reads.

The mean over all tokens is BAST's default, and the model's own; these are the others that its code knows.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.errors import ComponentError

POOLS = ("mean", "cls", "patches")


class FirstToken(nn.Module):
    """The class token alone."""

    def forward(self, tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B D"]:
        """Return the first token."""
        return tokens[:, 0]


class WeightedPatches(nn.Module):
    """A learned weight a patch, then GELU: BAST's pools `conv` and `linear`, which compute the same.

    patches: how many; prefix: tokens before them that are left out.
    """

    def __init__(self, *, patches: int, prefix: int) -> None:
        super().__init__()
        self.prefix = prefix
        self.weights = nn.Linear(patches, 1)

    def forward(self, tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B D"]:
        """Return the weighted sum of the patches."""
        joined: Tensor = self.weights(tokens[:, self.prefix :].transpose(1, 2))[..., 0]
        return nn.functional.gelu(joined)


def pooling(pool: str, *, patches: int, prefix: int) -> nn.Module | None:
    """The module of a pool; None for the mean over all tokens.

    Raises ComponentError for a pool that is none of `POOLS`, or for the class token of a backbone
    without one.
    """
    if pool not in POOLS or (pool == "cls" and not prefix):
        known = POOLS if prefix else [name for name in POOLS if name != "cls"]
        raise ComponentError(f"There is no pool {pool!r} here; use {' or '.join(known)}.")
    if pool == "mean":
        return None
    return FirstToken() if pool == "cls" else WeightedPatches(patches=patches, prefix=prefix)
