"""Embeddings of coordinates: the function E of the paper's Sec. 2.1."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PositionalEncoding(nn.Module):
    r"""Sines and cosines of each coordinate (paper's embedding; NeRV, NeRF).

    .. math:: E(x) = (\sin(b^i \pi x), \cos(b^i \pi x))_{i=0}^{l-1}

    Args:
        base (float): Ratio b of successive frequencies. Defaults to 1.25.
        levels (int): Number l of frequencies. Defaults to 40.
        in_channels (int): Number D of coordinates. Defaults to 1.
    """

    def __init__(self, base: float = 1.25, levels: int = 40, in_channels: int = 1) -> None:
        super().__init__()
        self.out_channels = 2 * levels * in_channels
        frequencies = base ** torch.arange(levels, dtype=torch.float64) * math.pi
        # not in checkpoints: the arguments say it
        self.register_buffer('frequencies', frequencies.float(), persistent=False)

    @staticmethod
    def num_levels(base: float, samples: int) -> int:
        """Count the levels that so many samples of [-1, 1] tell apart (Nyquist).

        The frequency i has ``base**i`` periods there.
        """
        return max(math.floor(math.log(samples / 2, base) + 1e-9), 0) + 1

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., D)`` to ``(..., 2 * levels * D)`` in float32."""
        angles = (x.float().unsqueeze(-1) * self.frequencies).flatten(-2)
        return torch.cat([angles.sin(), angles.cos()], -1)


class GridEncoding(nn.Module):
    """Learned features on grids of several resolutions, for coordinates.

    The dense form of the multi-resolution encodings of Instant-NGP: each
    grid is sampled (multi-)linearly and the features are joined, so that
    small networks behind it learn fast.

    Args:
        sizes (Sequence[Sequence[int]]): Points of each grid along y and x, or
            t, y and x.
        channels (int | Sequence[int]): Features of each grid. Defaults to 4.
        std (float): Standard deviation of the initial features. Defaults to 0.1.

    Raises:
        ValueError: If a size has not two or three axes, all the same number.
    """

    def __init__(
        self, sizes: Sequence[Sequence[int]], channels: int | Sequence[int] = 4, std: float = 0.1
    ) -> None:
        super().__init__()
        axes = {len(size) for size in sizes}
        if axes not in ({2}, {3}):
            raise ValueError(
                f'Each grid needs points along y and x, or along t, y and x; got {list(sizes)}.'
            )
        if isinstance(channels, int):
            channels = [channels] * len(sizes)
        self.out_channels = sum(channels)
        self.grids = nn.ParameterList(
            std * torch.randn(1, number, *size) for number, size in zip(channels, sizes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., D)`` in [-1, 1], the last axis x, y (, t), to
        ``(..., out_channels)``."""
        points = x.reshape(1, *[1] * (x.shape[-1] - 1), -1, x.shape[-1])
        features = [
            F.grid_sample(grid, points, padding_mode='border', align_corners=False)
            for grid in self.grids
        ]
        joined = torch.cat(features, 1).flatten(2)[0].t()
        return joined.unflatten(0, x.shape[:-1])


class TimeGrid(nn.Module):
    """Learned maps at equally spaced times, linear in between.

    Args:
        frames (int): Number of maps; with one it is the same at all times.
        channels (int): Channels of a map.
        size (Sequence[int]): Height and width of a map.
        std (float): Standard deviation of the initial values. Defaults to 0.1.
    """

    def __init__(self, frames: int, channels: int, size: Sequence[int], std: float = 0.1) -> None:
        super().__init__()
        self.maps = nn.Parameter(std * torch.randn(frames, channels, *size))

    def forward(self, times: Tensor) -> Tensor:
        """Map times ``(B,)`` in [0, 1] to ``(B, channels, H, W)``."""
        last = len(self.maps) - 1
        position = times * last
        before = position.floor().clamp(0, max(last - 1, 0)).long()
        weight = (position - before)[:, None, None, None]
        after = (before + 1).clamp(max=last)
        # read at once: the gradient of each reading is as large as all maps
        pair = self.maps[torch.stack([before, after])]
        return torch.lerp(*pair, weight)
