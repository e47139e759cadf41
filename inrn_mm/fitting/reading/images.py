"""Image files, read exactly or not at all.

Pillow reads what has 8 bits. It cuts other pictures to 8 bits without a word;
how many a file has is therefore read from the file, and OpenCV decodes the
deeper ones.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from . import tiff
from .checks import UnreadableImage, check_read, readable
from .orientation import oriented
from .rate import Timed, Timing, timing_of

# Formats of Pillow whose depth is known here.
FORMATS = (
    'AVIF',
    'BMP',
    'DIB',
    'GIF',
    'JPEG',
    'JPEG2000',
    'MPO',
    'PNG',
    'PPM',
    'TGA',
    'TIFF',
    'WEBP',
)
ORIENTATION = 0x0112  # Exif's tag
NETPBM = re.compile(rb'P([2356])' + 3 * rb'(?:\s|#[^\r\n]*[\r\n])+(\d+)' + rb'\s')


def read_image(path: Path) -> np.ndarray:
    """Read a file with one picture.

    Args:
        path (Path): The file.

    Returns:
        np.ndarray: ``(H, W, C)``: uint8, uint16 or float32; C is 1, 3 or 4.

    Raises:
        ValueError: If it is no image, cut short, of several pictures, or of a
            kind that is not read exactly.
        MemoryError: If it does not fit into the memory.
    """
    with readable(path):
        pages = tiff.read_pages(path)
        if pages and tiff.is_deep(pages[0]):
            return tiff.read_deep(path, 0, pages[0])
        with _opened(path) as image:
            number = _count(image, path)
            if number > 1:
                raise UnreadableImage(
                    f'{path} holds {number} pictures where one is wanted: write them into files '
                    'of their own, or give the file by itself as a video.'
                )
            deep = _read_deep(path, image)
            return _read_8_bits(image) if deep is None else deep


def count_frames(path: Path) -> int:
    """Count the pictures of an image file: above one, it is an animation.

    Args:
        path (Path): The file.

    Returns:
        int: The pictures to be shown one after the other.

    Raises:
        ValueError: If it is no image, or of a kind that is not read exactly.
    """
    with readable(path):
        pages = tiff.read_pages(path)
        if pages:
            return len(tiff.shown(pages))
        with _opened(path) as image:
            return _count(image, path)


def read_animation(path: Path) -> tuple[Iterator[Timed], Timing]:
    """Read an animation: GIF, WebP, APNG, AVIF or TIFF of several pages.

    Args:
        path (Path): The file.

    Returns:
        tuple[Iterator[tuple[float, np.ndarray]], Timing]: When each picture
        is shown, its pixels, as of :func:`read_image` and all with as many
        channels, and their rate; pages of a TIFF are shown at 24 per second.

    Raises:
        ValueError: As of :func:`read_image`.
    """
    with readable(path):
        pages = tiff.read_pages(path)
        if pages:
            numbers = tiff.shown(pages)
            timing = Timing(1 / 24, len(numbers))
            deep = [tiff.is_deep(pages[number]) for number in numbers]
            if any(deep):
                if not all(deep):
                    raise UnreadableImage(
                        f'{path} has pages of 8 bits and of more: write all of them with the same.'
                    )
                return enumerate(_deep_pages(path, pages, numbers)), timing
            return enumerate(_frames(path, numbers)), timing
        with _opened(path) as image:
            numbers, ends = _numbers(image), [0.0]
            for number in numbers:
                image.seek(number)
                image.load()
                # browsers show frames without a time so long
                ends.append(ends[-1] + (image.info.get('duration') or 100) / 1000)
    timing = timing_of(ends[:-1], ends[1], ends[-1])
    return zip(ends, _frames(path, numbers)), timing


def _frames(path: Path, numbers: list[int]) -> Iterator[np.ndarray]:
    """Yield pictures of 8 bits; all have alpha if one has."""
    with readable(path), _opened(path) as image:
        modes = set()
        for number in numbers:
            image.seek(number)
            image.load()
            modes.add(_mode(image))
        alpha, colour = 'RGBA' in modes, modes != {'L'}
        for number in numbers:
            image.seek(number)
            yield _read_8_bits(image, 'RGBA' if alpha else 'RGB' if colour else 'L')


def _deep_pages(path: Path, pages: list, numbers: list[int]) -> Iterator[np.ndarray]:
    for number in numbers:
        with readable(path):
            page = pages[number]
            yield tiff.read_deep(path, number, page)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator:
    """Open a file by Pillow, whose limit against bombs gives way to ours."""
    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(path) as image:
            if image.format not in FORMATS:
                raise UnreadableImage(
                    f'{path} is a {image.format} file, whose pixels are not read exactly: save it '
                    'as PNG or TIFF.'
                )
            check_read(path, image.size, len(image.getbands()), 2 if _is_deep(image, path) else 1)
            yield image
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _numbers(image) -> list[int]:
    """Number the frames of an animation."""
    # the other picture of a photograph is its preview or gain map
    count = 1 if image.format == 'MPO' else getattr(image, 'n_frames', 1)
    # APNG: for programs that know no animations
    return list(range(1 if image.info.get('default_image') and count > 1 else 0, count))


def _count(image, path: Path) -> int:
    count = len(_numbers(image))
    if count > 1 and _is_deep(image, path):
        raise UnreadableImage(
            f'{path} is an animation of more than 8 bits, which is not read: save its frames as '
            'PNG files in a folder.'
        )
    return count


def _is_deep(image, path: Path) -> bool:
    """Tell whether a file has more than 8 bits; Pillow's mode does not."""
    if image.format == 'PPM':
        found = NETPBM.match(_head(path))
        return int(found[4]) > 255 if found else image.mode == 'F'
    if image.format == 'PNG':
        return _head(path)[24] == 16
    if image.format in ('JPEG2000', 'AVIF'):
        return _coded_bits(_head(path)) > 8
    return image.mode in ('I', 'F') or image.mode.startswith('I;')


