"""CWD: channel-wise distributions over places."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor

from ...utils.checks import check_number
from .aligned import AlignedLoss


@MODELS.register_module()
class ChannelWiseLoss(AlignedLoss):
    r"""Divergence between channels read as distributions over places.

    `Channel-wise Knowledge Distillation for Dense Prediction
    <https://arxiv.org/abs/2011.13256>`_ (Eq. 4):

    .. math:: L = \frac{T^2}{N C} \sum_{n, c} KL(softmax(F_t^{nc} / T) \,\|\,
                                           softmax(F_s^{nc} / T))

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; features or
            dense logits.
        temperature (float): T; the paper has 4 for segmentation.
            Defaults to 1, that of detectors.
        weight (float | str | Sequence[float]): Defaults to 10, that of the levels
            P2-P6 of a Faster R-CNN in MMRazor; the paper has 50 for the
            features and 3 for the logits of a segmentor.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If the temperature is not positive.
    """

    def __init__(
        self,
        pairs: Sequence[tuple],
        temperature: float = 1.0,
        weight: float | str | Sequence[float] = 10.0,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        check_number('temperature', temperature, above=0)
        self.temperature = temperature

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the divergence of each pair, in float32."""
        losses = []
        for s, t in self.aligned(student, teacher):
            s, t = ((x.flatten(2).flatten(0, 1) / self.temperature).log_softmax(1) for x in (s, t))
            losses.append(
                self.temperature**2 * F.kl_div(s, t, reduction='batchmean', log_target=True)
            )
        return losses
