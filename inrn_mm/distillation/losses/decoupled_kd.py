"""Decoupled knowledge distillation."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor

from ...utils.checks import check_number
from .base import DistillLoss
from .classes import ClassMap
from .shapes import require, require_shared_classes
from .standardize import standardize
from .targets import class_labels


@MODELS.register_module()
class DecoupledKDLoss(DistillLoss):
    r"""Divergences of the target class and among the others, apart.

    `Decoupled Knowledge Distillation <https://arxiv.org/abs/2203.08679>`_
    (Eq. 7):

    .. math:: L = T^2 (\alpha \, TCKD + \beta \, NCKD)

    TCKD compares the probability of the ground-truth class with that of all
    others together, NCKD the distributions among the others. The paper raises
    the weight linearly over the first 20 epochs on CIFAR-100:
    ``schedule=dict(warmup=20, by_epoch=True)``.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; they give
            logits ``(N, C)``, with one ground-truth label for each row in
            the data samples (``gt_label``).
        alpha (float): Weight of TCKD. Defaults to 1.
        beta (float): Weight of NCKD: 8 for ResNet-32x4 -> 8x4 and 2 for
            ResNet-56 -> 20 on CIFAR-100, 0.5 for ResNet-34 -> 18 on ImageNet,
            0.25 for Faster R-CNN. Defaults to 8.
        temperature (float): T; 1 on ImageNet and for detectors.
            Defaults to 4.
        standardize (bool): Bring each row of logits to zero mean and unit
            variance first (`Logit Standardization in Knowledge Distillation
            <https://arxiv.org/abs/2403.01427>`_). Defaults to False.
        class_map (Sequence[int], optional): Classes of the teacher, see
            :class:`ClassMap`; rows of a class that it does not know are left
            out. Defaults to None, the student's.
        weight (float | str | Sequence[float]): Defaults to 1.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If the class counts differ, or there is one class.
    """

    needs_annotations = True

    def __init__(
        self,
        pairs: Sequence[tuple],
        alpha: float = 1.0,
        beta: float = 8.0,
        temperature: float = 4.0,
        standardize: bool = False,
        class_map: Sequence[int] | None = None,
        weight: float | str | Sequence[float] = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        check_number('temperature', temperature, above=0)
        check_number('alpha', alpha)
        check_number('beta', beta)
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature
        self.standardize = standardize
        self.classes = ClassMap(class_map)

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Check the class counts; there are no connectors.

        Args:
            student_shapes (Sequence[torch.Size]): ``(N, C)`` of the student's
                logits.
            teacher_shapes (Sequence[torch.Size]): Shapes of the teacher's.

        Raises:
            ValueError: If the shapes are others, the classes differ, or there
                are fewer than two.
        """
        require('vectors', self, student_shapes, teacher_shapes)
        require_shared_classes(self, student_shapes, teacher_shapes)
        for (layer, _), shape in zip(self.pairs, student_shapes):
            if shape[1] < 2:
                raise ValueError(f'DecoupledKDLoss needs two classes or more, {layer!r} has one.')

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the decoupled divergence of each pair, in float32."""
        losses = []
        for s, t in zip(student, teacher):
            labels, known = self.classes.labels(class_labels(self, s, data_samples))
            s, t = self.classes.student(s), self.classes.teacher(t, s.shape[1])
            s, t = (self.log_probabilities(x, labels[:, None]) for x in (s, t))
            target, others = (
                F.kl_div(a, b, reduction='none', log_target=True).sum(1) for a, b in zip(s, t)
            )
            total = ((self.alpha * target + self.beta * others) * known).sum()
            losses.append(self.temperature**2 * total / known.sum().clamp(min=1))
        return losses

    def log_probabilities(self, logits: Tensor, labels: Tensor) -> tuple:
        """Compute log-probabilities of target against others, and among the others.

        Args:
            logits (Tensor): ``(N, C)``.
            labels (Tensor): ``(N, 1)``.

        Returns:
            tuple[Tensor, Tensor]: ``(N, 2)`` and ``(N, C - 1)``.
        """
        logits = logits.float()
        if self.standardize:
            logits = standardize(logits, dim=1, eps=1e-7)
        logits = logits / self.temperature
        # the classes without the target, by index: a mask would need to wait
        # for the device
        index = torch.arange(logits.shape[1] - 1, device=logits.device)
        others = logits.gather(1, index + (index >= labels))
        binary = torch.cat([logits.gather(1, labels), others.logsumexp(1, keepdim=True)], 1)
        return binary.log_softmax(1), others.log_softmax(1)
