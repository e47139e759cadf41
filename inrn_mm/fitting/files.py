"""Pictures and videos as files, each written whole or not at all."""

import itertools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..utils.whole_file import whole_file
from .reading import IMAGES, VIDEOS

# Of x264: near enough to lossless that the fit is judged and not the video.
QUALITY = 12
# Encoders of containers that do not take x264's.
CODECS = {'.webm': 'libvpx-vp9', '.y4m': 'rawvideo'}
UNWRITTEN = ('.mpg', '.mpeg')  # read only
FPS = 0.001, 10_000


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
    with whole_file(path) as part:
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


def check_video(path: str | Path, fps: float) -> None:
    """Refuse what cannot be written as a video, before there are frames.

    Args:
        path (str | Path): Name of the video.
        fps (float): Frames per second.

    Raises:
        ImportError: Without PyAV.
        ValueError: If the name's ending or the rate will not do.
    """
    try:
        import av  # noqa: F401
    except ImportError:
        raise ImportError(
            'Writing a video needs PyAV: pip install av, or name a folder for frames instead.'
        ) from None
    if Path(path).suffix.lower() in UNWRITTEN:
        raise ValueError(f'{path} cannot be written: end the name in .mp4, .mkv, .webm or .y4m.')
    if not FPS[0] <= fps <= FPS[1]:
        raise ValueError(
            f'A video of {fps:g} frames per second cannot be written: choose {FPS[0]:g} to '
            f'{FPS[1]:g}.'
        )


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: float,
    codec: str | None = None,
    quality: int = QUALITY,
    preset: str = 'medium',
) -> None:
    """Write frames as a video, by PyAV.

    Args:
        path (str | Path): For example ``out.mp4``.
        frames (Iterable[np.ndarray]): Shape ``(H, W, C)``, in 8 bits or to be
            rounded to them; alpha is left out.
        fps (float): Frames per second.
        codec (str, optional): FFmpeg's encoder. Defaults to None:
            :data:`CODECS` by the ending, else ``'libx264'``.
        quality (int): Constant rate factor, 0 (best) to 51.
            Defaults to 12.
        preset (str): Preset of x264 and x265. Defaults to ``'medium'``.

    Raises:
        ImportError: Without PyAV.
        ValueError: See :func:`check_video`, or if FFmpeg refuses.
    """
    check_video(path, fps)
    import av

    codec = codec or CODECS.get(Path(path).suffix.lower(), 'libx264')
    rate = max(Fraction(fps).limit_denominator(1001), Fraction(1, 1001))
    frames = iter(frames)
    first = next(frames, None)
    try:
        with whole_file(path) as part, av.open(str(part), 'w') as container:
            if first is None:
                return
            stream = container.add_stream(codec, rate=rate)
            stream.height, stream.width = first.shape[:2]
            _configure(stream, codec, quality, preset)
            for pixels in itertools.chain([first], frames):
                picture = av.VideoFrame.from_ndarray(to_rgb8(pixels), format='rgb24')
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
    except av.FFmpegError as error:
        raise ValueError(
            f'{path} cannot be written by FFmpeg ({error}): give another name, or a folder for '
            'frames.'
        ) from error


def _configure(stream, codec: str, quality: int, preset: str) -> None:
    """Choose the colours and options of an encoder."""
    # 4:2:0, which everything plays, has only even sides
    odd = stream.height % 2 or stream.width % 2
    stream.pix_fmt = 'yuv444p' if odd or codec == 'rawvideo' else 'yuv420p'
    if codec == 'libvpx-vp9':
        stream.bit_rate = 0  # else the factor is only a bound
        stream.options = dict(crf=str(quality))
    elif codec != 'rawvideo':
        stream.options = dict(crf=str(quality), preset=preset)
    if codec == 'libx265':
        stream.options |= {'x265-params': 'log-level=error'}


def to_rgb8(pixels: np.ndarray) -> np.ndarray:
    """Convert pixels to uint8 RGB of shape ``(H, W, 3)``, without alpha."""
    if pixels.dtype == np.uint16:
        pixels = np.round(pixels / 257).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        pixels = np.round(pixels.clip(0, 1) * 255).astype(np.uint8)
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, 2)
    return np.ascontiguousarray(pixels[..., :3])


def is_video(path: str | Path) -> bool:
    """Tell whether a name ends like a video's."""
    return Path(path).suffix.lower() in VIDEOS


def is_image(path: str | Path) -> bool:
    """Tell whether a name ends like a picture's."""
    return Path(path).suffix.lower() in IMAGES
