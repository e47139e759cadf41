"""The image or video that a network is fitted to."""
import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from torch import Tensor

IMAGES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp', '.tif', '.tiff', '.ppm',
          '.pgm', '.exr', '.gif')
VIDEOS = ('.mp4', '.mkv', '.mov', '.avi', '.webm', '.m4v', '.y4m', '.mpg',
          '.mpeg', '.ts')
Box = Tuple[int, int, int, int]


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
        ValueError: If there are no pixels, or some are NaN or infinite.
    """

    data: Optional[Tensor] = None
    shape: Optional[Sequence[int]] = None
    max_value: float = 255
    fps: float = 24

    def __post_init__(self) -> None:
        if self.data is not None:
            self.shape = self.data.shape
            if self.data.is_floating_point() and not torch.isfinite(
                    self.data).all():
                bad = (~torch.isfinite(self.data)).sum().item()
                raise ValueError(
                    f'{bad} values of the input are NaN or infinite: replace '
                    'them before fitting.')
        if self.shape is None or len(self.shape) != 4 or min(self.shape) < 1:
            raise ValueError(
                'A signal needs frames, height, width and channels of at '
                f'least one, got the shape {_plain(self.shape)}.')
        self.shape = _plain(self.shape)

    @classmethod
    def from_array(cls, array: np.ndarray, fps: float = 24) -> 'Signal':
        """Wrap an array.

        Args:
            array (np.ndarray): Shape ``(H, W)``, ``(H, W, C)`` or
                ``(T, H, W, C)``: uint8, uint16, or floating-point in [0, 1].
            fps (float): Frames per second. Defaults to 24.

        Raises:
            ValueError: If the type, the number of axes or of channels is
                another, or a value is NaN or infinite.
        """
        limits = {'uint8': 255, 'uint16': 65535}
        if array.dtype.kind == 'f':
            array = array.astype(np.float32)
        elif array.dtype.name not in limits:
            raise ValueError(
                f'Pixels of type {array.dtype} are not supported: give uint8, '
                'uint16 or floating-point in [0, 1].')
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
                '(H, W), (H, W, C) or (T, H, W, C) with 1, 3 or 4 channels.')
        return cls(
            torch.from_numpy(np.ascontiguousarray(array)), None, limit, fps)

    def array(self) -> np.ndarray:
        """The pixels ``(T, H, W, C)`` as uint8, uint16 or float32."""
        array = self.data.cpu().numpy()
        return array.astype(np.uint16) if self.max_value == 65535 else array


def load_signal(path: Union[str, Path],
                size: Optional[Sequence[int]] = None,
                crop: Optional[Sequence[int]] = None,
                frames: Optional[int] = None,
                stride: int = 1) -> Signal:
    """Read an image, a folder of frames or a video.

    Args:
        path (str | Path): An image (gray, RGB, RGBA, 16-bit or
            floating-point), a folder whose images are the frames in the order
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
        Signal: On the CPU.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If it is no image or video, has no pixels or no frames,
            frames of several sizes or values that are NaN or infinite.
        MemoryError: If it does not fit into the memory.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f'The input {path} does not exist (looked for {path.absolute()}): '
            'give an image, a folder of frames or a video.')
    if stride < 1 or (frames is not None and frames < 1):
        raise ValueError('frames and stride must be at least 1, got '
                         f'frames={frames}, stride={stride}.')
    fps = 24.
    if path.is_dir():
        files = frame_files(path)[::stride][:frames]
        _check_frames_fit(files, size)
        images = (read_image(file) for file in files)
        names: Iterator = iter(file.name for file in files)
    elif path.suffix.lower() in VIDEOS:
        fps, images = _open_video(path, stride, frames)
        names = iter(lambda: 'a frame', None)
    else:
        images, names = iter([read_image(path)]), iter([path.name])
    kept: List[np.ndarray] = []
    first = None
    for image, name in zip(images, names):
        first = first or (image.shape, image.dtype, name)
        if (image.shape, image.dtype) != first[:2]:
            raise ValueError(
                f'The frames in {path} differ: {first[2]} is '
                f'{_describe(first[0])}, {name} is {_describe(image.shape)}; '
                'give frames of one size, type and number of channels.')
        kept.append(_resized(_cropped(image, crop, path), size))
    if not kept:
        raise ValueError(f'{path} has no frames.')
    signal = Signal.from_array(np.stack(kept), fps / stride)
    return signal


def read_image(path: Path) -> np.ndarray:
    """Read one image file.

    Returns:
        np.ndarray: ``(H, W, C)``: uint8, uint16 or float32.

    Raises:
        ValueError: If it is no image.
        MemoryError: If it does not fit into the memory.
    """
    import cv2
    from PIL import Image, ImageOps, UnidentifiedImageError
    try:
        with _any_size(Image), Image.open(path) as image:
            width, height = image.size
            _check_memory(width * height * 4, f'{path} ({width} x {height})')
            # PIL would cut 16-bit RGB to 8 bits
            deep = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) \
                if image.format in ('PNG', 'TIFF', 'PPM') else None
            if deep is not None and deep.dtype != np.uint8:
                return _to_rgb(deep)
            image = ImageOps.exif_transpose(image)
            image = image.convert(_mode(image))
            array = np.asarray(image)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(
            f'{path} is not an image that can be read, or is cut short '
            f'({type(error).__name__}): give an image, a folder of frames or '
            f"a video ({', '.join(VIDEOS)}).") from error
    return array[..., None] if array.ndim == 2 else array


