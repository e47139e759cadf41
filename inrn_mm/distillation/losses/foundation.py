"""Losses under teachers of another kind: behind a small head for each."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from ...utils.checks import check_number, check_whole
from ..connectors import MLPHead, resize_like
from .base import DistillLoss
from .shapes import require


class _HeadedLoss(DistillLoss):
    """A loss of what a small head makes of the student's features.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`.
        cosine_weight (float): Share of one minus the cosine.
        l1_weight (float): Share of the smooth L1 distance.
        hidden (int, optional): Width of the heads' hidden layer. Defaults to
            None, the teacher's channels.
        standardize (bool): Bring each of the teacher's channels to zero mean
            and unit variance, of running statistics. Features after a ReLU
            are mostly mean, which a bias of the head would match; and the
            smooth L1 distance depends on their scale. Defaults to True.
        **kwargs: ``weight``, ``schedule``, ``name`` and ``teacher`` of
            :class:`DistillLoss`.

    Raises:
        ValueError: If a share is negative, or both are 0.
    """

    def __init__(
        self,
        pairs: Sequence[tuple],
        cosine_weight: float,
        l1_weight: float,
        hidden: int | None = None,
        standardize: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(pairs, **kwargs)
        check_number('cosine_weight', cosine_weight, least=0)
        check_number('l1_weight', l1_weight, least=0, above=-cosine_weight)
        if hidden is not None:
            check_whole('hidden', hidden, least=1)
        self.cosine_weight = cosine_weight
        self.l1_weight = l1_weight
        self.hidden = hidden
        self.standardize = standardize
        self.heads = nn.ModuleList()
        self.norms = nn.ModuleList()

    def _make_heads(self, student_shapes: Sequence, teacher_shapes: Sequence) -> None:
        for s, t in zip(student_shapes, teacher_shapes):
            self.heads.append(MLPHead(s[1], t[1], self.hidden))
            self.norms.append(
                nn.BatchNorm1d(t[1], affine=False, momentum=None)
                if self.standardize
                else nn.Identity()
            )

    def _match(self, index: int, student: Tensor, teacher: Tensor) -> Tensor:
        """Compare rows ``(M, C_s)`` with rows ``(M, C_t)``, in float32."""
        made = self.heads[index](student).float()
        wanted = teacher.float()
        if self.standardize:
            norm = self.norms[index]
            if self.training and len(wanted) > 1:
                norm(wanted)  # which takes the mean of all statistics so far
            wanted = (wanted - norm.running_mean) * (norm.running_var + norm.eps).rsqrt()
        # similarities in half precision would be those of rounding
        with torch.autocast(made.device.type, enabled=False):
            return self._compare(index, made, wanted)

    def _compare(self, index: int, made: Tensor, wanted: Tensor) -> Tensor:
        """Compare rows ``(M, C_t)`` of pair ``index``."""
        loss = made.new_zeros(())
        if self.cosine_weight:
            loss = loss + self.cosine_weight * (1 - F.cosine_similarity(made, wanted)).mean()
        if self.l1_weight:
            loss = loss + self.l1_weight * F.smooth_l1_loss(made, wanted)
        return loss


@MODELS.register_module()
class DenseFeatureLoss(_HeadedLoss):
    r"""Cosine and smooth L1 at each position, behind a head for each teacher.

    `AM-RADIO <https://arxiv.org/abs/2312.06709>`_ (Eq. 3):

    .. math:: L = \frac{1}{N} \sum_n \alpha (1 - \cos(h(s_n), t_n))
        + \beta\, SmoothL1(h(s_n), t_n)

    over the positions n of the coarser of both maps; the other one is averaged
    over its places. The paper has :math:`\alpha = 0.9, \beta = 0.1` and takes
    the teacher's features as they are (``standardize=False``); that teachers'
    channels are better brought to one scale is of `PHI-S
    <https://arxiv.org/abs/2410.01680>`_.

    Args:
        pairs (Sequence[tuple]): Layers that give maps, or tokens of one; see
            :class:`DistillLoss`.
        cosine_weight (float): :math:`\alpha`. Defaults to 0.9.
        l1_weight (float): :math:`\beta`. Defaults to 0.1.
        **kwargs: ``hidden`` (width of the heads, the teacher's channels if it
            is None), ``standardize`` (True) and arguments of
            :class:`DistillLoss`.

    Raises:
        ValueError: If a share is negative, both are 0, or a layer gives no
            map.
    """

    takes_maps = True

    def __init__(
        self, pairs: Sequence[tuple], cosine_weight: float = 0.9, l1_weight: float = 0.1, **kwargs
    ) -> None:
        super().__init__(pairs, cosine_weight, l1_weight, **kwargs)

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make a head for each pair of maps."""
        require('maps', self, student_shapes, teacher_shapes)
        self._make_heads(student_shapes, teacher_shapes)

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compare each pair of maps at the positions of the coarser one."""
        terms = []
        for i, (s, t) in enumerate(zip(student, teacher)):
            size = tuple(min(sides) for sides in zip(s.shape[2:], t.shape[2:]))
            grid = t.new_empty(0, 1, *size)
            maps = (resize_like(x.float(), grid) for x in (s, t))
            rows = (x.flatten(2).transpose(1, 2).flatten(0, 1) for x in maps)
            terms.append(self._match(i, *rows))
        return terms


@MODELS.register_module()
class GlobalFeatureLoss(_HeadedLoss):
    r"""Cosine of what describes the whole image, behind a head for each teacher.

    `AM-RADIO <https://arxiv.org/abs/2312.06709>`_ (Eq. 2), its loss of the
    summary: :math:`L = 1 - \cos(h(s), t)`. Maps are averaged over their
    places; a vector is a class token or what the network pools itself, as at
    ``'head:input'``.

    Args:
        pairs (Sequence[tuple]): Layers that give maps ``(N, C, H, W)`` or
            vectors ``(N, C)``; see :class:`DistillLoss`.
        cosine_weight (float): Share of one minus the cosine. Defaults to 1.
        l1_weight (float): Share of the smooth L1 distance. Defaults to 0.
        **kwargs: ``hidden`` (width of the heads, the teacher's channels if it
            is None), ``standardize`` (True) and arguments of
            :class:`DistillLoss`.

    Raises:
        ValueError: If a share is negative, both are 0, or a layer gives
            neither maps nor vectors.
    """

    def __init__(
        self, pairs: Sequence[tuple], cosine_weight: float = 1.0, l1_weight: float = 0.0, **kwargs
    ) -> None:
        super().__init__(pairs, cosine_weight, l1_weight, **kwargs)

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make a head for each pair."""
        for pair, *shapes in zip(self.pairs, student_shapes, teacher_shapes):
            for side, layer, shape in zip(('student', 'teacher'), pair, shapes):
                if len(shape) not in (2, 4):
                    raise ValueError(
                        f"{type(self).__name__} compares maps or vectors, but the {side}'s layer "
                        f'{layer!r} gives the shape {tuple(shape)}: name the layer that pools it '
                        "or gives its class token, such as 'head:input'."
                    )
        self._make_heads(student_shapes, teacher_shapes)

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compare each pair, pooled."""
        return [
            self._match(i, *(x.float().mean((2, 3)) if x.dim() == 4 else x for x in pair))
            for i, pair in enumerate(zip(student, teacher))
        ]
