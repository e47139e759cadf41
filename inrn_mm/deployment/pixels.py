"""From the bytes of an image to what a network was trained on."""

import torch
from torch import Tensor, nn


class PixelInput(nn.Module):
    """Normalises images inside the exported file.

    Args:
        preprocessor (nn.Module): The ``data_preprocessor`` of a model of mmdet or
            mmpretrain.
    """

    def __init__(self, preprocessor: nn.Module) -> None:
        super().__init__()
        swaps = ('_channel_conversion', 'channel_conversion', 'to_rgb')
        self.swap = any(getattr(preprocessor, name, False) for name in swaps)
        normalize = getattr(preprocessor, '_enable_normalize', False)
        mean = preprocessor.mean.flatten() if normalize else torch.zeros(3)
        std = preprocessor.std.flatten() if normalize else torch.ones(3)
        self.register_buffer('mean', mean.float().view(1, 3, 1, 1), persistent=False)
        self.register_buffer('std', std.float().view(1, 3, 1, 1), persistent=False)
        self.fill = float(getattr(preprocessor, 'pad_value', 0))

    def forward(self, images: Tensor, shape: Tensor | None = None) -> Tensor:
        """Normalise images, and fill what is no image as the training does.

        Args:
            images (Tensor): ``(N, H, W, 3)``, BGR of 0 to 255.
            shape (Tensor, optional): ``(2, )``, height and width of the images
                within, from the upper left. Defaults to None, all.

        Returns:
            Tensor: ``(N, 3, H, W)``, float32.
        """
        x = images.permute(0, 3, 1, 2).float()
        if self.swap:
            x = x.flip(1)
        x = (x - self.mean) / self.std
        if shape is None:
            return x
        rows = torch.arange(x.shape[2], device=x.device) < shape[0]
        columns = torch.arange(x.shape[3], device=x.device) < shape[1]
        return torch.where(rows[:, None] & columns, x, self.fill)
