"""Pictures and videos as files, each written whole or not at all."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from .reading import IMAGES, VIDEOS

# Of x264: near enough to lossless that the fit is judged and not the video.
QUALITY = 12


def write_image(path: str | Path, pixels: np.ndarray) -> None:
    """Write a picture; the ending of the name says how.

    Args:
        path (str | Path): For example ``out.png``.
        pixels (np.ndarray): Shape ``(H, W, C)`` of 1, 3 (RGB) or 4 channels:
            uint8, uint16 (PNG and TIFF) or float32 (TIFF).

    Raises:
        ValueError: If the format cannot hold that.
    """
    import cv2

    path = Path(path)
    if pixels.ndim == 3 and pixels.shape[2] > 1:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    suffix = path.suffix.lower()
    deep = pixels.dtype != np.uint8
    allowed = {np.dtype('uint16'): ('.png', '.tif', '.tiff')}.get(pixels.dtype, ('.tif', '.tiff'))
    if suffix not in (allowed if deep else IMAGES):
        raise ValueError(
            f'{path} cannot be written: pixels of {pixels.dtype} go into '
            f'{", ".join(allowed if deep else IMAGES)}.'
        )
    with whole(path) as part:
        try:
            written = cv2.imwrite(str(part), np.ascontiguousarray(pixels))
        except cv2.error:
            written = False
        if not written:
            raise ValueError(
                f'{path} cannot be written with {pixels.shape[2]} channels of '
                f'{pixels.dtype} by OpenCV: use a name ending in '
                f'{".tiff" if pixels.dtype.kind == "f" else ".png"}.'
            )


def write_frames(folder: str | Path, frames: Iterable[np.ndarray], suffix: str = '.png') -> None:
    """Write frames as numbered pictures, ``f00001.png`` and on.

    Args:
        folder (str | Path): Made if need be.
        frames (Iterable[np.ndarray]): See :func:`write_image`.
        suffix (str): Defaults to ``'.png'``.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(frames, 1):
        kind = '.tiff' if pixels.dtype == np.float32 else suffix
        write_image(Path(folder) / f'f{i:05d}{kind}', pixels)


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: float,
    codec: str = 'libx264',
    quality: int = QUALITY,
    preset: str = 'medium',
) -> None:
    """Write frames as a video, by PyAV.

    Args:
        path (str | Path): For example ``out.mp4``.
        frames (Iterable[np.ndarray]): Shape ``(H, W, C)``, in 8 bits or to be
            rounded to them; alpha is left out.
        fps (float): Frames per second.
        codec (str): ``'libx264'`` or ``'libx265'``. Defaults to the former.
        quality (int): Constant rate factor, 0 (best) to 51.
            Defaults to 12.
        preset (str): Of the encoder. Defaults to ``'medium'``.

    Raises:
        ImportError: Without PyAV.
    """
    try:
        import av
    except ImportError:
        raise ImportError(
            'Writing a video needs PyAV: pip install av, or name a folder for frames instead.'
        ) from None
    with whole(path) as part, av.open(str(part), 'w') as container:
        stream = None
        for pixels in frames:
            pixels = to_rgb8(pixels)
            if stream is None:
                stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
                stream.height, stream.width = pixels.shape[:2]
                # 4:2:0, which everything plays, has only even sides
                odd = any(side % 2 for side in pixels.shape[:2])
                stream.pix_fmt = 'yuv444p' if odd else 'yuv420p'
                stream.options = dict(crf=str(quality), preset=preset)
                if codec == 'libx265':
                    stream.options |= {'x265-params': 'log-level=error'}
            picture = av.VideoFrame.from_ndarray(pixels, format='rgb24')
            container.mux(stream.encode(picture))
        if stream is not None:
            container.mux(stream.encode())


def to_rgb8(pixels: np.ndarray) -> np.ndarray:
    """Any pixels as uint8 RGB of shape ``(H, W, 3)``, without alpha."""
    if pixels.dtype == np.uint16:
        pixels = np.round(pixels / 257).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        pixels = np.round(pixels.clip(0, 1) * 255).astype(np.uint8)
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, 2)
    return np.ascontiguousarray(pixels[..., :3])


def is_video(path: str | Path) -> bool:
    """bool: Whether the name ends like a video's."""
    return Path(path).suffix.lower() in VIDEOS


def is_image(path: str | Path) -> bool:
    """bool: Whether the name ends like a picture's."""
    return Path(path).suffix.lower() in IMAGES


@contextlib.contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A name beside ``path`` that becomes ``path`` if all goes well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # the writers look at the ending
    part = path.with_name(f'.{path.stem}.part{path.suffix}')
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
