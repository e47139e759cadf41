"""Pictures of another size."""

from collections.abc import Sequence

import numpy as np


def resized(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Shrink a picture by area averages, or enlarge it by bicubic interpolation.

    Args:
        image (np.ndarray): Shape ``(H, W, C)``: uint8, uint16 or float32.
        size (Sequence[int]): Height and width.

    Returns:
        np.ndarray: Shape ``(*size, C)``, in the range of the values.
    """
    if tuple(size) == image.shape[:2]:
        return image
    import cv2

    shrink = size[0] <= image.shape[0] and size[1] <= image.shape[1]
    out = cv2.resize(
        image, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
    )
    if out.dtype.kind == 'f':  # bicubic overshoots
        out = out.clip(image.min(), image.max())
    return out[..., None] if out.ndim == 2 else out


def cropped(image: np.ndarray, crop: Sequence[int], name: str) -> np.ndarray:
    """Copy a part of a picture.

    Args:
        image (np.ndarray): Shape ``(H, W, C)``.
        crop (Sequence[int]): Top, left, height and width.
        name (str): The picture, for messages.

    Returns:
        np.ndarray: The part.

    Raises:
        ValueError: If it is not inside.
    """
    check_crop(crop, image.shape[:2], name)
    top, left, height, width = crop
    # a view would keep the whole frame
    return image[top : top + height, left : left + width].copy()


def check_crop(crop: Sequence[int], size: Sequence[int], name: str = '') -> None:
    """Refuse a part that is not inside a picture.

    Args:
        crop (Sequence[int]): Top, left, height and width.
        size (Sequence[int]): Height and width of the picture.
        name (str): The picture, for messages. Defaults to ``''``.

    Raises:
        ValueError: If it is empty or not inside.
    """
    if (
        len(crop) != 4
        or min(crop) < 0
        or min(crop[2:]) < 1
        or any(crop[i] + crop[i + 2] > size[i] for i in (0, 1))
    ):
        of = f'{name}, which has ' if name else ''
        raise ValueError(
            f'The crop (top, left, height, width) = {tuple(crop)} is not inside '
            f'{of}{size[0]} x {size[1]} (height x width) pixels.'
        )
