"""PKD: Pearson correlation of features."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor

from .aligned import AlignedLoss
from .standardize import standardize


@MODELS.register_module()
class PearsonLoss(AlignedLoss):
    r"""Mean squared error between standardised channels.

    `PKD: General Distillation Framework for Object Detectors via Pearson
    Correlation Coefficient <https://arxiv.org/abs/2207.02039>`_ (Eq. 5):

    .. math:: L = \frac{1}{2} MSE(\hat F_s, \hat F_t) \approx 1 - \rho

    Each channel has zero mean and unit variance over the batch and all
    places, so that neither the scale nor the offset of the teacher's features
    needs to be met. A channel that is constant (dead) becomes zeros.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; the paper's
            are the levels P2-P5 of both FPNs.
        weight (float | str | Sequence[float]): Defaults to 6, that of Faster R-CNN;
            the paper has 10 for one-stage detectors.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.
    """

    def __init__(
        self, pairs: Sequence[tuple], weight: float | str | Sequence[float] = 6.0, **kwargs
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute half the mean squared error of each pair, in float32."""
        return [
            F.mse_loss(self.channels(s), self.channels(t)) / 2
            for s, t in self.aligned(student, teacher)
        ]

    @staticmethod
    def channels(x: Tensor) -> Tensor:
        """Standardise channels; ``(C, N * H * W)``."""
        return standardize(x.transpose(0, 1).flatten(1), dim=1, eps=1e-6, unbiased=True)
