"""What a single-stage INRN is made of: stems, stages, injections."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...layers import GridEncoding, INReBlock, PositionalEncoding, TimeGrid


class Stage(nn.Sequential):
    """Enlarge by ``stride``, then residual INRe blocks.

    Maps ``(B, in_channels, H, W)`` to ``(B, out_channels, H * stride,
    W * stride)``.

    Args:
        in_channels (int): Input width.
        out_channels (int): Output width.
        stride (int): Factor of height and width.
        hidden (int, optional): Inner width of the INRe block that enlarges.
            None or 0: a 1x1 convolution does, if width or stride ask for it.
        order (str): Layers of the enlarging block or, where there is none, of
            the residual blocks; see :class:`INReBlock`.
        num_blocks (int): Residual blocks.
        compression (float): Their coefficient r.
        kernel_size (int): Kernel of the convolutions.
        act_cfg (dict): Activation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        hidden: int | None,
        order: str,
        num_blocks: int,
        compression: float,
        kernel_size: int,
        act_cfg: dict,
    ) -> None:
        from mmcv.cnn import ConvModule

        common: dict = dict(norm_cfg=None, act_cfg=act_cfg)
        layers: list[nn.Module] = []
        spread = out_channels * stride**2
        if hidden:
            layers.append(
                INReBlock(
                    in_channels,
                    spread,
                    hidden_channels=hidden,
                    order=order,
                    kernel_size=kernel_size,
                    residual=False,
                    **common,
                )
            )
        elif in_channels != spread:
            layers.append(ConvModule(in_channels, spread, 1, **common))
        if stride > 1:
            layers.append(nn.PixelShuffle(stride))
        # an order that enlarges in its first layer is no residual block's
        blocks = [
            INReBlock(
                out_channels,
                compression=compression,
                order='mlp-conv-mlp' if hidden else order,
                kernel_size=kernel_size,
                **common,
            )
            for _ in range(num_blocks)
        ]
        super().__init__(*layers, *blocks)


class TimeStem(nn.Module):
    """Embedding of the time and two linear layers, to a grid.

    Args:
        base (float): Ratio of frequencies of the sinusoidal embedding.
        levels (int): Frequencies of the sinusoidal embedding.
        hidden (int): Width between the two layers.
        out_channels (int): Channels of the grid.
        size (tuple[int, int]): Height and width of the grid.
        act_cfg (dict): Activation, behind both layers.
    """

    def __init__(
        self,
        base: float,
        levels: int,
        hidden: int,
        out_channels: int,
        size: tuple[int, int],
        act_cfg: dict,
    ) -> None:
        super().__init__()
        from mmcv.cnn import build_activation_layer

        self.embedding = PositionalEncoding(base, levels)
        self.layers = nn.Sequential(
            nn.Linear(self.embedding.out_channels, hidden),
            build_activation_layer(act_cfg),
            nn.Linear(hidden, out_channels * size[0] * size[1]),
            build_activation_layer(act_cfg),
            nn.Unflatten(1, (out_channels, *size)),
        )

    def forward(self, times: Tensor) -> Tensor:
        """Map ``(B,)`` to ``(B, out_channels, H, W)``."""
        return self.layers(self.embedding(times[:, None]))


class PixelStem(nn.Module):
    """Embeddings of coordinates and a linear layer.

    Args:
        num_coordinates (int): D, of a point.
        base (float): Ratio of frequencies of the sinusoidal embedding.
        levels (int): Frequencies of the sinusoidal embedding; 0 leaves it out.
        grids (dict, optional): Arguments of a :class:`GridEncoding` beside it;
            None leaves it out.
        out_channels (int): Output width.
        act_cfg (dict): Activation, behind the layer.

    Raises:
        ValueError: If there is neither of the embeddings, or the grids have
            another number of axes.
    """

    def __init__(
        self,
        num_coordinates: int,
        base: float,
        levels: int,
        grids: dict | None,
        out_channels: int,
        act_cfg: dict,
    ) -> None:
        super().__init__()
        from mmcv.cnn import build_activation_layer

        self.embeddings = nn.ModuleList()
        if levels:
            self.embeddings.append(PositionalEncoding(base, levels, num_coordinates))
        if grids:
            encoding = GridEncoding(**grids)
            axes = encoding.grids[0].dim() - 2
            if axes != num_coordinates:
                kinds = {2: 'an image (y, x)', 3: 'a video (t, y, x)'}
                raise ValueError(
                    f"The network's grids are for {kinds[axes]}, the input is "
                    f'{kinds[num_coordinates]}: take a config for that, or '
                    f'give each of grids.sizes {num_coordinates} numbers.'
                )
            self.embeddings.append(encoding)
        if not len(self.embeddings):
            raise ValueError('levels=0 leaves no embedding: give grids.')
        width = sum(e.out_channels for e in self.embeddings)
        self.linear = nn.Linear(width, out_channels)
        self.act = build_activation_layer(act_cfg)

    def forward(self, coords: Tensor) -> Tensor:
        """Map ``(B, H, W, D)`` to ``(B, out_channels, H, W)``."""
        x = torch.cat([embed(coords) for embed in self.embeddings], -1)
        return self.act(self.linear(x)).permute(0, 3, 1, 2)


class Injection(nn.Module):
    """A :class:`TimeGrid` brought to a stage's width and size.

    Args:
        width (int): Width of the stage.
        size (Sequence[int]): Height and width of the stage.
        num_frames (int): Frames of the video.
        every (int): Frames from one map to the next.
        channels (int): Channels of a map.
        scale (int): The stage's size over that of a map. Defaults to 1.
    """

    def __init__(
        self,
        width: int,
        size: Sequence[int],
        num_frames: int,
        every: int,
        channels: int,
        scale: int = 1,
    ) -> None:
        super().__init__()
        self.size = tuple(size)
        maps = -(-(num_frames - 1) // every) + 1
        self.latents = TimeGrid(maps, channels, [-(-side // scale) for side in size])
        self.project = nn.Conv2d(channels, width, 1)

    def forward(self, times: Tensor) -> Tensor:
        """Map ``(B,)`` to ``(B, width, H, W)``."""
        x = self.project(self.latents(times))
        if x.shape[2:] != self.size:
            x = F.interpolate(x, self.size, mode='bilinear', align_corners=False)
        return x
