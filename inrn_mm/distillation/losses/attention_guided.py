"""FBKD: attention-guided and non-local distillation of detectors."""

from collections.abc import Sequence

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from ...utils.checks import check_number
from ..connectors import NonLocalRelations
from .aligned import AlignedLoss


@MODELS.register_module()
class AttentionGuidedLoss(AlignedLoss):
    r"""Features where both networks look, their means, and relations of places.

    `Improve Object Detection with Feature-based Knowledge Distillation
    <https://openreview.net/pdf?id=uKhGRvM8QNH>`_ (Eq. 1-6), with the adaptation
    layers of its code:

    .. math::
        L = \alpha \| \sqrt{M} (f(F_s) - F_t) \|
            + \beta \big( \| g(\bar F_s^{hw}) - \bar F_t^{hw} \|
            + \| h(\bar F_s^c) - \bar F_t^c \| \big)
            + \gamma \| q(R_s(F_s)) - R_t(F_t) \|

    The norms are over the whole batch. :math:`M = (M_s + M_t) / 2` with
    :math:`M_x = H W \, softmax(\bar{|F_x|}^c / T)` is the attention of both to
    places, without gradient; the paper's attention to channels is computed but
    not used by its code. f and q are 1x1 convolutions, g a linear layer, h a 3x3
    convolution. R is a non-local block, learned on both sides, whose keys and
    values are pooled.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; the paper's
            are the levels of both FPNs.
        alpha (float): Weight of features. Defaults to 7e-5, like the next two
            that of two-stage detectors; one-stage detectors have 4e-4, 2e-2 and
            4e-4.
        beta (float): Weight of means. Defaults to 4e-3.
        gamma (float): Weight of relations. Defaults to 7e-5.
        temperature (float): T. Defaults to 0.5.
        pools (int | Sequence[int]): Size of the max pooling in R, one or one
            for each pair; the code has 8, 4, 2 and 2 for strides of 4 to 32.
            Defaults to 2.
        reductions (int | Sequence[int]): By how much R narrows channels; the
            code has 4, 4, 2 and 2. Defaults to 2.
        weight (float | str | Sequence[float]): Defaults to 1.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If the temperature is not positive, or pools or reductions
            are not positive numbers, one for each pair.
    """

    def __init__(
        self,
        pairs: Sequence[tuple],
        alpha: float = 7e-5,
        beta: float = 4e-3,
        gamma: float = 7e-5,
        temperature: float = 0.5,
        pools: int | Sequence[int] = 2,
        reductions: int | Sequence[int] = 2,
        weight: float | str | Sequence[float] = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        check_number('temperature', temperature, above=0)
        for name, factor in dict(alpha=alpha, beta=beta, gamma=gamma).items():
            check_number(name, factor)
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.temperature = temperature
        self.pools = _one_for_each('pools', pools, len(pairs))
        self.reductions = _one_for_each('reductions', reductions, len(pairs))
        self.adapters = nn.ModuleList()
        self.student_relations = nn.ModuleList()
        self.teacher_relations = nn.ModuleList()

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make the adaptation layers and non-local blocks, and align convolutions."""
        super().build(student_shapes, teacher_shapes)
        for shape, pool, reduction in zip(teacher_shapes, self.pools, self.reductions):
            c = shape[1]
            self.adapters.append(
                nn.ModuleDict(
                    dict(
                        features=nn.Conv2d(c, c, 1),
                        channels=nn.Linear(c, c),
                        places=nn.Conv2d(1, 1, 3, padding=1),
                        relations=nn.Conv2d(c, c, 1),
                    )
                )
            )
            self.student_relations.append(NonLocalRelations(c, pool, reduction))
            self.teacher_relations.append(NonLocalRelations(c, pool, reduction))

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the loss of each pair, in float32."""
        pairs = self.aligned(student, teacher)
        with torch.autocast(student[0].device.type, enabled=False):
            return [self.compare(i, s, t) for i, (s, t) in enumerate(pairs)]

    def compare(self, i: int, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss of a pair.

        Args:
            i (int): Number of the pair.
            student (Tensor): ``(N, C, H, W)``, aligned.
            teacher (Tensor): ``(N, C, H, W)``.

        Returns:
            Tensor: A scalar.
        """
        adapt = self.adapters[i]
        attention = (self.attention(student.detach()) + self.attention(teacher)) / 2
        features = (adapt['features'](student) - teacher) * attention.sqrt()
        channels = adapt['channels'](student.mean((2, 3))) - teacher.mean((2, 3))
        places = adapt['places'](student.mean(1, keepdim=True)) - teacher.mean(1, keepdim=True)
        relations = adapt['relations'](self.student_relations[i](student))
        relations = relations - self.teacher_relations[i](teacher)
        # norms, whose gradient at zero is zero and not NaN as that of a root
        features, channels, places, relations = (
            torch.linalg.vector_norm(x) for x in (features, channels, places, relations)
        )
        return self.alpha * features + self.beta * (channels + places) + self.gamma * relations

    def attention(self, x: Tensor) -> Tensor:
        """Compute attention to places ``(N, 1, H, W)``, whose mean is 1."""
        n, _, h, w = x.shape
        places = (x.abs().mean(1).flatten(1) / self.temperature).softmax(1)
        return h * w * places.view(n, 1, h, w)


def _one_for_each(name: str, value: int | Sequence[int], count: int) -> list[int]:
    values = [value] * count if isinstance(value, int) else list(value)
    if len(values) != count or min(values) < 1:
        raise ValueError(f'{name} must be a positive number or one for each of {count} pairs.')
    return values
