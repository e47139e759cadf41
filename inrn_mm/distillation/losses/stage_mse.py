"""The paper's stage-wise feature loss (Eq. 3)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from .base import DistillLoss


@MODELS.register_module()
class StageMSELoss(DistillLoss):
    r"""Mean squared error between aligned stages (paper, Eq. 3).

    .. math:: L_{ms} = \sum_i MSE(T_s(O_s^i), T_t(O_t^i))

    :math:`T_s` is a learnable connector on the student's side. The teacher's
    side :math:`T_t` has no parameters: were it learnable too, mapping both
    sides to a constant would bring the loss to zero.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`.
        connector (dict): Config of the connector, built with the shapes of
            both features. Defaults to ``dict(type='AlignConv')``.
        normalize (bool): Bring each of the teacher's maps to zero mean and
            unit variance (over C, H, W), so that stages of different scale
            count alike. Defaults to False, the identity.
        **kwargs: ``weight``, ``schedule`` and ``name`` of
            :class:`DistillLoss`.
    """

    takes_maps = True

    def __init__(
        self,
        pairs: Sequence[tuple],
        connector: dict = dict(type='AlignConv'),
        normalize: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(pairs, **kwargs)
        self.connector = connector
        self.normalize = normalize
        self.align = nn.ModuleList()

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make an align convolution for each pair."""
        for shapes in zip(student_shapes, teacher_shapes):
            self.align.append(
                MODELS.build(
                    dict(student_shape=shapes[0], teacher_shape=shapes[1], **self.connector)
                )
            )

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the mean squared error of each pair, in float32."""
        losses = []
        for align, s, t in zip(self.align, student, teacher):
            t = t.float()
            if self.normalize:
                t = F.layer_norm(t, t.shape[1:])
            losses.append(F.mse_loss(align(s, t).float(), t))
        return losses
