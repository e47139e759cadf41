"""ReviewKD: deeper stages of the student review shallower of the teacher."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from ...utils.checks import check_whole
from .base import DistillLoss


@MODELS.register_module()
class ReviewLoss(DistillLoss):
    r"""Residual fusion of the stages and a pyramid of squared errors.

    `Distilling Knowledge via Knowledge Review
    <https://arxiv.org/abs/2104.09044>`_. The student's stages are fused from
    the deepest to the shallowest (ABF) and each fused one is compared with
    the teacher's stage by the hierarchical context loss (HCL):

    .. math:: HCL = \frac{\sum_l w_l \, MSE(P_l(F_s), P_l(F_t))}{\sum_l w_l}

    where :math:`P_l` averages to full size, 4x4, 2x2 and 1x1, as far as these
    are smaller than the map, and the weights are 1, 1/2, 1/4, ...

    Args:
        pairs (Sequence[tuple]): Layers from shallow to deep, see
            :class:`DistillLoss`; maps, and at the end also pooled vectors.
        mid_channels (int, optional): Channels of the fused features: 256 for
            detectors and MobileNet, 512 for ResNet-18 on ImageNet. Defaults
            to None, the deepest stage's channels but at most 512, as on
            CIFAR-100.
        norm_cfg (dict): Norm of the fusion; SyncBN or GN for detectors with
            small batches. Defaults to ``dict(type='BN')``.
        weight (float | str | Sequence[float]): Defaults to 1, that of the paper's
            detectors and of ResNet-18 on ImageNet; on CIFAR-100 it has 0.6
            (ResNet-56 -> 20) to 8, with ``schedule=dict(warmup=20,
            by_epoch=True)``.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If a pair's layers are not both maps or both vectors, or
            the pairs are not ordered, or ``mid_channels`` is no width.
    """

    takes_maps = True

    def __init__(
        self,
        pairs: Sequence[tuple],
        mid_channels: int | None = None,
        norm_cfg: dict = dict(type='BN'),
        weight: float | str | Sequence[float] = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        if mid_channels is not None:
            check_whole('mid_channels', mid_channels, least=1)
        self.mid_channels = mid_channels
        self.norm_cfg = norm_cfg
        self.fusions = nn.ModuleList()

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make a fusion for each pair."""
        self._check(student_shapes, teacher_shapes)
        mid = self.mid_channels or min(512, student_shapes[-1][1])
        for i, (s, t) in enumerate(zip(student_shapes, teacher_shapes)):
            self.fusions.append(
                MODELS.build(
                    dict(
                        type='AttentionFusion',
                        in_channels=s[1],
                        mid_channels=mid,
                        out_channels=t[1],
                        fuse=i < len(self.pairs) - 1,
                        norm_cfg=self.norm_cfg,
                    )
                )
            )

    def _check(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        for pair, s, t in zip(self.pairs, student_shapes, teacher_shapes):
            if len(s) != len(t) or len(s) not in (2, 4):
                raise ValueError(
                    f'ReviewLoss compares maps (N, C, H, W) or pooled vectors '
                    f'(N, C), but {pair} have the shapes {tuple(s)} and '
                    f'{tuple(t)}.'
                )
        sizes = [(tuple(s[2:]) or (1, 1))[0] for s in student_shapes]
        if sizes != sorted(sizes, reverse=True):
            raise ValueError(
                'Order the pairs of ReviewLoss from shallow to '
                f'deep; their maps have the heights {sizes}.'
            )

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the hierarchical context loss of each pair, in float32."""
        losses, fused = [], None
        for fuse, s, t in zip(self.fusions[::-1], student[::-1], teacher[::-1]):
            s, t = (x if x.dim() == 4 else x[:, :, None, None] for x in (s, t))
            out, fused = fuse(s, fused, t.shape[-2:])
            losses.append(context_loss(out.float(), t.float()))
        return losses[::-1]


def context_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Compute the hierarchical context loss of two maps.

    Levels that are not smaller than the map's shorter side are left out; the
    first that is left in has the weight 1/2, as in the published code.

    Args:
        student (Tensor): ``(N, C, H, W)``.
        teacher (Tensor): A map of the same shape.

    Returns:
        Tensor: A scalar.
    """
    # averaging is linear: the error is averaged in place of both maps
    error = student - teacher
    total, weight = error.square().mean(), 1.0
    weights = weight
    for size in (4, 2, 1):
        if size < min(teacher.shape[-2:]):
            weight /= 2
            weights += weight
            pooled = F.adaptive_avg_pool2d(error, size)
            total = total + weight * pooled.square().mean()
            if all(n % size == 0 for n in error.shape[-2:]):
                error = pooled  # equal cells: averages of averages
    return total / weights
