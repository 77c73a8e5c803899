"""MambaVision mixers on windows of the token grid, as BAST-Mamba uses them: no attention.

Written from the papers' descriptions (Hatamizadeh & Kautz 2024, arXiv:2407.08083; Gu & Dao 2023,
arXiv:2312.00752), not from MambaVision's code, whose licence is non-commercial.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.errors import ComponentError
from bastzoo.ops.selective_scan import selective_scan
from bastzoo.zoo.backbones.patches import tokens_of
from bastzoo.zoo.backbones.pooling import pooling


class Mixer(nn.Module):
    """Half of the features go through a selective scan along the sequence, half around it.

    Both halves pass a depthwise convolution and a SiLU first, and join again in the output layer.
    """

    def __init__(self, *, width: int, state: int, kernel: int) -> None:
        super().__init__()
        if width % 2:
            raise ComponentError(f"The mamba backbone halves its width, and {width} is odd.")
        if kernel % 2 == 0:
            raise ComponentError(
                f"The mamba backbone convolves symmetrically: its kernel must be odd, not {kernel}."
            )
        half = width // 2
        self.rank = math.ceil(width / 16)
        self.state = state
        self.in_proj = nn.Linear(width, width, bias=False)
        self.conv = nn.Conv1d(width, width, kernel, groups=width, bias=False)
        self.x_proj = nn.Linear(half, self.rank + 2 * state, bias=False)
        self.dt_proj = nn.Linear(self.rank, half)
        self.out_proj = nn.Linear(width, width, bias=False)
        self.A_log = nn.Parameter(torch.empty(half, state))
        self.D = nn.Parameter(torch.ones(half))
        self.reset_scan()

    def reset_scan(self) -> None:
        """Initialise the scan as Mamba does: A = -1, -2, ..., steps log-uniform in 0.001 to 0.1."""
        with torch.no_grad():
            self.A_log.copy_(torch.arange(1.0, self.state + 1).log().expand_as(self.A_log))
            nn.init.uniform_(self.dt_proj.weight, -(self.rank**-0.5), self.rank**-0.5)
            low, high = math.log(0.001), math.log(0.1)
            step = torch.empty_like(self.dt_proj.bias).uniform_(low, high).exp()
            inverse_softplus = step + torch.log(-torch.expm1(-step))
            self.dt_proj.bias.copy_(inverse_softplus / 2)  # it is added twice

    def forward(self, tokens: Float[Tensor, "W L D"]) -> Float[Tensor, "W L D"]:
        """Mix each sequence of tokens along its length."""
        return self.out_proj(self.scan(tokens))

    def scan(self, tokens: Float[Tensor, "W L D"]) -> Float[Tensor, "W L D"]:
        """Return what the output layer joins: the scanned half, then the other."""
        xz = nn.functional.silu(self._convolve(self.in_proj(tokens)))
        x, z = xz.chunk(2, dim=-1)
        steps, B, C = self.x_proj(x).split([self.rank, self.state, self.state], dim=-1)
        y = selective_scan(
            rearrange(x, "w l d -> w d l"),
            rearrange(nn.functional.linear(steps, self.dt_proj.weight), "w l d -> w d l"),
            -torch.exp(self.A_log),
            rearrange(B, "w l n -> w n l"),
            rearrange(C, "w l n -> w n l"),
            self.D,
            # BAST-Mamba's weights want it twice: in the linear layer, and once more in the scan.
            delta_bias=2 * self.dt_proj.bias,
            delta_softplus=True,
        )
        return torch.cat([rearrange(y, "w d l -> w l d"), z], dim=-1)

    def _convolve(self, tokens: Float[Tensor, "W L D"]) -> Float[Tensor, "W L D"]:
        # As an image one pixel high the tokens are in channels-last order already: no copy, and
        # several times faster on a CPU than a one-dimensional convolution.
        image = rearrange(tokens, "w l d -> w d 1 l")
        weight = rearrange(self.conv.weight, "d 1 k -> d 1 1 k")
        image = nn.functional.conv2d(image, weight, padding="same", groups=len(weight))
        return rearrange(image, "w d 1 l -> w l d")


class Mlp(nn.Sequential):
    """Two linear layers with a GELU between. timm's own, and its weights' names, without importing timm."""

    def __init__(self, width: int, hidden: int, *, dropout: float) -> None:
        layers = {
            "fc1": nn.Linear(width, hidden),
            "act": nn.GELU(),
            "drop1": nn.Dropout(dropout),
            "fc2": nn.Linear(hidden, width),
            "drop2": nn.Dropout(dropout),
        }
        super().__init__(OrderedDict(layers))


class Block(nn.Module):
    """`x + mixer(norm(x))`, then `x + mlp(norm(x))`."""

    def __init__(self, *, width: int, hidden: int, state: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.mixer = Mixer(width=width, state=state, kernel=kernel)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, hidden, dropout=dropout)

    def forward(self, tokens: Float[Tensor, "W L D"]) -> Float[Tensor, "W L D"]:
        """Return the changed tokens."""
        return self.finish(tokens, self.scan(tokens))

    def scan(self, tokens: Float[Tensor, "W L D"]) -> Float[Tensor, "W L D"]:
        """The part in which tokens meet."""
        return self.mixer.scan(self.norm1(tokens))

    def finish(
        self, tokens: Float[Tensor, "W L D"], scanned: Float[Tensor, "W L D"]
    ) -> Float[Tensor, "W L D"]:
        """The part that treats each token by itself."""
        tokens = tokens + self.mixer.out_proj(scanned)
        return tokens + self.mlp(self.norm2(tokens))


class Encoder(nn.Module):
    """Blocks on windows of the token grid, padded with zeros on the right and the bottom."""

    def __init__(
        self,
        *,
        width: int,
        hidden: int,
        grid: tuple[int, int],
        depth: int,
        window: int,
        state: int,
        kernel: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.window = min(window, grid[0]), min(window, grid[1])
        self.blocks = nn.ModuleList(
            Block(width=width, hidden=hidden, state=state, kernel=kernel, dropout=dropout)
            for _ in range(depth)
        )

    def forward(self, tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Return the tokens, each changed by those of its own window."""
        windows = self._windows(tokens)
        last = self.blocks[-1]
        assert isinstance(last, Block)
        for block in self.blocks[:-1]:
            windows = block(windows)
        # Behind the last scan no token meets another: the padding, more than half of the tokens at
        # the paper's size, has done its part.
        return last.finish(self._tokens(windows), self._tokens(last.scan(windows)))

    def _windows(self, tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "W L D"]:
        (height, width), (rows, columns) = self.grid, self.window
        grid = rearrange(tokens, "b (h w) d -> b h w d", h=height)
        grid = nn.functional.pad(grid, (0, 0, 0, -width % columns, 0, -height % rows))
        return rearrange(grid, "b (h p) (w q) d -> (b h w) (p q) d", p=rows, q=columns)

    def _tokens(self, windows: Float[Tensor, "W L D"]) -> Float[Tensor, "B N D"]:
        (height, width), (rows, columns) = self.grid, self.window
        across, down = -(-width // columns), -(-height // rows)
        grid = rearrange(
            windows,
            "(b h w) (p q) d -> b (h p) (w q) d",
            h=down,
            w=across,
            p=rows,
        )
        return rearrange(grid[:, :height, :width], "b h w d -> b (h w) d")


class Mamba(nn.Module):
    """The backbone of BAST-Mamba (Neurocomputing 2025).

    The scan starts as Mamba's (arXiv:2312.00752), the other weights from torch's defaults.

    input_shape: channels, frequency bins and frames of one ear.
    dim: width of a token; depth: blocks of every encoder (the paper's three); mlp_dim: hidden width
        of the MLP at width `dim` (it is a whole multiple of the width, in a wider encoder too).
    window: side of a window in tokens (shrunk to a grid that is smaller).
    state: numbers a channel's scan remembers; kernel: taps of the depthwise convolutions.
    pool: `mean`, `patches` or `frames` (`bastzoo.zoo.backbones.pooling`).
    """

    prefix_tokens = 0

    def __init__(
        self,
        *,
        input_shape: tuple[int, int, int],
        dim: int,
        depth: int,
        mlp_dim: int,
        window: int = 8,
        state: int = 8,
        kernel: int = 3,
        patch: tuple[int, int] = (16, 16),
        stride: tuple[int, int] = (6, 6),
        dropout: float = 0.2,
        embed_dropout: float = 0.2,
        stem: bool = False,
        pool: str = "mean",
    ) -> None:
        super().__init__()
        if mlp_dim < dim:
            raise ComponentError(
                f"The mamba backbone's MLP is a whole multiple of its width: mlp_dim {mlp_dim} "
                f"must not be less than dim {dim}."
            )
        self.dim, self.pool = dim, pool
        self.patches = tokens_of(
            input_shape=input_shape, dim=dim, patch=patch, stride=stride, stem=stem
        )
        self.grid = self.patches.grid
        self.dropout = nn.Dropout(embed_dropout)
        self.depth, self.window, self.state, self.kernel = depth, window, state, kernel
        self.mlp_ratio = mlp_dim // dim
        self.block_dropout = dropout

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
            hidden=width * self.mlp_ratio,
            grid=self.grid,
            depth=self.depth,
            window=self.window,
            state=self.state,
            kernel=self.kernel,
            dropout=self.block_dropout,
        )
