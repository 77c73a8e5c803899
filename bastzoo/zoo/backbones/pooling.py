"""How the tokens of the fusion encoder become the one vector that a head reads.

The mean over all tokens is BAST's default, and the model's own; `cls` and `patches` are the others that its
code knows, `frames` is bastzoo's.
"""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.errors import ComponentError

POOLS = ("mean", "cls", "patches", "frames")


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


class AttendedFrames(nn.Module):
    """A linear layer over all rows of a frame, then attention over the frames.

    A mean forgets which row a token came from, and the row is the frequency or the lag: what an angle
    follows from. Frames are weighed, so that what is heard first, or between reverberation, can count more.

    grid: rows and frames of tokens; prefix: tokens before them that are left out.
    """

    def __init__(self, *, width: int, grid: tuple[int, int], prefix: int) -> None:
        super().__init__()
        self.grid, self.prefix = grid, prefix
        self.frames = nn.Sequential(nn.Linear(grid[0] * width, 2 * width), nn.GELU())
        self.weights = nn.Linear(2 * width, 1)
        self.out = nn.Linear(2 * width, width)

    def forward(self, tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B D"]:
        """Return the weighted sum of the frames."""
        rows, frames = self.grid
        joined = rearrange(tokens[:, self.prefix :], "b (h w) d -> b w (h d)", h=rows, w=frames)
        heard = self.frames(joined)
        found: Tensor = self.out((heard * self.weights(heard).softmax(dim=1)).sum(dim=1))
        return found


def pooling(pool: str, *, width: int, grid: tuple[int, int], prefix: int) -> nn.Module | None:
    """The module of a pool for tokens of this width and grid; None for the mean over all tokens.

    Raises ComponentError for a pool that is none of `POOLS`, or for the class token of a backbone
    without one.
    """
    if pool not in POOLS or (pool == "cls" and not prefix):
        known = POOLS if prefix else [name for name in POOLS if name != "cls"]
        raise ComponentError(f"There is no pool {pool!r} here; use {' or '.join(known)}.")
    if pool == "mean":
        return None
    if pool == "frames":
        return AttendedFrames(width=width, grid=grid, prefix=prefix)
    return (
        FirstToken() if pool == "cls" else WeightedPatches(patches=grid[0] * grid[1], prefix=prefix)
    )
