"""Augmentations of a whole batch of images at once, on its device.

Each takes uint8 images ``(N, C, H, W)`` and returns as many of the same size;
every image draws its own random numbers, from torch's generator.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class BatchCropFlip(nn.Module):
    """Random crop of the padded image, and horizontal flip.

    The augmentation of every ResNet on CIFAR: ``RandomCrop(32, padding=4)``
    and ``RandomFlip(0.5)`` of mmpretrain, as one look-up.

    Args:
        padding (int): Black pixels around the image. Defaults to 4.
        flip_prob (float): Defaults to 0.5.

    Raises:
        ValueError: If one is negative, or the probability above 1.
    """

    def __init__(self, padding: int = 4, flip_prob: float = 0.5) -> None:
        super().__init__()
        if padding < 0 or not 0 <= flip_prob <= 1:
            raise ValueError(
                f'padding={padding}, flip_prob={flip_prob}: give 0 or more, and a probability.'
            )
        self.padding = padding
        self.flip_prob = flip_prob

    def forward(self, images: Tensor) -> Tensor:
        """Crop and flip uint8 images ``(N, C, H, W)``."""
        number, channels, height, width = images.shape
        device = images.device
        padded = F.pad(images, (self.padding,) * 4)
        top, left = torch.randint(2 * self.padding + 1, (2, number, 1), device=device)
        columns = torch.arange(width, device=device).expand(number, -1)
        flips = torch.rand(number, 1, device=device) < self.flip_prob
        columns = torch.where(flips, width - 1 - columns, columns) + left
        rows = torch.arange(height, device=device) + top
        one = torch.arange(number, device=device)
        return padded[
            one[:, None, None, None],
            torch.arange(channels, device=device)[:, None, None],
            rows[:, None, :, None],
            columns[:, None, None, :],
        ]


@MODELS.register_module()
class BatchCutout(nn.Module):
    """One gray square at a random place of each image, clipped by its border.

    `Improved Regularization of Convolutional Neural Networks with Cutout
    <https://arxiv.org/abs/1708.04552>`_.

    Args:
        size (int): Side of the square. Defaults to 16, that of CIFAR-10; the
            paper has 8 on CIFAR-100.
        value (Sequence[int]): What fills it, for each channel.
            Defaults to CIFAR-100's mean (129, 124, 112).

    Raises:
        ValueError: If there is no square.
    """

    def __init__(self, size: int = 16, value=(129, 124, 112)) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f'A cutout of size={size}: give 1 or more.')
        self.size = size
        self.register_buffer('value', torch.tensor(value, dtype=torch.uint8).view(-1, 1, 1), False)

    def forward(self, images: Tensor) -> Tensor:
        """Cut a square out of uint8 images ``(N, C, H, W)``."""
        number, _, height, width = images.shape

        def inside(length: int) -> Tensor:
            # the centre is anywhere in the image
            first = torch.randint(length, (number, 1), device=images.device)
            place = torch.arange(length, device=images.device)
            offset = place - (first - self.size // 2)
            return (offset >= 0) & (offset < self.size)

        cut = inside(height)[:, None, :, None] & inside(width)[:, None, None]
        return torch.where(cut, self.value, images)


# How far an operation goes at magnitude 10, as in mmpretrain's RandAugment;
# ``None`` for those without a magnitude.
_STRENGTH = {
    'AutoContrast': None,
    'Equalize': None,
    'Invert': None,
    'Rotate': 30.0,
    'Posterize': 4,
    'Solarize': 256,
    'Color': 0.9,
    'Contrast': 0.9,
    'Brightness': 0.9,
    'Sharpness': 0.9,
    'ShearX': 0.3,
    'ShearY': 0.3,
    'TranslateX': 0.45,
    'TranslateY': 0.45,
}
_SIGNED = {
    'Rotate',
    'Color',
    'Contrast',
    'Brightness',
    'Sharpness',
    'ShearX',
    'ShearY',
    'TranslateX',
    'TranslateY',
}


@MODELS.register_module()
class BatchRandAugment(nn.Module):
    """RandAugment with the operations drawn for each image.

    `RandAugment: Practical automated data augmentation with a reduced search
    space <https://arxiv.org/abs/1909.13719>`_. Images that drew the same
    operation go through torchvision's function together, so the cost is that
    of some twenty calls, whatever the size of the batch.

    Args:
        num_ops (int): Operations applied to each image, one after the other.
            Defaults to 2.
        magnitude (float): Strength, 0 to 10. Defaults to 9.
        fill (Sequence[int]): Colour of what turns and shifts bring into the
            image. Defaults to CIFAR-100's mean (129, 124, 112).

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(self, num_ops: int = 2, magnitude: float = 9.0, fill=(129, 124, 112)) -> None:
        super().__init__()
        if num_ops < 1 or not 0 <= magnitude <= 10:
            raise ValueError(
                f'num_ops={num_ops}, magnitude={magnitude}: give one '
                'operation or more, and a magnitude of 0 to 10.'
            )
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.fill = [float(value) for value in fill]
        self.variants = [
            (name, sign) for name in _STRENGTH for sign in ((1, -1) if name in _SIGNED else (1,))
        ]

    def forward(self, images: Tensor) -> Tensor:
        """Augment uint8 images ``(N, C, H, W)``."""
        images = images.clone()
        names = list(_STRENGTH)
        for _ in range(self.num_ops):
            # On the CPU: the groups are known without waiting for the device.
            drawn = torch.randint(len(names), (len(images),))
            positive = torch.rand(len(images)) < 0.5
            for name, sign in self.variants:
                chosen = drawn == names.index(name)
                if name in _SIGNED:
                    chosen = chosen & (positive == (sign > 0))
                chosen = chosen.nonzero()[:, 0]
                if len(chosen):
                    chosen = chosen.to(images.device, non_blocking=True)
                    images[chosen] = self.apply_one(name, sign, images[chosen])
        return images

    def apply_one(self, name: str, sign: int, images: Tensor) -> Tensor:
        """Apply one operation to a group of images.

        Args:
            name (str): The operation.
            sign (int): 1 or -1, its direction.
            images (Tensor): uint8 ``(N, C, H, W)``.
        """
        strength = _STRENGTH[name]
        amount = sign * self.magnitude / 10 * (strength or 0)
        if strength is not None and not amount and name != 'Solarize':
            return images
        return _operations(images, amount, self.fill)[name]()


