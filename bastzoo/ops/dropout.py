"""Dropout whose mask all threads make at once.

torch draws it element by element: a fifth of a training step of `standard` on a processor.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_WORDS = {torch.float32: torch.int32, torch.bfloat16: torch.int16, torch.float16: torch.int16}


class Dropout(nn.Dropout):
    """torch's `Dropout`; on a processor a hash of an element's place and of two drawn numbers decides.

    The numbers come from torch's generator, so seeds and checkpoints mean what they mean with torch's own,
    and the number of threads changes nothing. Elsewhere (a GPU, a compiled network, double precision) it is
    torch's own.

    >>> _ = torch.manual_seed(0)
    >>> Dropout(0.5)(torch.ones(6))
    tensor([2., 2., 0., 2., 2., 2.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the input; in training with a share `p` of it made zero, and the rest divided by `1 - p`."""
        if (
            not self.training
            or not 0 < self.p < 1
            or x.device.type != "cpu"
            or x.dtype not in _WORDS
            or torch.compiler.is_compiling()
        ):
            return super().forward(x)
        mask = _scaled_mask(x, self.p)
        return x.mul_(mask) if self.inplace else x * mask


def with_fast_dropout(model: nn.Module) -> None:
    """Make torch's own dropout `Dropout`, wherever a component uses it; hooks and names stay."""
    for layer in model.modules():
        if type(layer) is nn.Dropout:
            layer.__class__ = Dropout


def _scaled_mask(like: Tensor, p: float) -> Tensor:
    """`1 / (1 - p)` where an element is kept, and 0: what torch's own multiplies with."""
    from bastzoo.ops.masks import fill  # numba, which nothing else of a transformer needs

    mask = torch.empty(like.shape, dtype=like.dtype)
    kept = torch.tensor(1 / (1 - p), dtype=like.dtype).view(_WORDS[like.dtype])
    first, second = torch.randint(2**32, (2,)).tolist()
    fill(mask.view(-1).view(kept.dtype).numpy(), int(kept), p, (first, second))
    return mask
