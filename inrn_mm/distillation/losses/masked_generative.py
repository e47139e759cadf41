"""MGD: the student generates what was masked."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from .aligned import AlignedLoss


@MODELS.register_module()
class MaskedGenerativeLoss(AlignedLoss):
    r"""Squared error of features generated from masked ones.

    `Masked Generative Distillation <https://arxiv.org/abs/2205.01529>`_
    (Eq. 4 and 5):

    .. math:: L = \frac{1}{N} \sum (G(M \cdot F_s) - F_t)^2

    with a random mask M and a generator G of two 3x3 convolutions with a ReLU
    between them.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; the paper's
            are all levels of both FPNs, or the last stage of classifiers.
        mask_ratio (float): Share that is masked; the paper has 0.45 for
            two-stage detectors and 0.15 for classifiers.
            Defaults to 0.65, that of one-stage detectors.
        mask (str): ``'places'``, the same for all channels, as for detectors,
            or ``'channels'``, as for classifiers. Defaults to ``'places'``.
        weight (float | str | Sequence[float]): Defaults to 2e-5, that of one-stage
            detectors; the paper has 5e-7 for two-stage detectors and 7e-5
            for classifiers.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(
        self,
        pairs: Sequence[tuple],
        mask_ratio: float = 0.65,
        mask: str = 'places',
        weight: float | str | Sequence[float] = 2e-5,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        if not 0 <= mask_ratio < 1:
            raise ValueError(f'mask_ratio must be at least 0 and below 1, got {mask_ratio}.')
        if mask not in ('places', 'channels'):
            raise ValueError(f"Unknown mask '{mask}': choose 'places' or 'channels'.")
        self.mask_ratio = mask_ratio
        self.mask = mask
        self.generators = nn.ModuleList()

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make a generator for each pair, and align convolutions."""
        super().build(student_shapes, teacher_shapes)
        for shape in teacher_shapes:
            self.generators.append(
                nn.Sequential(
                    nn.Conv2d(shape[1], shape[1], 3, padding=1),
                    nn.ReLU(),
                    nn.Conv2d(shape[1], shape[1], 3, padding=1),
                )
            )

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the squared error of each pair, in float32."""
        losses = []
        for generate, (s, t) in zip(self.generators, self.aligned(student, teacher)):
            new = generate((s * self.draw(s)).to(generate[0].weight.dtype))
            error = F.mse_loss(new.float(), t, reduction='sum')
            losses.append(error / len(t))
        return losses

    def draw(self, x: Tensor) -> Tensor:
        """Draw a mask of zeros and ones.

        Args:
            x (Tensor): Features ``(N, C, H, W)``.

        Returns:
            Tensor: ``(N, 1, H, W)`` or ``(N, C, 1, 1)``.
        """
        n, c, h, w = x.shape
        shape = (n, 1, h, w) if self.mask == 'places' else (n, c, 1, 1)
        return (torch.rand(shape, device=x.device) >= self.mask_ratio).to(x.dtype)
