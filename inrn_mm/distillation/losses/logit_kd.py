"""Hinton's knowledge distillation on logits."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor

from ...utils.checks import check_number
from .base import DistillLoss
from .shapes import require_same_classes
from .standardize import standardize


@MODELS.register_module()
class LogitKDLoss(DistillLoss):
    r"""Kullback-Leibler divergence between softened predictions.

    `Distilling the Knowledge in a Neural Network
    <https://arxiv.org/abs/1503.02531>`_:

    .. math:: L = T^2 \, KL(softmax(z_t / T) \,\|\, softmax(z_s / T))

    summed over the classes, averaged over everything else: images, proposals
    of a RoI head, or the places and anchors of a one-stage head
    ``(N, A * num_classes, H, W)``. The paper weights the cross-entropy by
    0.1 beside 0.9 of this; that is the ``loss_weight`` of the student's head.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; they give
            logits ``(N, C)`` or ``(N, A * C, H, W)``.
        temperature (float): T. Defaults to 4, the usual one on CIFAR-100; 1
            on ImageNet and for detectors.
        standardize (bool): Bring each row of logits to zero mean and unit
            variance first (`Logit Standardization in Knowledge Distillation
            <https://arxiv.org/abs/2403.01427>`_, Alg. 1; its settings are
            ``temperature=2, weight=9``). Defaults to False.
        use_sigmoid (bool): Each logit is a class of its own against the rest,
            as in one-stage detectors; the divergences of the Bernoulli
            distributions are summed. Defaults to False, softmax.
        num_classes (int, optional): C, where a dense head has several anchors
            per place. Defaults to None, all channels.
        weight (float | Sequence[float]): Defaults to 0.9, that of CIFAR-100
            in the comparison of CRD.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If the class counts differ, or a softmax has one class.
    """

    takes_maps = True

    def __init__(
        self,
        pairs: Sequence[tuple],
        temperature: float = 4.0,
        standardize: bool = False,
        use_sigmoid: bool = False,
        num_classes: int | None = None,
        weight: float | Sequence[float] = 0.9,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        check_number('temperature', temperature, above=0)
        self.temperature = temperature
        self.standardize = standardize
        self.use_sigmoid = use_sigmoid
        self.num_classes = num_classes

    def check(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """See that dense logits are of the same places.

        Args:
            student_shapes (Sequence[torch.Size]): Shapes of the student's logits.
            teacher_shapes (Sequence[torch.Size]): Shapes of the teacher's.

        Raises:
            ValueError: If heights or widths differ.
        """
        for pair, s, t in zip(self.pairs, student_shapes, teacher_shapes):
            if s[2:] != t[2:]:
                raise ValueError(
                    f'{type(self).__name__} compares logits place by place, but the student '
                    f'gives {tuple(s[2:])} of them at {pair[0]!r} and the teacher '
                    f'{tuple(t[2:])} at {pair[1]!r}: pair levels of one stride, or compare '
                    'features instead.'
                )

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Check the class counts; there are no connectors.

        Args:
            student_shapes (Sequence[torch.Size]): Shapes of the student's logits,
                ``(N, C)`` or ``(N, A * C, H, W)``.
            teacher_shapes (Sequence[torch.Size]): Shapes of the teacher's.

        Raises:
            ValueError: If the shapes are others, the channels differ or are no
                multiple of ``num_classes``, or a softmax has one class.
        """
        require_same_classes(self, student_shapes, teacher_shapes)
        for (layer, _), shape in zip(self.pairs, student_shapes):
            if len(shape) not in (2, 4):
                raise ValueError(
                    f'{type(self).__name__} takes logits (N, C) or '
                    f'(N, A * C, H, W), but {layer!r} gives the shape '
                    f'{tuple(shape)}.'
                )
            classes = self.num_classes or shape[1]
            if shape[1] % classes:
                raise ValueError(
                    f'{layer!r} has {shape[1]} channels, which is no multiple '
                    f'of num_classes={classes}.'
                )
            if classes == 1 and not self.use_sigmoid:
                raise ValueError(
                    f'A softmax over the one class of {layer!r} is constant; set use_sigmoid=True.'
                )

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the divergence of each pair, in float32."""
        return [self.divergence(self.rows(s), self.rows(t)) for s, t in zip(student, teacher)]

    def rows(self, logits: Tensor) -> Tensor:
        """Lay out logits as scaled rows.

        Args:
            logits (Tensor): ``(N, C)`` or ``(N, A * C, H, W)``.

        Returns:
            Tensor: ``(rows, C)`` in float32, over the temperature.
        """
        logits = logits.float()
        if logits.dim() == 4:
            classes = self.num_classes or logits.shape[1]
            logits = logits.permute(0, 2, 3, 1).reshape(-1, classes)
        if self.standardize:
            logits = standardize(logits, dim=1, eps=1e-7)
        return logits / self.temperature

    def divergence(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute T^2 KL, averaged over the rows.

        Args:
            student (Tensor): Scaled rows ``(rows, C)``, see :meth:`rows`.
            teacher (Tensor): Likewise.

        Returns:
            Tensor: A scalar; 0 without rows.
        """
        if self.use_sigmoid:
            # p_t log(p_t / p_s) + (1 - p_t) log((1 - p_t) / (1 - p_s)), with
            # log(1 - sigmoid(x)) = logsigmoid(x) - x
            total = (
                F.logsigmoid(teacher)
                - F.logsigmoid(student)
                + torch.sigmoid(-teacher) * (student - teacher)
            ).sum()
        else:
            total = F.kl_div(
                student.log_softmax(1), teacher.log_softmax(1), reduction='sum', log_target=True
            )
        # no rows: an image batch without proposals
        return self.temperature**2 * total / max(len(student), 1)
