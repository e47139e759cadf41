"""FitNets: hints for thin deep nets."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from .base import DistillLoss
from .shapes import require


@MODELS.register_module()
class FitNetLoss(DistillLoss):
    r"""Mean squared error to a hint, through a regressor.

    `FitNets: Hints for Thin Deep Nets <https://arxiv.org/abs/1412.6550>`_
    (Eq. 3), in the form in which CRD and later work compare with it: trained
    together with the task instead of in a stage before it.

    .. math:: L = MSE(r(F_s), F_t)

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; the usual
            choice is one pair at the end of the second stage.
        connector (dict): Config of the regressor.
            Defaults to ``dict(type='HintRegressor')``.
        weight (float | str | Sequence[float]): Defaults to 100, the weight of
            CRD's comparison on CIFAR-100.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.
    """

    takes_maps = True

    def __init__(
        self,
        pairs: Sequence[tuple],
        connector: dict = dict(type='HintRegressor'),
        weight: float | str | Sequence[float] = 100.0,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        self.connector = connector
        self.regressors = nn.ModuleList()

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make a regressor for each pair."""
        require('maps', self, student_shapes, teacher_shapes)
        for s, t in zip(student_shapes, teacher_shapes):
            self.regressors.append(
                MODELS.build(dict(student_shape=s, teacher_shape=t, **self.connector))
            )

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the mean squared error of each pair, in float32."""
        return [
            F.mse_loss(regress(s, t).float(), t.float())
            for regress, s, t in zip(self.regressors, student, teacher)
        ]
