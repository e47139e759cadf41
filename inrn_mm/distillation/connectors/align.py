"""The align convolution, T_s of Eq. 3."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class AlignConv(nn.Module):
    """Maps the student's features to the teacher's channels and size.

    The paper's "lightweight convolutional layer" (Sec. 2.3, T_s of Eq. 3): a
    1x1 convolution, then a resize where the spatial sizes differ. Vectors
    ``(N, C)`` get a linear layer.

    Args:
        student_shape (Sequence[int]): Shape of the student's features,
            ``(N, C_s, H, W)`` or ``(N, C_s)``.
        teacher_shape (Sequence[int]): Shape of the teacher's, alike.

    Raises:
        ValueError: If one is a map and the other is not.
    """

    def __init__(self, student_shape: Sequence[int], teacher_shape: Sequence[int]) -> None:
        super().__init__()
        shapes = tuple(student_shape), tuple(teacher_shape)
        if len(shapes[0]) != len(shapes[1]) or len(shapes[0]) not in (2, 4):
            raise ValueError(
                f'Cannot align student features of shape {shapes[0]} with '
                f'teacher features of shape {shapes[1]}: both must be maps '
                '(N, C, H, W) or both vectors (N, C).'
            )
        channels = shapes[0][1], shapes[1][1]
        self.conv = nn.Conv2d(*channels, 1) if len(shapes[0]) == 4 else nn.Linear(*channels)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity='linear')
        nn.init.zeros_(self.conv.bias)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Align the student's features.

        Args:
            student (Tensor): ``(N, C_s, H, W)`` or ``(N, C_s)``.
            teacher (Tensor): ``(N, C_t, H', W')`` or ``(N, C_t)``; only its
                size is used.

        Returns:
            Tensor: The student's features in the teacher's shape.
        """
        # half-precision features outside of autocast
        student = student.to(self.conv.weight.dtype)
        return resize_like(self.conv(student), teacher)


def resize_like(x: Tensor, reference: Tensor) -> Tensor:
    """Resize a map to the reference's height and width.

    Averages when shrinking and interpolates when growing.

    Args:
        x (Tensor): ``(N, C, H, W)``; what is no map stays as it is.
        reference (Tensor): ``(..., H', W')``.

    Returns:
        Tensor: ``(N, C, H', W')``.
    """
    if x.dim() != 4 or x.shape[-2:] == reference.shape[-2:]:
        return x
    size = tuple(reference.shape[-2:])
    if x.shape[-2] >= size[0] and x.shape[-1] >= size[1]:
        return F.adaptive_avg_pool2d(x, size)
    return F.interpolate(x, size, mode='bilinear', align_corners=False)
