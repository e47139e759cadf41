"""NeRV (Chen et al., NeurIPS 2021, arXiv:2110.13903)."""

from collections.abc import Sequence

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from ...layers import PositionalEncoding
from .base import FittingNet
from .upsampling import choose_grid, crop


@MODELS.register_module()
class NeRV(FittingNet):
    """Time to frame: embedding, two linear layers to a grid, NeRV blocks.

    A block is a 3x3 convolution, PixelShuffle and swish; widths are halved
    from block to block, down to ``min_width``. The archs ``'s'``, ``'m'`` and
    ``'l'`` have grids of 26, 58 and 112 channels: 3.2, 6.3 and 12.5 million
    parameters at 720 x 1280.

    Args:
        shape (Sequence[int]): Frames, height, width and channels.
        arch (str | int): A name, or the grid's channels. Defaults to ``'s'``.
        min_width (int): Smallest width of a block. Defaults to 96.
        base (float): Ratio of frequencies of the sinusoidal embedding. Defaults to 1.25.
        levels (int): Frequencies of the sinusoidal embedding. Defaults to 40.
        stem_width (int): Width between embedding and grid. Defaults to 512.
        grid (Sequence[int], optional): Rows and columns of the grid.
            Defaults to None, see :func:`choose_grid`.
        strides (Sequence[int], optional): One for each block.
            Defaults to None, likewise.

    Raises:
        ValueError: If the arch is unknown.
    """

    kind = 'frame'
    _version = 2  # GELU, and a time that ends at 1, before
    arch_settings = dict(s=26, m=58, l=112)

    def __init__(
        self,
        shape: Sequence[int],
        arch: str | int = 's',
        min_width: int = 96,
        base: float = 1.25,
        levels: int = 40,
        stem_width: int = 512,
        grid: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
    ) -> None:
        super().__init__(shape)
        if isinstance(arch, str) and arch not in self.arch_settings:
            raise ValueError(
                f"Unknown arch '{arch}': it is one of "
                f'{", ".join(self.arch_settings)}, or the number '
                "of the grid's channels."
            )
        grid, strides = choose_grid(shape[1:3], grid=grid, strides=strides)
        width = self.arch_settings[arch] if isinstance(arch, str) else arch
        self.embedding = PositionalEncoding(base, levels)
        self.stem = nn.Sequential(
            nn.Linear(self.embedding.out_channels, stem_width),
            nn.SiLU(),
            nn.Linear(stem_width, width * grid[0] * grid[1]),
            nn.SiLU(),
            nn.Unflatten(1, (width, *grid)),
        )
        blocks: list[nn.Module] = []
        for i, stride in enumerate(strides):
            last = width
            if i > 0:
                width = max(width // 2 if stride > 1 else width, min_width)
            blocks += [
                nn.Conv2d(last, width * stride**2, 3, padding=1),
                nn.PixelShuffle(stride),
                nn.SiLU(),
            ]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Conv2d(width, self.shape[3], 1)

    def times(self, frames: Tensor) -> Tensor:
        """Map frame numbers to times i / T, as the authors' code does."""
        return frames.float() / self.shape[0]

    def forward(self, times: Tensor) -> Tensor:
        """Map times ``(B,)`` to frames ``(B, C, H, W)``."""
        x = self.stem(self.embedding(times[:, None]))
        x = (torch.tanh(self.head(self.blocks(x))) + 1) / 2
        return crop(x, self.shape[1:3])
