"""Losses of maps that must have the teacher's channels and size."""

from collections.abc import Sequence

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from ..connectors import Resize
from .base import DistillLoss
from .shapes import require


class AlignedLoss(DistillLoss):
    """A loss between maps of equal shape.

    Where the channels differ, the student's map goes through an align
    convolution; where they agree, as between two FPNs, it is only resized if
    need be. This is what the detection methods PKD, CWD, MGD and FGD do.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`.
        **kwargs: Further arguments of :class:`DistillLoss`.
    """

    takes_maps = True

    def __init__(self, pairs: Sequence[tuple], **kwargs) -> None:
        super().__init__(pairs, **kwargs)
        self.align = nn.ModuleList()

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make an align convolution where channels differ."""
        require('maps', self, student_shapes, teacher_shapes)
        for s, t in zip(student_shapes, teacher_shapes):
            self.align.append(
                Resize()
                if s[1] == t[1]
                else MODELS.build(dict(type='AlignConv', student_shape=s, teacher_shape=t))
            )

    def aligned(self, student: list[Tensor], teacher: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Bring both maps of each pair into one shape, in float32.

        Args:
            student (list[Tensor]): Maps ``(N, C_s, H, W)``.
            teacher (list[Tensor]): Maps ``(N, C_t, H', W')``.

        Returns:
            list[tuple[Tensor, Tensor]]: Both in the teacher's shape.
        """
        return [
            (align(s.float(), t).float(), t.float())
            for align, s, t in zip(self.align, student, teacher)
        ]
