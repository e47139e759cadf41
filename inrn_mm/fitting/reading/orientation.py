"""Pictures that the file says to turn."""

import numpy as np


def oriented(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror a picture to how it is to be seen.

    Args:
        pixels (np.ndarray): Shape ``(H, W)`` or ``(H, W, C)``.
        orientation (int): Exif's number, 1 to 8: what is upright (1), mirrored
            (2, 4), upside down (3) or lies on a side (5 to 8).

    Returns:
        np.ndarray: A view; height and width are exchanged from 5 on.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
