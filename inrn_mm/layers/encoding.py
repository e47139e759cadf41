"""Embeddings of coordinates: the function E of the paper's Sec. 2.1."""
import math

import torch
from torch import Tensor, nn


class PositionalEncoding(nn.Module):
    r"""Sines and cosines of each coordinate (paper's embedding; NeRV, NeRF).

    .. math:: E(x) = (\sin(b^i \pi x), \cos(b^i \pi x))_{i=0}^{l-1}

    Args:
        base (float): Ratio b of successive frequencies. Defaults to 1.25.
        levels (int): Number l of frequencies. Defaults to 40.
        in_channels (int): Number D of coordinates. Defaults to 1.
    """

    def __init__(self,
                 base: float = 1.25,
                 levels: int = 40,
                 in_channels: int = 1) -> None:
        super().__init__()
        self.out_channels = 2 * levels * in_channels
        frequencies = base**torch.arange(levels, dtype=torch.float64) * math.pi
        # not in checkpoints: the arguments say it
        self.register_buffer(
            'frequencies', frequencies.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., D)`` to ``(..., 2 * levels * D)`` in float32."""
        angles = (x.float().unsqueeze(-1) * self.frequencies).flatten(-2)
        return torch.cat([angles.sin(), angles.cos()], -1)
