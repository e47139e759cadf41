"""The image or video that a network is fitted to."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

IMAGES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp', '.tif', '.tiff', '.ppm', '.pgm', '.gif')
VIDEOS = ('.mp4', '.mkv', '.mov', '.avi', '.webm', '.m4v', '.y4m', '.mpg', '.mpeg', '.ts')
Box = tuple[int, int, int, int]


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
        ValueError: If there are no pixels, some are NaN or infinite, or
            floating-point ones outside [0, 1].
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
        """The pixels ``(T, H, W, C)`` as uint8, uint16 or float32."""
        array = self.data.cpu().numpy()
        return array.astype(np.uint16) if self.max_value == 65535 else array


def load_signal(
    path: str | Path,
    size: Sequence[int] | None = None,
    crop: Sequence[int] | None = None,
    frames: int | None = None,
    stride: int = 1,
) -> Signal:
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
        ValueError: If it is no image or video, is cut short, has no pixels or
            no frames, frames of several sizes or values that are NaN, infinite
            or, floating-point ones, outside [0, 1].
        MemoryError: If it does not fit into the memory.
    """
    path = need_input(path)
    if stride < 1 or (frames is not None and frames < 1):
        raise ValueError(
            f'frames and stride must be at least 1, got frames={frames}, stride={stride}.'
        )
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ValueError(f'size is a height and a width, got {tuple(size)}.')
    fps, count = 24.0, 1
    if path.is_dir():
        files = frame_files(path)[::stride][:frames]
        count = len(files)
        images = (read_image(file) for file in files)
        names: Iterator = iter(file.name for file in files)
    elif path.suffix.lower() in VIDEOS:
        fps, count = _open_video(path, stride, frames)
        images = _decoded(path, stride, frames)
        names = iter(lambda: 'a frame', None)
    else:
        images, names = iter([read_image(path)]), iter([path.name])
    kept: list[np.ndarray] = []
    first = None
    for image, name in zip(images, names):
        first = first or (image.shape, image.dtype, name)
        if (image.shape, image.dtype) != first[:2]:
            raise ValueError(
                f'The frames in {path} differ: {first[2]} is '
                f'{_describe(first[0])}, {name} is {_describe(image.shape)}; '
                'give frames of one size, type and number of channels.'
            )
        image = _cropped(image, crop, path)
        if not kept or not count:
            _check_kept(path, image, size, len(kept), count)
        kept.append(_resized(image, size))
    if not kept:
        raise ValueError(f'{path} has no frames.')
    signal = Signal.from_array(np.stack(kept), fps / stride)
    return signal


def need_input(path: str | Path) -> Path:
    """The path of an input that is there.

    Args:
        path (str | Path): Of an image, a folder or a video.

    Raises:
        FileNotFoundError: If there is nothing.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f'The input {path} does not exist (looked for {path.absolute()}): '
            'give an image, a folder of frames or a video.'
        )
    return path


def read_image(path: Path) -> np.ndarray:
    """Read one image file.

    Args:
        path (Path): Of the file.

    Returns:
        np.ndarray: ``(H, W, C)``: uint8, uint16 or float32.

    Raises:
        ValueError: If it is no image.
        MemoryError: If it does not fit into the memory.
    """
    import cv2

    try:
        array = _read_any(path)
    except (OSError, SyntaxError, cv2.error) as error:
        raise ValueError(
            f'{path} is not an image that can be read, or is cut short '
            f'({type(error).__name__}): give an image, a folder of frames or '
            f'a video ({", ".join(VIDEOS)}).'
        ) from error
    return array[..., None] if array.ndim == 2 else array


def _read_any(path: Path) -> np.ndarray:
    """By PIL, or, what has more than 8 bits, by OpenCV."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    with _any_size(Image):
        try:
            image = Image.open(path)
        except UnidentifiedImageError:
            deep = _read_float_tiff(path)
            if deep is None:
                raise
            return deep
        with image:
            # 16-bit RGB has an 8-bit mode, too, but not in the file
            item = 4 if image.mode in 'IF' else 1 + (';16' in str(image.tile))
            _check_read(path, image.size, len(image.getbands()), item)
            # PIL would cut 16-bit RGB to 8 bits; of PNG files it says which
            # are, and OpenCV refuses those of more than 2**30 pixels
            if image.format in ('TIFF', 'PPM') or (image.format == 'PNG' and item > 1):
                pixels = _read_deep(path)
                if pixels is not None:
                    return pixels
            ImageOps.exif_transpose(image, in_place=True)
            mode = _mode(image)
            return np.asarray(image if image.mode == mode else image.convert(mode))


