"""Swin blocks as BAST uses them: attention within windows that never shift, no positions."""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float
from timm.models.swin_transformer import SwinTransformerBlock
from torch import Tensor, nn

from bastzoo.errors import ComponentError
from bastzoo.zoo.backbones.patches import tokens_of
from bastzoo.zoo.backbones.pooling import pooling


class Encoder(nn.Module):
    """Swin blocks on the grid of tokens; timm pads the grid to whole windows and cuts it back."""

    def __init__(
        self,
        *,
        width: int,
        grid: tuple[int, int],
        depth: int,
        heads: int,
        mlp_dim: int,
        window: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ComponentError(
                f"The swin backbone cannot share {width} features among {heads} heads; "
                "choose a width that is a multiple of the heads."
            )
        self.grid = grid
        self.blocks = nn.Sequential(
            *(
                SwinTransformerBlock(
                    width,
                    input_resolution=grid,
                    num_heads=heads,
                    window_size=window,
                    shift_size=0,
                    # timm truncates the product: the half keeps it from losing a unit.
                    mlp_ratio=(mlp_dim + 0.5) / width,
                    proj_drop=dropout,
                )
                for _ in range(depth)
            )
        )

    def forward(self, tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Return the tokens, each changed by those of its own window."""
        grid = rearrange(tokens, "b (h w) d -> b h w d", h=self.grid[0])
        return rearrange(self.blocks(grid), "b h w d -> b (h w) d")


class Swin(nn.Module):
    """Liu et al. (arXiv:2103.14030), one stage, no shift, as BAST (arXiv:2207.03927) compares it.

    input_shape: channels, frequency bins and frames of one ear.
    dim: width of a token; depth: blocks of every encoder; heads: attention heads; mlp_dim: hidden
        width of the MLP, in the fusion encoder too; window: side of a window in tokens (shrunk to a
        grid that is smaller). pool: `mean`, `patches` or `frames` (`bastzoo.zoo.backbones.pooling`).
    """

    prefix_tokens = 0

    def __init__(
        self,
        *,
        input_shape: tuple[int, int, int],
        dim: int,
        depth: int,
        heads: int,
        mlp_dim: int,
        window: int = 7,
        patch: tuple[int, int] = (16, 16),
        stride: tuple[int, int] = (6, 6),
        dropout: float = 0.2,
        embed_dropout: float = 0.2,
        stem: bool = False,
        pool: str = "mean",
    ) -> None:
        super().__init__()
        self.dim, self.pool = dim, pool
        self.patches = tokens_of(
            input_shape=input_shape, dim=dim, patch=patch, stride=stride, stem=stem
        )
        self.grid = self.patches.grid
        self.dropout = nn.Dropout(embed_dropout)
        self.depth, self.heads, self.mlp_dim = depth, heads, mlp_dim
        self.window, self.block_dropout = window, dropout

    def embed(self, x: Float[Tensor, "B C F T"]) -> Float[Tensor, "B N D"]:
        """Return one token a patch."""
        return self.dropout(self.patches(x))

    def pooling(self, width: int) -> nn.Module | None:
        """Make what turns the fusion encoder's tokens into one vector; None for their mean."""
        return pooling(self.pool, width=width, grid=self.grid, prefix=self.prefix_tokens)

    def encoder(self, width: int) -> nn.Module:
        """Make a new encoder of tokens `[B, H·W, width]`."""
        return Encoder(
            width=width,
            grid=self.grid,
            depth=self.depth,
            heads=self.heads,
            mlp_dim=self.mlp_dim,
            window=self.window,
            dropout=self.block_dropout,
        )
