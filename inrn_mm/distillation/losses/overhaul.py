"""OFD: features before their activation, under a margin."""

from collections.abc import Sequence

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from .base import DistillLoss
from .shapes import require

_NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


@MODELS.register_module()
class OverhaulLoss(DistillLoss):
    r"""Partial squared error to the teacher's pre-activation features.

    `A Comprehensive Overhaul of Feature Distillation
    <https://arxiv.org/abs/1904.01866>`_ (Eq. 1-5):

    .. math::
        L = \frac{1}{N} \sum_i 2^{i - n} \sum (r(F_s^i) - \max(F_t^i, m))^2

    where an element counts unless :math:`r(F_s) \le \max(F_t, m) \le 0`. The
    margin :math:`m` of a channel is its expectation over the negative values
    that the ReLU removes, known from the scale and the shift of the teacher's
    norm: :math:`m = E[x | x < 0], x \sim N(\beta, \gamma^2)`.

    The teacher's layers must give features *before* the ReLU: norm layers
    (``'backbone.layer3.5.bn3'``), or any other layer with ``margin_layers``
    naming the norms. The last pair counts fully, each one before it half. The
    published code leaves the teacher in training mode; here its norms use the
    running statistics, as for every loss.

    Args:
        pairs (Sequence[tuple]): Layers from shallow to deep, see
            :class:`DistillLoss`.
        margin_layers (Sequence[str], optional): Paths of the teacher's norm
            layers, one for each pair, such as the last norm of a residual
            block whose sum is compared. Defaults to None, the teacher's
            layers of the pairs.
        connector (dict): Config of the student's transform.
            Defaults to ``dict(type='NormedConv')``.
        weight (float | str | Sequence[float]): Defaults to 1e-3, that of the
            paper on CIFAR-100; it has 1e-4 on ImageNet and 1e-5 for
            segmentation.
        **kwargs: ``schedule``, ``name`` and ``teacher`` (but not ``'self'``)
            of :class:`DistillLoss`.

    Raises:
        ValueError: If a teacher's layer tells no margin, or the student is
            its own teacher.
    """

    takes_maps = True

    def __init__(
        self,
        pairs: Sequence[tuple],
        margin_layers: Sequence[str] | None = None,
        connector: dict = dict(type='NormedConv'),
        weight: float | str | Sequence[float] = 1e-3,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        if margin_layers is not None and len(margin_layers) != len(pairs):
            raise ValueError(
                f'OverhaulLoss has {len(pairs)} pairs of layers but '
                f'{len(margin_layers)} margin_layers.'
            )
        if self.teacher == 'self':
            raise ValueError(
                "OverhaulLoss takes its margins from a teacher's trained "
                "norms, which with teacher='self' still change: choose "
                'another teacher or another loss.'
            )
        self.margin_layers = margin_layers
        self.connector = connector
        self.connectors = nn.ModuleList()
        self.attached = False
        # pairs whose teacher's layer may come after its ReLU, and whether
        # their first maps have a negative value
        self._unsure: list[int] = []
        self._negative: list[Tensor] = []

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make the student's transforms and room for the margins."""
        require('maps', self, student_shapes, teacher_shapes)
        for i, (s, t) in enumerate(zip(student_shapes, teacher_shapes)):
            self.connectors.append(
                MODELS.build(dict(student_shape=s, teacher_shape=t, **self.connector))
            )
            self.register_buffer(f'margin{i}', torch.zeros(t[1]))

    def attach_teacher(self, modules: Sequence[nn.Module], net: nn.Module | None = None) -> None:
        """Learn the margins from the teacher's norm layers.

        Args:
            modules (Sequence[nn.Module]): The teacher's modules of the pairs,
                with their trained weights.
            net (nn.Module, optional): The teacher, in which
                ``margin_layers`` are. Defaults to None.

        Raises:
            ValueError: If one is no norm layer of as many channels as the
                features.
        """
        names = [pair[1] for pair in self.pairs]
        if self.margin_layers is not None:
            names = self.margin_layers
            modules = [self._find(net, name) for name in names]
        self._unsure, self._negative = [], []
        for i, (name, module) in enumerate(zip(names, modules)):
            if not isinstance(module, _NORMS):
                raise ValueError(
                    'OverhaulLoss reads its margin from a norm layer, but the '
                    f"teacher's {name!r} is a {type(module).__name__}; name "
                    'the norm before the ReLU in the pairs or in '
                    'margin_layers.'
                )
            buffer = getattr(self, f'margin{i}')
            margin = negative_mean(module, len(buffer))
            if margin.shape != buffer.shape:
                raise ValueError(
                    f'The norm {name!r} has {len(margin)} channels, the '
                    f"teacher's features {len(buffer)}."
                )
            buffer.copy_(margin)
            # one channel at least is below zero half of the time
            if self.margin_layers is not None and (module.bias is None or (module.bias <= 0).any()):
                self._unsure.append(i)
        self.attached = True

    @staticmethod
    def _find(net: nn.Module | None, name: str) -> nn.Module:
        # also by a further name of a module that several parts share
        module = dict(net.named_modules(remove_duplicate=False)).get(name) if net else None
        if module is None:
            raise ValueError(
                f"The teacher has no layer '{name}', named in margin_layers of OverhaulLoss."
            )
        return module

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the partial squared error of each pair, in float32.

        Raises:
            RuntimeError: If :meth:`attach_teacher` was not called.
            ValueError: With the second batch, if the teacher's features of
                the first one come after a ReLU.
        """
        if not self.attached:
            raise RuntimeError(
                'OverhaulLoss does not know its margins: call '
                'attach_teacher once the teacher is loaded.'
            )
        if self._unsure:
            self._check_negative(teacher)
        losses = []
        for i, (s, t) in enumerate(zip(student, teacher)):
            s = self.connectors[i](s, t).float()
            margin = getattr(self, f'margin{i}').float()
            t = torch.maximum(t.float(), margin[:, None, None])
            counts = (s > t) | (t > 0)
            total = torch.where(counts, s - t, torch.zeros_like(s)).square()
            depth = len(self.pairs) - 1 - i
            losses.append(total.sum() / (2**depth * len(s)))
        return losses

    def _check_negative(self, teacher: list[Tensor]) -> None:
        """Look once whether the teacher's maps are those before the ReLU.

        Only their values tell. They are read one batch later, when they are
        there: no forward waits for the maps that it compares.
        """
        if not self._negative:
            self._negative = [(teacher[i] < 0).any() for i in self._unsure]
            return
        for i, negative in zip(self._unsure, self._negative):
            if not negative:
                raise ValueError(
                    'OverhaulLoss compares features before their ReLU, but '
                    f"the teacher's layer {self.pairs[i][1]!r} has no "
                    'negative value; name what the ReLU is given, such as '
                    "'backbone.layer4.2.relu:input@-1'."
                )
        self._unsure, self._negative = [], []


@torch.no_grad()
def negative_mean(norm: nn.Module, channels: int) -> Tensor:
    """Compute the expectation of a norm's negative outputs.

    An output is taken as normally distributed around the norm's bias with its
    weight as deviation. Where less than a thousandth is negative, it is three
    deviations below zero, as in the published code.

    Args:
        norm (nn.Module): A norm layer; without affine parameters its outputs
            have mean 0 and deviation 1.
        channels (int): Their number, for a norm without parameters.

    Returns:
        Tensor: One margin per channel, in float32.
    """
    std = torch.ones(channels) if norm.weight is None else norm.weight
    mean = torch.zeros_like(std) if norm.bias is None else norm.bias
    mean, std = mean.double(), std.double().abs()
    # without deviation the output is its mean, and negative or it is not
    ratio = torch.where(
        std > 0, mean / std.clamp(min=1e-300), torch.where(mean < 0, -torch.inf, torch.inf)
    )
    negative = torch.special.ndtr(-ratio)
    density = torch.exp(-ratio.square() / 2) / (2 * torch.pi) ** 0.5
    expected = mean - std * density / negative.clamp(min=1e-3)
    return torch.where(negative > 1e-3, expected, -3 * std).float()
