"""DIST: relations between and within classes."""

from collections.abc import Sequence

import torch
from mmengine.registry import MODELS
from torch import Tensor

from ...utils.checks import check_number
from .base import DistillLoss
from .classes import ClassMap
from .shapes import require, require_shared_classes
from .standardize import center


@MODELS.register_module()
class DISTLoss(DistillLoss):
    r"""Correlation of predictions, by image and by class.

    `Knowledge Distillation from A Stronger Teacher
    <https://arxiv.org/abs/2205.10536>`_ (Eq. 8-10):

    .. math:: L = T^2 (\beta \, (1 - \bar\rho_{inter})
                       + \gamma \, (1 - \bar\rho_{intra}))

    :math:`\rho` is Pearson's correlation of the softened predictions of
    student and teacher: of each image over the classes (inter), of each class
    over the images of the batch (intra).

    The gradient with respect to the student's logits grows with :math:`T^2`
    and with the inverse of their spread, so that a head which begins with all
    but equal logits is thrown far off in the first steps: let the weight rise,
    ``schedule=dict(warmup=100)``.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; they give
            logits ``(N, C)``.
        beta (float): Weight of the inter-class term. Defaults to 2.
        gamma (float): Weight of the intra-class term. Defaults to 2.
        temperature (float): T; 4 on CIFAR-100. Defaults to 1, that of
            ImageNet.
        class_map (Sequence[int], optional): Classes of the teacher, see
            :class:`ClassMap`. Defaults to None, the student's.
        weight (float | str | Sequence[float]): Defaults to 1; the paper's weights
            are ``beta`` and ``gamma``.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If the class counts differ.
    """

    def __init__(
        self,
        pairs: Sequence[tuple],
        beta: float = 2.0,
        gamma: float = 2.0,
        temperature: float = 1.0,
        class_map: Sequence[int] | None = None,
        weight: float | str | Sequence[float] = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        check_number('temperature', temperature, above=0)
        check_number('beta', beta)
        check_number('gamma', gamma)
        self.beta = beta
        self.gamma = gamma
        self.temperature = temperature
        self.classes = ClassMap(class_map)

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Check the class counts; there are no connectors."""
        require('vectors', self, student_shapes, teacher_shapes)
        require_shared_classes(self, student_shapes, teacher_shapes)

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the lack of correlation of each pair, in float32."""
        losses = []
        for s, t in zip(student, teacher):
            s, t = self.classes.student(s), self.classes.teacher(t, s.shape[1])
            s, t = ((x.float() / self.temperature).softmax(1) for x in (s, t))
            inter = 1 - correlation(s, t, dim=1).mean()
            intra = 1 - correlation(s, t, dim=0).mean()
            losses.append(self.temperature**2 * (self.beta * inter + self.gamma * intra))
        return losses


def correlation(x: Tensor, y: Tensor, dim: int) -> Tensor:
    """Compute Pearson's correlation along a dimension.

    It is 0, and gives no gradient, where one of the two is constant. The
    published code's 1e-8 beside the product of the norms is kept: it decides
    how much a class counts whose probabilities are all tiny.

    Args:
        x (Tensor): Values of any shape.
        y (Tensor): Values of the same shape.
        dim (int): The dimension.

    Returns:
        Tensor: In [-1, 1], without that dimension.
    """
    (x, x_varies), (y, y_varies) = center(x, dim), center(y, dim)
    norms = x.norm(dim=dim) * y.norm(dim=dim)
    value = (x * y).sum(dim) / (norms + 1e-8)
    varies = (x_varies & y_varies).squeeze(dim)
    return torch.where(varies, value, torch.zeros_like(value))
