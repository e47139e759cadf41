"""Attention transfer."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor

from ...utils.checks import check_number
from .base import DistillLoss
from .shapes import require


@MODELS.register_module()
class AttentionTransferLoss(DistillLoss):
    r"""Mean squared error between normalised maps of activity.

    `Paying More Attention to Attention
    <https://arxiv.org/abs/1612.03928>`_ (Eq. 2), activation-based.

    .. math::
        a(F) = \frac{vec(\sum_c |F_c|^p)}{\|vec(\sum_c |F_c|^p)\|_2}, \quad
        L = MSE(a(F_s), a(F_t))

    Channels may differ; where sizes do, both maps are averaged to the smaller
    height and width. The mean over H and W of unit vectors falls with the map
    size, so that a weight found on CIFAR is weak on a detector's maps.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; the usual
            choice are the ends of all stages.
        power (int): p. Defaults to 2.
        weight (float | str | Sequence[float]): Defaults to 1000, that of the
            paper (beta = 1e3).
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.
    """

    takes_maps = True

    def __init__(
        self,
        pairs: Sequence[tuple],
        power: int = 2,
        weight: float | str | Sequence[float] = 1000.0,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        check_number('power', power, above=0)
        self.power = power

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Check that the features are maps; there are no connectors."""
        require('maps', self, student_shapes, teacher_shapes)

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the mean squared error of each pair's attention, in float32."""
        losses = []
        for s, t in zip(student, teacher):
            size = tuple(map(min, s.shape[-2:], t.shape[-2:]))
            losses.append(F.mse_loss(self.attention(s, size), self.attention(t, size)))
        return losses

    def attention(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Compute attention maps.

        Args:
            x (Tensor): Features ``(N, C, H, W)``.
            size (Sequence[int]): Height and width to average to.

        Returns:
            Tensor: Unit vectors ``(N, h * w)``; zeros for zero features.
        """
        x = x.float()
        if x.shape[-2:] != tuple(size):  # else pooling would be a copy
            x = F.adaptive_avg_pool2d(x, size)
        x = x.square() if self.power == 2 else x.abs().pow(self.power)
        return F.normalize(x.mean(1).flatten(1))
