"""The regressor between a guided layer and its hint."""

from collections.abc import Sequence

from mmengine.registry import MODELS
from torch import Tensor, nn

from .align import resize_like
from .norm import apply_norm


@MODELS.register_module()
class HintRegressor(nn.Module):
    """Convolution, norm and activation from the student's to the teacher's.

    The convolution is 3x3 with stride 2 where the student's map is twice as
    large, a 4x4 transposed one with stride 2 where it is half as large (both
    as in the code of CRD, https://arxiv.org/abs/1910.10699), otherwise 1x1. A
    difference of size that remains is resized: the "valid" convolution of the
    reference fits one image size only.

    Args:
        student_shape (Sequence[int]): ``(N, C_s, H, W)``.
        teacher_shape (Sequence[int]): ``(N, C_t, H', W')``.
        norm_cfg (dict, optional): Defaults to ``dict(type='BN')``.
        act_cfg (dict, optional): None for a hint taken before its
            activation, which has both signs.
            Defaults to ``dict(type='ReLU')``.
    """

    def __init__(
        self,
        student_shape: Sequence[int],
        teacher_shape: Sequence[int],
        norm_cfg: dict | None = dict(type='BN'),
        act_cfg: dict | None = dict(type='ReLU'),
    ) -> None:
        super().__init__()
        from mmcv.cnn import build_activation_layer, build_norm_layer

        channels = student_shape[1], teacher_shape[1]
        size, target = tuple(student_shape[2:]), tuple(teacher_shape[2:])
        bias = norm_cfg is None
        if size != target and size == tuple(2 * x for x in target):
            self.conv = nn.Conv2d(*channels, 3, 2, 1, bias=bias)
        elif size != target and tuple(2 * x for x in size) == target:
            self.conv = nn.ConvTranspose2d(*channels, 4, 2, 1, bias=bias)
        else:
            self.conv = nn.Conv2d(*channels, 1, bias=bias)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity='relu')
        self.norm = (
            nn.Identity() if norm_cfg is None else build_norm_layer(norm_cfg, channels[1])[1]
        )
        self.act = nn.Identity() if act_cfg is None else build_activation_layer(act_cfg)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Regress the hint.

        Args:
            student (Tensor): ``(N, C_s, H, W)``.
            teacher (Tensor): ``(N, C_t, H', W')``; only its size is used.

        Returns:
            Tensor: ``(N, C_t, H', W')``.
        """
        x = self.conv(student.to(self.conv.weight.dtype))
        return resize_like(self.act(apply_norm(self.norm, x)), teacher)
