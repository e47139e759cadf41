"""What an INRN is made of: a stem, and stages of INRe blocks."""

from collections.abc import Sequence

from torch import nn

from ..layers import INReBlock


class Stem(nn.Sequential):
    """First layers of an INRN.

    Args:
        kind (str): ``'conv7'``, ``'deep'`` or ``'conv3'``, see :class:`INRN`.
        in_channels (int): Channels of the images.
        channels (int): Channels of the first stage.
        conv_cfg (dict): ``norm_cfg`` and ``act_cfg`` of all convolutions.

    Raises:
        ValueError: If there is no such stem.
    """

    strides = dict(conv7=4, deep=4, conv3=1)

    def __init__(self, kind: str, in_channels: int, channels: int, conv_cfg: dict) -> None:
        if kind == 'conv7':
            layers = [_conv(in_channels, channels, 7, 2, conv_cfg), nn.MaxPool2d(3, 2, 1)]
        elif kind == 'deep':
            layers = [
                _conv(in_channels, channels // 2, 3, 2, conv_cfg),
                _conv(channels // 2, channels // 2, 3, 1, conv_cfg),
                _conv(channels // 2, channels, 3, 1, conv_cfg),
                nn.MaxPool2d(3, 2, 1),
            ]
        elif kind == 'conv3':
            layers = [_conv(in_channels, channels, 3, 1, conv_cfg)]
        else:
            raise ValueError(f"Unknown stem '{kind}': choose one of {list(self.strides)}.")
        super().__init__(*layers)
        self.stride = self.strides[kind]


class Stage(nn.Sequential):
    """INRe blocks of one width, behind the transition from the stage before.

    Args:
        in_channels (int, optional): Channels of the stage before, from which
            a 3x3 convolution of stride 2 leads here; None for the first
            stage, which has no transition.
        channels (int): Channels of the blocks.
        drop_path_rates (Sequence[float]): Stochastic depth rate of each
            block.
        conv_cfg (dict): ``norm_cfg`` and ``act_cfg`` of all convolutions.
        **block_cfg: Further arguments of :class:`INReBlock`.
    """

    def __init__(
        self,
        in_channels: int | None,
        channels: int,
        drop_path_rates: Sequence[float],
        conv_cfg: dict,
        **block_cfg,
    ) -> None:
        blocks = [
            INReBlock(channels, drop_path_rate=rate, **conv_cfg, **block_cfg)
            for rate in drop_path_rates
        ]
        if in_channels is not None:
            blocks.insert(0, _conv(in_channels, channels, 3, 2, conv_cfg))
        super().__init__(*blocks)
        self.stride = 1 if in_channels is None else 2
        self.num_blocks = len(drop_path_rates)


def _conv(
    in_channels: int, out_channels: int, kernel_size: int, stride: int, conv_cfg: dict
) -> nn.Module:
    from mmcv.cnn import ConvModule  # late import, see INReBlock

    return ConvModule(
        in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, **conv_cfg
    )
