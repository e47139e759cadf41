"""The non-local block of FBKD."""

import torch.nn.functional as F
from torch import Tensor, nn

from .norm import apply_norm


class NonLocalRelations(nn.Module):
    """Adds to each place what it is related to, learned.

    The block of `non-local networks <https://arxiv.org/abs/1711.07971>`_ with dot
    products as FBKD uses it: keys and values are pooled, and a batch norm whose
    weight begins at zero makes it the identity at first.

    Args:
        channels (int): Channels in and out.
        pool (int): Size of the max pooling; smaller maps are pooled as a whole.
        reduction (int): By how much queries, keys and values are narrower.
    """

    def __init__(self, channels: int, pool: int, reduction: int) -> None:
        super().__init__()
        inner = max(channels // reduction, 1)
        self.pool = pool
        self.values = nn.Conv2d(channels, inner, 1)
        self.expand = nn.Conv2d(inner, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.queries = nn.Conv2d(channels, inner, 1)
        self.keys = nn.Conv2d(channels, inner, 1)
        for layer in (self.values, self.queries, self.keys):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Add related places to a map ``(N, C, H, W)``, in the same shape."""
        size = [min(self.pool, n) for n in x.shape[-2:]]
        values, keys = (
            F.max_pool2d(layer(x), size).flatten(2) for layer in (self.values, self.keys)
        )
        # (N, c, c), as the products are not normalised by place: far smaller
        # than one number for each two places
        related = keys @ values.mT / keys.shape[2]
        out = self.queries(x).flatten(2).mT @ related
        out = self.expand(out.mT.unflatten(2, x.shape[-2:]))
        return x + apply_norm(self.norm, out)