def _read_deep(path: Path) -> np.ndarray | None:
    """By OpenCV; None if it has 8 bits or is not read."""
    import cv2

    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype == np.uint8:
        return None
    if pixels.dtype.kind == 'f':
        pixels = pixels.astype(np.float32, copy=False)
    return _to_rgb(pixels)


def _read_float_tiff(path: Path) -> np.ndarray | None:
    """Of the floating-point TIFFs PIL opens only gray ones; None if it is
    no TIFF, or cannot be read."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    with open(path, 'rb') as file:
        head = file.read(8)
        if head[:4] not in (b'II*\0', b'MM\0*') or len(head) < 8:
            return None
        tags = ImageFileDirectory_v2(head)
        file.seek(tags.next)
        tags.load(file)
    width, height, bits = (tags.get(number) for number in (256, 257, 258))
    if not (width and height and bits):
        return None
    _check_read(path, (width, height), len(bits), bits[0] // 8)
    return _read_deep(path)


def frame_files(folder: Path) -> list[Path]:
    """The images in a folder, in the order of the numbers in their names.

    Raises:
        ValueError: If there are none.
    """
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGES and not file.name.startswith('.')
    ]
    if not files:
        raise ValueError(
            f'The folder {folder} has no frames: none of its files is an '
            f'image ({", ".join(IMAGES)}).'
        )
    return sorted(
        files,
        key=lambda file: [int(s) if s.isdigit() else s for s in re.split(r'(\d+)', file.name)],
    )


def free_memory(device: str | torch.device = 'cpu') -> int:
    """Bytes that can still be allocated on a device."""
    device = torch.device(device)
    if device.type == 'cuda':
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
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
    # unlike an index, take() leaves the usual order in memory
    return image.take([2, 1, 0, 3][: image.shape[-1]], -1)


def _open_video(path: Path, stride: int, frames: int | None) -> tuple[float, int]:
    """Frames per second of a video file, and how many frames it will give; 0
    where it does not say."""
    try:
        import av
    except ImportError as error:
        raise ImportError(
            'Reading a video needs PyAV: pip install av, or give a folder of frames.'
        ) from error
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            count = -(-(stream.frames or 0) // stride)
            return float(stream.average_rate or 24), min(count, frames or count)
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(
            f'{path} is not a video that can be read, or is cut short ({type(error).__name__}).'
        ) from error


def _decoded(path: Path, stride: int, frames: int | None) -> Iterator[np.ndarray]:
    """The frames of a video file, to the end that its header names."""
    import av

    taken, end = 0, None
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            step = 1 / (stream.average_rate or 24)
            stated = _stated_end(stream, container.format.name)
            for i, frame in enumerate(container.decode(stream)):
                if i % stride == 0:
                    yield frame.to_ndarray(format='rgb24')
                    taken += 1
                    if taken == frames:
                        return
                if frame.pts is not None:
                    length = getattr(frame, 'duration', None)
                    end = frame.pts * stream.time_base + (
                        length * stream.time_base if length else step
                    )
    except av.FFmpegError as error:
        raise ValueError(
            f'{path} is cut short or damaged ({type(error).__name__}): {_cure(taken)}.'
        ) from error
    # the last frame's length is not always known
    if stated and end is not None and end < stated - 1.5 * step:
        raise ValueError(
            f'{path} is cut short, it ends at {float(end):.2f} of the '
            f'{float(stated):.2f} seconds that it states: {_cure(taken)}.'
        )


def _cure(taken: int) -> str:
    """What to do with a video of which so many frames can be read."""
    first = f', or take the first {taken} by --frames {taken}' if taken else ''
    return f'get it again{first}'


def _stated_end(stream, container: str) -> float | None:
    """When the last frame ends, in seconds, if a video's header says so."""
    start = (stream.start_time or 0) * stream.time_base
    if 'mp4' in container and stream.duration:
        # not its number of frames: an edit list may leave some out
        return start + stream.duration * stream.time_base
    if stream.frames and stream.average_rate:
        return start + stream.frames / stream.average_rate
    try:  # Matroska and WebM
        hours, minutes, seconds = stream.metadata['DURATION'].split(':')
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except (KeyError, ValueError):
        return None


