"""The head of two layers between a student and one teacher."""

from mmengine.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class MLPHead(nn.Sequential):
    """Linear, layer norm, GELU and linear, of vectors.

    The adaptor of `AM-RADIO <https://arxiv.org/abs/2312.06709>`_ (Sec. 3.3): what is
    particular to a teacher is learnt here and not in the student.

    Args:
        in_channels (int): Width of the student's features.
        out_channels (int): Width of the teacher's.
        hidden (int, optional): Width between the layers. Defaults to None, the
            teacher's.
    """

    def __init__(self, in_channels: int, out_channels: int, hidden: int | None = None) -> None:
        hidden = hidden or out_channels
        super().__init__(
            nn.Linear(in_channels, hidden),
            nn.LayerNorm(hidden),
            nn.GELU(),
            nn.Linear(hidden, out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map features.

        Args:
            x (Tensor): ``(..., in_channels)``.

        Returns:
            Tensor: ``(..., out_channels)``.
        """
        return super().forward(x.to(self[0].weight.dtype))  # half precision without autocast
