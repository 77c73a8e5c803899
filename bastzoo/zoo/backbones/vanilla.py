"""The vision transformer of BAST: class token, learned positions, pre-norm attention blocks."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from timm.layers.attention import Attention
from timm.models.vision_transformer import Block as ViTBlock
from torch import Tensor, nn

from bastzoo.zoo.backbones.patches import tokens_of
from bastzoo.zoo.backbones.pooling import pooling

# Up to so many tokens a fused attention costs more than it saves (forward and backward, on a processor); in
# half precision, which torch's fused kernel there computes slowly, up to many more.
_FEW_TOKENS, _FEW_IN_HALF = 24, 512


class Block(ViTBlock):
    """timm's ViT block, with a width of an attention head that does not follow from the token's."""

    def __init__(
        self,
        *,
        width: int,
        heads: int,
        dim_head: int,
        mlp_dim: int,
        dropout: float,
    ) -> None:
        # timm takes a ratio and truncates the product: the half keeps it from losing a unit.
        super().__init__(
            width,
            num_heads=1,
            mlp_ratio=(mlp_dim + 0.5) / width,
            proj_drop=dropout,
            norm_layer=nn.LayerNorm,  # timm's own has another epsilon
        )
        self.attn = Attention(width, num_heads=heads, attn_head_dim=dim_head, proj_drop=dropout)

    def forward(
        self, x: Float[Tensor, "B N D"], *args: Any, **kwargs: Any
    ) -> Float[Tensor, "B N D"]:
        """Return the changed tokens."""
        attention: Any = self.attn  # timm calls it final, for its own scripting
        attention.fused_attn = is_fused(x)
        changed: Tensor = super().forward(x, *args, **kwargs)
        return changed


def is_fused(tokens: Float[Tensor, "B N D"]) -> bool:
    """Whether attention among these tokens is faster without its scores written down."""
    is_half = tokens.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    return tokens.shape[1] > (_FEW_IN_HALF if is_half else _FEW_TOKENS)


class Encoder(nn.Module):
    """Blocks that let every token attend to every other."""

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        heads: int,
        dim_head: int,
        mlp_dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                Block(
                    width=width,
                    heads=heads,
                    dim_head=dim_head,
                    mlp_dim=mlp_dim,
                    dropout=dropout,
                )
                for _ in range(depth)
            )
        )

    def forward(self, tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Return the changed tokens."""
        return self.blocks(tokens)


class Vanilla(nn.Module):
    """Dosovitskiy et al. (arXiv:2010.11929) as BAST (arXiv:2207.03927) uses it.

    One class token and one table of positions serve both ears and are added by the embedding; the
    encoders see tokens only. Both start from a truncated normal of 0.02 (BAST: a normal of 1), the
    other weights from torch's and timm's defaults.

    input_shape: channels, frequency bins and frames of one ear.
    dim: width of a token; depth: blocks of every encoder; heads, dim_head: attention heads and the
        width of each; mlp_dim: hidden width of the MLP, in the fusion encoder too.
    pool: how tokens become one vector, `mean`, `cls`, `patches` or `frames`
        (`bastzoo.zoo.backbones.pooling`).
    """

    prefix_tokens = 1

    def __init__(
        self,
        *,
        input_shape: tuple[int, int, int],
        dim: int,
        depth: int,
        heads: int,
        mlp_dim: int,
        dim_head: int = 64,
        patch: tuple[int, int] = (16, 16),
        stride: tuple[int, int] = (6, 6),
        dropout: float = 0.2,
        embed_dropout: float = 0.2,
        stem: bool = False,
        pool: str = "mean",
    ) -> None:
        super().__init__()
        self.dim, self.pool = dim, pool
        self.depth, self.heads, self.dim_head, self.mlp_dim = depth, heads, dim_head, mlp_dim
        self.block_dropout = dropout
        self.patches = tokens_of(
            input_shape=input_shape, dim=dim, patch=patch, stride=stride, stem=stem
        )
        self.grid = self.patches.grid
        tokens = self.prefix_tokens + self.grid[0] * self.grid[1]
        self.class_token = nn.Parameter(torch.empty(1, 1, dim))
        self.positions = nn.Parameter(torch.empty(1, tokens, dim))
        self.dropout = nn.Dropout(embed_dropout)
        nn.init.trunc_normal_(self.class_token, std=0.02)
        nn.init.trunc_normal_(self.positions, std=0.02)

    def embed(self, x: Float[Tensor, "B C F T"]) -> Float[Tensor, "B N D"]:
        """Return the class token followed by the patches, positions added."""
        patches = self.patches(x)
        tokens = torch.cat([self.class_token.expand(x.shape[0], -1, -1), patches], dim=1)
        return self.dropout(tokens + self.positions)

    def pooling(self, width: int) -> nn.Module | None:
        """Make what turns the fusion encoder's tokens into one vector; None for their mean."""
        return pooling(self.pool, width=width, grid=self.grid, prefix=self.prefix_tokens)

    def encoder(self, width: int) -> nn.Module:
        """Make a new encoder of tokens `[B, N, width]`."""
        return Encoder(
            width=width,
            depth=self.depth,
            heads=self.heads,
            dim_head=self.dim_head,
            mlp_dim=self.mlp_dim,
            dropout=self.block_dropout,
        )
