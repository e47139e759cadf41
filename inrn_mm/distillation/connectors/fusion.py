"""Attention-based fusion of ReviewKD."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from .norm import apply_norm


@MODELS.register_module()
class AttentionFusion(nn.Module):
    """Fuses a student's stage with what came from the deeper stages.

    ABF of `Distilling Knowledge via Knowledge Review
    <https://arxiv.org/abs/2104.09044>`_ (Fig. 3a): two gates, a map each,
    decide where the stage and where the deeper features count.

    Args:
        in_channels (int): Channels of the student's stage.
        mid_channels (int): Channels of the fused features.
        out_channels (int): Channels of the teacher's stage.
        fuse (bool): False for the deepest stage, which has nothing to fuse
            with.
        norm_cfg (dict): Defaults to ``dict(type='BN')``.
    """

    def __init__(
        self,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        fuse: bool,
        norm_cfg: dict = dict(type='BN'),
    ) -> None:
        super().__init__()
        from mmcv.cnn import build_norm_layer

        self.reduce = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, 1, bias=False),
            build_norm_layer(norm_cfg, mid_channels)[1],
        )
        self.gates = nn.Conv2d(2 * mid_channels, 2, 1) if fuse else None
        self.expand = nn.Sequential(
            nn.Conv2d(mid_channels, out_channels, 3, padding=1, bias=False),
            build_norm_layer(norm_cfg, out_channels)[1],
        )
        for conv in (self.reduce[0], self.expand[0]):
            nn.init.kaiming_uniform_(conv.weight, a=1)

    def forward(
        self, x: Tensor, deeper: Tensor | None, size: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Fuse a stage with the deeper ones.

        Args:
            x (Tensor): The student's stage ``(N, C, H, W)``.
            deeper (Tensor, optional): Fused features of the deeper stage
                ``(N, mid, h, w)``.
            size (Sequence[int]): Height and width of the teacher's stage.

        Returns:
            tuple[Tensor, Tensor]: Features for the teacher's stage
            ``(N, out, *size)``, and the fused ones for the next stage
            ``(N, mid, *size)``.
        """
        x = apply_norm(self.reduce[1], self.reduce[0](x.to(self.reduce[0].weight.dtype)))
        if self.gates is not None:
            deeper = F.interpolate(deeper, x.shape[-2:], mode='nearest')
            gates = self.gates(torch.cat([x, deeper], 1)).sigmoid()
            x = x * gates[:, :1] + deeper * gates[:, 1:]
        if x.shape[-2:] != tuple(size):
            x = F.interpolate(x, tuple(size), mode='nearest')
        return apply_norm(self.expand[1], self.expand[0](x)), x
