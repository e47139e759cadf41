"""A convolution with a norm, for features of both signs."""

import math
from collections.abc import Sequence

from mmengine.registry import MODELS
from torch import Tensor, nn

from .align import resize_like
from .norm import apply_norm


@MODELS.register_module()
class NormedConv(nn.Module):
    """1x1 convolution without bias and a norm, then a resize if need be.

    The student transform of `A Comprehensive Overhaul of Feature Distillation
    <https://arxiv.org/abs/1904.01866>`_.

    Args:
        student_shape (Sequence[int]): ``(N, C_s, H, W)``.
        teacher_shape (Sequence[int]): ``(N, C_t, H', W')``.
        norm_cfg (dict): Defaults to ``dict(type='BN')``.
    """

    def __init__(
        self,
        student_shape: Sequence[int],
        teacher_shape: Sequence[int],
        norm_cfg: dict = dict(type='BN'),
    ) -> None:
        super().__init__()
        from mmcv.cnn import build_norm_layer

        channels = teacher_shape[1]
        self.conv = nn.Conv2d(student_shape[1], channels, 1, bias=False)
        nn.init.normal_(self.conv.weight, std=math.sqrt(2 / channels))
        self.norm = build_norm_layer(norm_cfg, channels)[1]

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Project the student's features.

        Args:
            student (Tensor): ``(N, C_s, H, W)``.
            teacher (Tensor): ``(N, C_t, H', W')``; only its size is used.

        Returns:
            Tensor: ``(N, C_t, H', W')``.
        """
        x = apply_norm(self.norm, self.conv(student.to(self.conv.weight.dtype)))
        return resize_like(x, teacher)
