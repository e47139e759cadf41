"""Normalisation over the channels of an image-shaped tensor."""

from mmengine.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module(name='LN2d')
class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels at every position of ``(N, C, H, W)``.

    mmpretrain has one in its own registry; registered at the root it serves
    detectors too.

    Args:
        num_channels (int): Number of channels C.
        eps (float): Added to the variance. Defaults to 1e-6.
    """

    def __init__(self, num_channels: int, eps: float = 1e-6) -> None:
        super().__init__(num_channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(N, C, H, W)``; the shape stays."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
