"""Hinton's knowledge distillation on logits."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor

from ...utils.checks import check_number
from .base import DistillLoss
from .classes import ClassMap
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
    ``(N, A * num_classes, H, W)``. All but a few of these places are
    background, which both networks know: with ``average='confidence'`` the
    sum over all pairs is divided by the sum of the teacher's highest scores,
    about the number of places with an object, as the losses of the heads
    themselves are, and ``focus`` weights each score by
    :math:`|p_t - p_s|^{focus}`, as the quality focal loss does (`Generalized
    Focal Loss <https://arxiv.org/abs/2006.04388>`_, Eq. 5). The paper weights the cross-entropy by
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
        average (str): ``'rows'``, or ``'confidence'`` with sigmoid scores.
            Defaults to ``'rows'``.
        focus (float): Exponent of the weight of sigmoid scores. Defaults to 0,
            all alike.
        class_map (Sequence[int], optional): Classes of the teacher, see
            :class:`ClassMap`. Defaults to None, the student's.
        weight (float | str | Sequence[float]): Defaults to 0.9, that of CIFAR-100
            in the comparison of CRD.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If the class counts differ, a softmax has one class, or
            there is no such average.
    """

    takes_maps = True

    def __init__(
        self,
        pairs: Sequence[tuple],
        temperature: float = 4.0,
        standardize: bool = False,
        use_sigmoid: bool = False,
        num_classes: int | None = None,
        average: str = 'rows',
        focus: float = 0.0,
        class_map: Sequence[int] | None = None,
        weight: float | str | Sequence[float] = 0.9,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        check_number('temperature', temperature, above=0)
        self.temperature = temperature
        self.standardize = standardize
        self.use_sigmoid = use_sigmoid
        self.num_classes = num_classes
        if average != 'rows' and not (average == 'confidence' and use_sigmoid):
            raise ValueError(
                f"LogitKDLoss averages over 'rows' or, with use_sigmoid=True, by 'confidence', "
                f'got {average!r}.'
            )
        check_number('focus', focus, least=0)
        if focus and not use_sigmoid:
            raise ValueError('focus is for sigmoid scores: set use_sigmoid=True.')
        self.average = average
        self.focus = focus
        self.classes = ClassMap(class_map)

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
        for shape in student_shapes:
            if len(shape) not in (2, 4):
                raise ValueError(
                    f'{type(self).__name__} takes logits (N, C) or '
                    f'(N, A * C, H, W), but {self.pairs[0][0]!r} gives the shape '
                    f'{tuple(shape)}.'
                )
        if self.classes.given:
            for (layer, _), s, t in zip(self.pairs, student_shapes, teacher_shapes):
                anchors = s[1] // (self.num_classes or s[1])
                self.classes.check(layer, s[1] // anchors, t[1] // anchors)
        else:
            require_same_classes(self, student_shapes, teacher_shapes)
        for (layer, _), shape in zip(self.pairs, student_shapes):
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
        rows = [self.both(s, t) for s, t in zip(student, teacher)]
        counts: list = [max(len(s), 1) for s, _ in rows]
        if self.average == 'confidence':
            scores = [t.mul(self.temperature).sigmoid().amax(1).sum() for _, t in rows]
            counts = [sum(scores).clamp(min=1.0)] * len(rows)
        return [self.divergence(*pair) / count for pair, count in zip(rows, counts)]

    def both(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """Lay out the logits of a pair as scaled rows of the shared classes.

        Args:
            student (Tensor): ``(N, C)`` or ``(N, A * C, H, W)``.
            teacher (Tensor): Likewise, of the teacher's classes.

        Returns:
            tuple[Tensor, Tensor]: ``(rows, C)`` in float32, over the temperature.
        """
        anchors = student.shape[1] // (self.num_classes or student.shape[1])
        s, t = (_rows(x.float(), anchors) for x in (student, teacher))
        s, t = self.classes.student(s), self.classes.teacher(t, s.shape[1])
        return self.scaled(s), self.scaled(t)

    def scaled(self, rows: Tensor) -> Tensor:
        """Standardise rows ``(rows, C)`` if asked to, and divide by the temperature."""
        if self.standardize:
            rows = standardize(rows, dim=1, eps=1e-7)
        return rows / self.temperature

    def divergence(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute T^2 KL, summed over the rows.

        Args:
            student (Tensor): Scaled rows ``(rows, C)``, see :meth:`both`.
            teacher (Tensor): Likewise.

        Returns:
            Tensor: A scalar; 0 without rows, as of a batch without proposals.
        """
        if self.use_sigmoid:
            # p_t log(p_t / p_s) + (1 - p_t) log((1 - p_t) / (1 - p_s)), with
            # log(1 - sigmoid(x)) = logsigmoid(x) - x
            error = (
                F.logsigmoid(teacher)
                - F.logsigmoid(student)
                + torch.sigmoid(-teacher) * (student - teacher)
            )
            if self.focus:
                error = error * (teacher.sigmoid() - student.sigmoid()).abs() ** self.focus
            total = error.sum()
        else:
            total = F.kl_div(
                student.log_softmax(1), teacher.log_softmax(1), reduction='sum', log_target=True
            )
        return self.temperature**2 * total


def _rows(logits: Tensor, anchors: int) -> Tensor:
    """Lay out logits ``(N, C)`` or ``(N, A * C, H, W)`` as rows ``(rows, C)``."""
    if logits.dim() == 4:
        logits = logits.permute(0, 2, 3, 1)
        logits = logits.reshape(-1, logits.shape[-1] // anchors)
    return logits
