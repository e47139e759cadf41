"""HNeRV (Chen et al., CVPR 2023, arXiv:2304.02633)."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from ...layers import LayerNorm2d
from .base import FittingNet
from .upsampling import choose_grid, crop


@MODELS.register_module()
class HNeRV(FittingNet):
    """Small embeddings of the frames, by an encoder, and a decoder.

    The encoder is only trained with; its last embeddings are kept, count as
    parameters and are interpolated between frames. The decoder's kernels grow
    from 1 to 5 and its widths fall slowly, so that the parameters are spread
    evenly over the stages.

    Args:
        shape (Sequence[int]): Frames, height, width and channels.
        width (int): Channels at the decoder's start; the paper's are chosen
            for the wanted size. Defaults to 68, 1.5 million parameters at
            640 x 1280.
        embedding (int): Channels of an embedding. Defaults to 16.
        encoder_width (int): Channels of the encoder's stages but the last.
            Defaults to 64.
        reduction (float): Ratio of successive widths. Defaults to 1.2.
        min_width (int): Smallest width. Defaults to 12.
        max_kernel (int): Defaults to 5.
        grid (Sequence[int], optional): Rows and columns of an embedding.
            Defaults to None, about 2 x 4, see :func:`choose_grid`.
        strides (Sequence[int], optional): One for each of the five stages.
            Defaults to None, likewise.
    """

    kind = 'frame'
    needs_target = True

    def __init__(
        self,
        shape: Sequence[int],
        width: int = 68,
        embedding: int = 16,
        encoder_width: int = 64,
        reduction: float = 1.2,
        min_width: int = 12,
        max_kernel: int = 5,
        grid: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
    ) -> None:
        super().__init__(shape)
        frames, channels = self.shape[0], self.shape[3]
        grid, strides = choose_grid(shape[1:3], cells=2 * 4, grid=grid, strides=strides)
        self.register_buffer('embeddings', torch.zeros(frames, embedding, *grid))
        total = math.prod(strides)
        self.padded = [side * total for side in grid]

        self.encoder = Encoder(channels, encoder_width, embedding, strides)

        layers: list[nn.Module] = [nn.Conv2d(embedding, width, 1), nn.GELU()]
        for i, stride in enumerate(strides):
            last, width = width, max(round(width / reduction), min_width)
            kernel = min(2 * i + 1, max_kernel)
            layers += [
                nn.Conv2d(last, width * stride**2, kernel, padding=kernel // 2),
                nn.PixelShuffle(stride),
                nn.GELU(),
            ]
        self.decoder = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, times: Tensor, frames: Tensor | None = None) -> Tensor:
        """Map times ``(B,)`` to frames ``(B, C, H, W)``.

        Args:
            times (Tensor): In [0, 1].
            frames (Tensor, optional): The true frames, to encode; they keep
                their embeddings for later. Defaults to None.
        """
        position = times * (self.shape[0] - 1)
        if frames is None:
            before = position.floor().long()
            after = position.ceil().long()
            x = torch.lerp(
                self.embeddings[before],
                self.embeddings[after],
                (position - before)[:, None, None, None],
            )
        else:
            x = self.encoder(self._pad(frames))
            with torch.no_grad():
                self.embeddings[position.round().long()] = x.detach().to(self.embeddings)
        x = (torch.tanh(self.decoder(x)) + 1) / 2
        return crop(x, self.shape[1:3])

    def decoder_state(self) -> dict[str, Tensor]:
        """Collect all but the encoder."""
        return {
            name: value
            for name, value in self.state_dict().items()
            if not name.startswith('encoder.')
        }

    def _pad(self, frames: Tensor) -> Tensor:
        """Pad to the size that the output is cropped from."""
        rows = self.padded[0] - frames.shape[2]
        columns = self.padded[1] - frames.shape[3]
        sides = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return F.pad(frames, sides, mode='replicate') if any(sides) else frames


class Encoder(nn.Sequential):
    """ConvNeXt with a block in each stage, from a frame to its embedding.

    As in the authors' code (haochen-rye/HNeRV, ``model_all.py``): the norm is
    behind the first convolution and before the others, and the last stage has
    as few channels as the embedding.

    Args:
        channels (int): Channels of a frame.
        width (int): Channels of the stages but the last.
        embedding (int): Channels of the last stage.
        strides (Sequence[int]): Stride of each stage.
    """

    def __init__(self, channels: int, width: int, embedding: int, strides: Sequence[int]) -> None:
        widths = [channels, *[width] * (len(strides) - 1), embedding]
        layers: list[nn.Module] = []
        for i, stride in enumerate(strides):
            down = nn.Conv2d(widths[i], widths[i + 1], stride, stride)
            layers += [LayerNorm2d(widths[i]), down] if i else [down, LayerNorm2d(widths[1])]
            layers.append(ConvNeXtBlock(widths[i + 1]))
        super().__init__(*layers)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)


class ConvNeXtBlock(nn.Module):
    """ConvNeXt's block (Liu et al., CVPR 2022).

    Args:
        width (int): Input and output channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 7, padding=3, groups=width),
            LayerNorm2d(width),
            nn.Conv2d(width, 4 * width, 1),
            nn.GELU(),
            nn.Conv2d(4 * width, width, 1),
        )
        self.scale = nn.Parameter(torch.full((width, 1, 1), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape ``(B, width, H, W)``."""
        return x + self.scale * self.layers(x)