def _operations(images: Tensor, amount: float, fill: list) -> dict[str, Callable[[], Tensor]]:
    from torchvision.transforms.v2 import functional as tv

    def affine(
        angle: float = 0.0,
        shift: tuple[float, float] = (0.0, 0.0),
        shear: tuple[float, float] = (0.0, 0.0),
    ) -> Tensor:
        shear = [torch.rad2deg(torch.atan(torch.tensor(s))) for s in shear]
        height, width = images.shape[-2:]
        shift = [round(shift[0] * width), round(shift[1] * height)]
        return tv.affine(
            images,
            angle=angle,
            translate=shift,
            scale=1.0,
            shear=[float(s) for s in shear],
            fill=fill,
        )

    factor = 1 + amount
    return {
        'AutoContrast': lambda: tv.autocontrast(images),
        'Equalize': lambda: tv.equalize(images),
        'Invert': lambda: tv.invert(images),
        'Rotate': lambda: affine(angle=amount),
        'Posterize': lambda: tv.posterize(images, 8 - round(amount)),
        'Solarize': lambda: tv.solarize(images, 256 - amount),
        'Color': lambda: tv.adjust_saturation(images, factor),
        'Contrast': lambda: tv.adjust_contrast(images, factor),
        'Brightness': lambda: tv.adjust_brightness(images, factor),
        'Sharpness': lambda: tv.adjust_sharpness(images, factor),
        'ShearX': lambda: affine(shear=(amount, 0.0)),
        'ShearY': lambda: affine(shear=(0.0, amount)),
        'TranslateX': lambda: affine(shift=(amount, 0.0)),
        'TranslateY': lambda: affine(shift=(0.0, amount)),
    }
