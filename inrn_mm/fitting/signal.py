"""The image or video that a network is fitted to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .memory import need_memory
from .reading import Source, need_input, open_source
from .resize import cropped, resized

MAX_VALUES = (255, 65535, 1)


@dataclass
class Signal:
    """An image (one frame) or a video in memory.

    Args:
        data (Tensor): Shape ``(T, H, W, C)``: uint8, int32 of 0 to 65535 for
            16-bit images, float32 in [0, 1] for floating-point ones; C is 1
            (gray), 3 (RGB) or 4 (RGBA). None where only the shape is known.
        shape (tuple[int]): ``(T, H, W, C)``. Defaults to that of ``data``.
        max_value (float): Value of full intensity: 255, 65535 or 1.
            Defaults to 255.
        fps (float): Frames per second of a video. Defaults to 24.

    Raises:
        ValueError: If there are no pixels, some are NaN or infinite or,
            floating-point ones, outside [0, 1], or another value is none of
            those allowed.
    """

    data: Tensor | None = None
    shape: Sequence[int] | None = None
    max_value: float = 255
    fps: float = 24

    def __post_init__(self) -> None:
        if self.data is not None:
            self.shape = self.data.shape
            if self.data.is_floating_point() and self.data.numel():
                self._check_values()
        if self.shape is None or len(self.shape) != 4 or min(self.shape) < 1:
            raise ValueError(
                'A signal needs frames, height, width and channels of at '
                f'least one, got the shape {_plain(self.shape)}.'
            )
        self.shape = _plain(self.shape)
        if self.max_value not in MAX_VALUES:
            raise ValueError(f'max_value is 255, 65535 or 1, not {self.max_value}.')
        if not 0 < self.fps < math.inf:
            raise ValueError(f'The frames per second must be positive, got {self.fps}.')

    def _check_values(self) -> None:
        low, high = (value.item() for value in self.data.aminmax())
        if not np.isfinite([low, high]).all():  # NaN is passed on, too
            bad = (~torch.isfinite(self.data)).sum().item()
            raise ValueError(
                f'{bad} values of the input are NaN or infinite: replace them before fitting.'
            )
        if low < 0 or high > 1:
            raise ValueError(
                'Floating-point pixels lie in [0, 1] and the input has '
                f'{low:g} to {high:g}: scale them first.'
            )

    @classmethod
    def from_array(cls, array: np.ndarray, fps: float = 24) -> 'Signal':
        """Wrap an array.

        Args:
            array (np.ndarray): Shape ``(H, W)``, ``(H, W, C)`` or
                ``(T, H, W, C)``: uint8, uint16, or floating-point in [0, 1].
            fps (float): Frames per second. Defaults to 24.

        Raises:
            ValueError: If the type, the number of axes or of channels is
                another, or a value is NaN, infinite or outside.
        """
        limits = {'uint8': 255, 'uint16': 65535}
        if array.dtype.kind == 'f':
            array = array.astype(np.float32, copy=False)
        elif array.dtype.name not in limits:
            raise ValueError(
                f'Pixels of type {array.dtype} are not supported: give uint8, '
                'uint16 or floating-point in [0, 1].'
            )
        limit = limits.get(array.dtype.name, 1)
        if array.dtype == np.uint16:
            array = array.astype(np.int32)  # torch computes little in uint16
        if array.ndim == 2:
            array = array[..., None]
        if array.ndim == 3:
            array = array[None]
        if array.ndim != 4 or array.shape[-1] not in (1, 3, 4):
            raise ValueError(
                f'An array of shape {array.shape} is no image or video: give '
                '(H, W), (H, W, C) or (T, H, W, C) with 1, 3 or 4 channels.'
            )
        return cls(torch.from_numpy(np.ascontiguousarray(array)), None, limit, fps)

    def array(self) -> np.ndarray:
        """Copy the pixels ``(T, H, W, C)`` to uint8, uint16 or float32."""
        array = self.data.cpu().numpy()
        return array.astype(np.uint16) if self.max_value == 65535 else array


def load_signal(
    path: str | Path,
    size: Sequence[int] | None = None,
    crop: Sequence[int] | None = None,
    frames: int | None = None,
    stride: int = 1,
) -> Signal:
    """Read an image, an animation, a folder of frames or a video.

    Args:
        path (str | Path): An image (gray, RGB, RGBA, 16-bit or
            floating-point), an animation (GIF, WebP, APNG, AVIF, TIFF of
            several pages), a folder whose images are the frames in the order
            of the numbers in their names, or a video file (by PyAV).
        size (Sequence[int], optional): Height and width to shrink or enlarge
            the (cropped) frames to, by area averages or bicubic
            interpolation. Defaults to None, as they are.
        crop (Sequence[int], optional): Top, left, height and width in pixels
            of the file; taken before ``size``. Defaults to None, all.
        frames (int, optional): Read at most so many frames.
            Defaults to None, all.
        stride (int): Take every so many frames. Defaults to 1.

    Returns:
        Signal: The frames, on the CPU.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If it is no image or video, is damaged or cut short, has no
            pixels or no frames, frames of several sizes or values that are
            NaN, infinite or, floating-point ones, outside [0, 1].
        MemoryError: If it does not fit into the memory.
    """
    source = _open(path, size, frames, stride)
    kept: list[np.ndarray] = []
    first = None
    for name, image in source.frames:
        first = first or (image.shape, image.dtype, name)
        if (image.shape, image.dtype) != first[:2]:
            raise ValueError(
                f'The frames in {path} differ: {first[2]} is '
                f'{_describe(first[0])}, {name} is {_describe(image.shape)}; '
                'give frames of one size, type and number of channels.'
            )
        if crop is not None:
            image = cropped(image, crop, str(path))
        if not kept:
            _check_kept(Path(path), image, size, source.count)
        kept.append(image if size is None else resized(image, size))
    if not kept:
        raise ValueError(f'{path} has no frames.')
    return Signal.from_array(np.stack(kept), source.fps)


def find_shape(
    path: str | Path,
    size: Sequence[int] | None = None,
    crop: Sequence[int] | None = None,
    frames: int | None = None,
    stride: int = 1,
) -> tuple[int, int, int, int]:
    """Find the shape of a signal by its first frame.

    Args:
        path (str | Path): As of :func:`load_signal`, with all that follows.
        size (Sequence[int], optional): Height and width. Defaults to None.
        crop (Sequence[int], optional): Part of the frames. Defaults to None.
        frames (int, optional): At most so many frames. Defaults to None.
        stride (int): Every so many frames. Defaults to 1.

    Returns:
        tuple[int]: Frames, height, width and channels.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If the first frame cannot be read.
    """
    source = _open(path, size, frames, stride)
    _, image = next(source.frames)
    if crop is not None:
        image = cropped(image, crop, str(path))
    height, width = size or image.shape[:2]
    return source.count, height, width, image.shape[2]


def _open(path: str | Path, size: Sequence[int] | None, frames: int | None, stride: int) -> Source:
    path = need_input(path)
    if stride < 1 or (frames is not None and frames < 1):
        raise ValueError(
            f'frames and stride must be at least 1, got frames={frames}, stride={stride}.'
        )
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ValueError(f'size is a height and a width, got {tuple(size)}.')
    return open_source(path, frames, stride)


def _check_kept(path: Path, image: np.ndarray, size: Sequence[int] | None, count: int) -> None:
    """Refuse frames that do not fit as they are kept.

    Args:
        path (Path): The file or folder that they are of.
        image (np.ndarray): The first of them, cropped.
        size (Sequence[int], optional): Height and width that it will have.
        count (int): Number of frames.
    """
    height, width = size or image.shape[:2]
    frame = height * width * image.shape[2] * image.itemsize
    # this one is there already, unless it gets another size
    new = count - ((height, width) == image.shape[:2])
    # stacked to one array; 16 bits are then made 32
    copies = 3 if image.dtype == np.uint16 else 1
    fewer = '' if count == 1 else 'fewer --frames, '
    need_memory(
        (new + copies * count) * frame,
        f'Keeping {count} frame(s) of {width} x {height} of {path}',
        f'give {fewer}a --crop or a smaller --size',
    )


def _describe(shape: Sequence[int]) -> str:
    return f'{shape[1]} x {shape[0]} with {shape[2]} channel(s)'


def _plain(shape: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if shape is None else tuple(int(n) for n in shape)