def _head(path: Path) -> bytes:
    with open(path, 'rb') as file:
        return file.read(2**16)


def _coded_bits(head: bytes) -> int:
    """Read the bits of a channel that a JPEG 2000 or AVIF file states."""
    size = head.find(b'\xff\x4f\xff\x51')  # JPEG 2000: Ssiz of the first component
    if size >= 0:
        return (head[size + 42] & 0x7F) + 1
    config = head.find(b'av1C')
    return 10 if config >= 0 and head[config + 6] & 0x40 else 8


def _read_deep(path: Path, image) -> np.ndarray | None:
    """Read a picture of more than 8 bits; None if it has 8."""
    if not _is_deep(image, path):
        return None
    if image.format == 'PPM' and image.mode != 'F':  # F is PFM
        return _read_netpbm(path)
    if image.format != 'PNG':
        raise UnreadableImage(
            f'{path} is a {image.format} file of more than 8 bits, which is not read exactly: '
            'save it as PNG or TIFF.'
        )
    import cv2

    image.load()  # Pillow notices what is cut short, and finds Exif at the end
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise OSError('not decoded by OpenCV')
    pixels = tiff.to_rgb(pixels)
    hidden = image.info.get('transparency')
    if hidden is not None and pixels.shape[2] < 4:
        shown = (pixels != np.array(hidden)).any(2, keepdims=True)
        colours = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
        pixels = np.concatenate([colours, shown * np.uint16(65535)], 2)
    return oriented(pixels, image.getexif().get(ORIENTATION, 1))


def _read_netpbm(path: Path) -> np.ndarray:
    """Read PGM or PPM, whose largest value is any number, in 16 bits."""
    data = path.read_bytes()
    head = NETPBM.match(data)
    kind, width, height, largest = (int(number) for number in head.groups())
    channels = 3 if kind in (3, 6) else 1
    count = width * height * channels
    if kind > 3:
        values = np.frombuffer(data, '>u2', count, head.end())
    else:
        words = re.sub(rb'#[^\r\n]*', b'', data[head.end() :]).split()
        values = np.array(words[:count], np.int64)
    if len(values) < count or values.max() > largest > 0 or largest > 65535:
        raise OSError('values that the header does not allow')
    scaled = (values.astype(np.uint64) * 65535 + largest // 2) // largest
    return scaled.astype(np.uint16).reshape(height, width, channels)


def _read_8_bits(image, mode: str | None = None) -> np.ndarray:
    """Read the picture that Pillow has open."""
    image.load()
    mode = mode or _mode(image)
    if image.mode == 'La':  # premultiplied, and made nothing else of
        image = image.convert('LA')
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    # Pillow turns TIFFs as it loads them, and then has no tag any more
    return oriented(pixels, image.getexif().get(ORIENTATION, 1))


def _mode(image) -> str:
    """Find the mode of 8 bits that keeps what a picture has."""
    alpha = bool({'A', 'a'} & set(image.getbands())) or 'transparency' in image.info
    if image.mode in ('L', '1'):
        return 'RGBA' if alpha else 'L'
    return 'RGBA' if alpha else 'RGB'
