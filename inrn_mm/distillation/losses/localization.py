"""LD: localisation distillation."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor

from ...utils.checks import check_number
from .base import DistillLoss


@MODELS.register_module()
class LocalizationLoss(DistillLoss):
    r"""Divergence between distributions of box edges.

    `Localization Distillation for Dense Object Detection
    <https://arxiv.org/abs/2102.12252>`_: GFL's heads predict each edge of a box
    as a distribution over distances, whose softened divergence is

    .. math:: L = \sum_{+} \frac{w}{4} \sum_{edges} T^2 \, KL / n

    over the student's positive places, where w is its highest class score
    there and n the number of distances. Value and gradient are those of
    mmdet's ``LDHead``, which is the authors'; here any head of GFL's kind is
    the student, as it is.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; they give the
            distributions ``(N, 4 * n, H, W)`` of each level, from the first.
        num_classes (int): Number of the student's classes.
        temperature (float): T. Defaults to 10, the paper's.
        labels (str): The student's layer that is given the labels of the
            places of each level. Defaults to that of GFL.
        scores (str): The student's layer that is given their logits.
            Defaults to that of GFL.
        weight (float | str | Sequence[float]): Defaults to 0.25, the paper's.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If the distributions have other distances.
    """

    takes_maps = True
    needs_annotations = True

    def __init__(
        self,
        pairs: Sequence[tuple],
        num_classes: int,
        temperature: float = 10.0,
        labels: str = 'bbox_head.loss_cls:input[1][0]',
        scores: str = 'bbox_head.loss_cls:input[0]',
        weight: float | str | Sequence[float] = 0.25,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        check_number('temperature', temperature, above=0)
        self.num_classes = num_classes
        self.temperature = temperature
        self.context_layers = dict(labels=labels, scores=scores)

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Check the distributions; there are no connectors.

        Args:
            student_shapes (Sequence[torch.Size]): Shapes ``(N, 4 * n, H, W)``
                of the student's.
            teacher_shapes (Sequence[torch.Size]): Shapes of the teacher's.

        Raises:
            ValueError: If they differ.
        """
        for pair, s, t in zip(self.pairs, student_shapes, teacher_shapes):
            if len(s) != 4 or s[1:] != t[1:] or s[1] % 4:
                raise ValueError(
                    f'LocalizationLoss compares distributions of box edges of the same distances '
                    f'and places, but {pair[0]!r} gives the shape {tuple(s)} and {pair[1]!r} of '
                    f'the teacher {tuple(t)}.'
                )

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the divergence of each level, in float32."""
        samples = data_samples or []
        if len(samples) != len(student):
            raise ValueError(
                f'LocalizationLoss has {len(student)} levels, and the student labels '
                f'{len(samples)}: pair all levels of its head.'
            )
        return [self.level(s, t, x) for s, t, x in zip(student, teacher, samples)]

    def level(self, student: Tensor, teacher: Tensor, sample) -> Tensor:
        """Compute the weighted divergence of one level.

        Args:
            student (Tensor): ``(N, 4 * n, H, W)``.
            teacher (Tensor): ``(N, 4 * n, H, W)``.
            sample (BaseDataElement): With the ``labels`` and ``scores`` of its
                places, image by image.

        Returns:
            Tensor: A scalar.
        """
        distances = student.shape[1] // 4
        s, t = (
            x.float().permute(0, 2, 3, 1).reshape(-1, 4, distances) / self.temperature
            for x in (student, teacher)
        )
        error = F.kl_div(s.log_softmax(2), t.softmax(2), reduction='none').mean(2)
        positive = (sample.labels >= 0) & (sample.labels < self.num_classes)
        weight = sample.scores.detach().sigmoid().amax(1) * positive
        return self.temperature**2 * (error.sum(1) * weight).sum() / 4
