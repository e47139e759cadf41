"""A connector without parameters."""

from torch import Tensor, nn

from .align import resize_like


class Resize(nn.Module):
    """Brings the student's map to the teacher's size; channels agree."""

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Resize the student's map.

        Args:
            student (Tensor): ``(N, C, H, W)``.
            teacher (Tensor): ``(N, C, H', W')``; only its size is used.

        Returns:
            Tensor: ``(N, C, H', W')``.
        """
        return resize_like(student, teacher)