def frame_files(folder: Path) -> List[Path]:
    """The images in a folder, in the order of the numbers in their names.

    Raises:
        ValueError: If there are none.
    """
    files = [
        file for file in folder.iterdir()
        if file.suffix.lower() in IMAGES and not file.name.startswith('.')
    ]
    if not files:
        raise ValueError(
            f"The folder {folder} has no frames: none of its files is an "
            f"image ({', '.join(IMAGES)}).")
    return sorted(
        files,
        key=lambda file:
        [int(s) if s.isdigit() else s for s in re.split(r'(\d+)', file.name)])


def free_memory(device: Union[str, torch.device] = 'cpu') -> int:
    """Bytes that can still be allocated on a device."""
    device = torch.device(device)
    if device.type == 'cuda':
        cached = torch.cuda.memory_reserved(
            device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    import psutil
    return psutil.virtual_memory().available


def _mode(image) -> str:
    """PIL's mode, of those with 8 bits, that keeps what an image has."""
    alpha = 'A' in image.getbands() or 'transparency' in image.info
    if image.mode in ('L', '1'):
        return 'RGBA' if alpha else 'L'
    return 'RGBA' if alpha else 'RGB'


def _to_rgb(image: np.ndarray) -> np.ndarray:
    """OpenCV's order of channels to ours."""
    if image.ndim == 2:
        return image[..., None]
    return image[..., [2, 1, 0, 3][:image.shape[-1]]]


def _open_video(path: Path, stride: int,
                frames: Optional[int]) -> Tuple[float, Iterator[np.ndarray]]:
    """Frames per second and the frames of a video file."""
    try:
        import av
    except ImportError as error:
        raise ImportError('Reading a video needs PyAV: pip install av, or '
                          'give a folder of frames.') from error
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            fps = float(stream.average_rate or 24)
            count = -(-(stream.frames or 0) // stride)
            count = min(count, frames or count)
            _check_memory(count * stream.width * stream.height * 3,
                          f'{path} ({count} frames)')
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f'{path} is not a video that can be read '
                         f'({type(error).__name__}).') from error

    def decoded() -> Iterator[np.ndarray]:
        with av.open(str(path)) as container:
            for i, frame in enumerate(container.decode(video=0)):
                if frames is not None and i >= frames * stride:
                    return
                if i % stride == 0:
                    yield frame.to_ndarray(format='rgb24')

    return fps, decoded()


def _cropped(image: np.ndarray, crop: Optional[Sequence[int]],
             path: Path) -> np.ndarray:
    if crop is None:
        return image
    top, left, height, width = crop
    if min(crop) < 0 or min(height, width) < 1 or (
            top + height > image.shape[0]) or left + width > image.shape[1]:
        raise ValueError(
            f'The crop (top, left, height, width) = {tuple(crop)} is not '
            f'inside {path}, which is {_describe(image.shape)}.')
    return image[top:top + height, left:left + width]


def _resized(image: np.ndarray, size: Optional[Sequence[int]]) -> np.ndarray:
    if size is None or tuple(size) == image.shape[:2]:
        return image
    import cv2
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f'size is a height and a width, got {tuple(size)}.')
    shrink = size[0] <= image.shape[0] and size[1] <= image.shape[1]
    out = cv2.resize(
        image, (size[1], size[0]),
        interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC)
    return out[..., None] if out.ndim == 2 else out


def _check_frames_fit(files: Sequence[Path],
                      size: Optional[Sequence[int]]) -> None:
    """Estimate a folder's memory from its first frame."""
    height, width = size or read_image(files[0]).shape[:2]
    _check_memory(
        len(files) * height * width * 3, f'{files[0].parent} ({len(files)} '
        f'frames of {width} x {height})')


def _check_memory(size: int, what: str) -> None:
    # the frames, and once more the array they are stacked to
    needed, free = 2 * size, free_memory()
    if needed > free:
        raise MemoryError(
            f'Reading {what} takes {needed / 2**30:.1f} GiB and '
            f'{free / 2**30:.1f} GiB are free: read a part of it (crop=, '
            'frames=) or a smaller size (size=).')


@contextlib.contextmanager
def _any_size(module) -> Iterator[None]:
    """PIL's limit against decompression bombs gives way to ours."""
    limit, module.MAX_IMAGE_PIXELS = module.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        module.MAX_IMAGE_PIXELS = limit


def _describe(shape: Sequence[int]) -> str:
    return f'{shape[1]} x {shape[0]} with {shape[2]} channel(s)'


def _plain(shape: Optional[Sequence[int]]) -> Optional[Tuple[int, ...]]:
    return None if shape is None else tuple(int(n) for n in shape)