def _cropped(image: np.ndarray, crop: Sequence[int] | None, path: Path) -> np.ndarray:
    if crop is None:
        return image
    top, left, height, width = crop
    if (
        min(crop) < 0
        or min(height, width) < 1
        or (top + height > image.shape[0])
        or left + width > image.shape[1]
    ):
        raise ValueError(
            f'The crop (top, left, height, width) = {tuple(crop)} is not '
            f'inside {path}, which is {_describe(image.shape)}.'
        )
    # a view would keep the whole frame
    return image[top : top + height, left : left + width].copy()


def _resized(image: np.ndarray, size: Sequence[int] | None) -> np.ndarray:
    if size is None or tuple(size) == image.shape[:2]:
        return image
    import cv2

    shrink = size[0] <= image.shape[0] and size[1] <= image.shape[1]
    out = cv2.resize(
        image, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
    )
    if out.dtype.kind == 'f':  # bicubic overshoots
        out = out.clip(image.min(), image.max())
    return out[..., None] if out.ndim == 2 else out


def _check_read(path: Path, size: Sequence[int], channels: int, item: int) -> None:
    """Refuse a file that cannot be held while it is read."""
    width, height = size
    # PIL has four bytes for a colour, and hands over two copies
    channels = 1 if channels == 1 else 4
    copies = 3 if item == 1 else 2
    _check_memory(
        copies * width * height * channels * item,
        f'Reading {path} ({width} x {height})',
        'cut or shrink the file first, since --crop and --size begin with all of it',
    )


def _check_kept(
    path: Path, image: np.ndarray, size: Sequence[int] | None, kept: int, count: int
) -> None:
    """Refuse frames that do not fit as they are kept.

    Args:
        path (Path): That they are of.
        image (np.ndarray): One of them, cropped.
        size (Sequence[int], optional): That it will have.
        kept (int): Frames that are in memory.
        count (int): Frames that will be; 0 if that is not known.
    """
    height, width = size or image.shape[:2]
    frame = height * width * image.shape[2] * image.itemsize
    number = count or kept + 1
    # this one is there already, unless it gets another size
    new = number - kept - ((height, width) == image.shape[:2])
    # stacked to one array; 16 bits are then made 32
    copies = 3 if image.dtype == np.uint16 else 1
    fewer = '' if count == 1 else 'fewer --frames, '
    _check_memory(
        (new + copies * number) * frame,
        f'Keeping {number} frame(s) of {width} x {height} of {path}',
        f'give {fewer}a --crop or a smaller --size',
    )


def _check_memory(needed: int, what: str, advice: str) -> None:
    free = free_memory()
    if needed > free:
        raise MemoryError(
            f'{what} takes {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free: {advice}.'
        )


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


def _plain(shape: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if shape is None else tuple(int(n) for n in shape)
