"""Rate and quality of JPEG for images, of H.264 and H.265 for videos."""

import io
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from inrn_mm.fitting.files import to_rgb8, write_video
from inrn_mm.fitting.measure import Meter
from inrn_mm.fitting.signal import Signal, load_signal

JPEG_QUALITIES = (2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
RATE_FACTORS = (48, 44, 40, 36, 32, 28, 24, 20, 16)


def jpeg_points(target: Signal, qualities: Sequence[int] = JPEG_QUALITIES) -> list[dict]:
    """Measure rate and quality of JPEG, by Pillow, with optimised Huffman tables.

    Args:
        target (Signal): An image; in 8 bits, without alpha.
        qualities (Sequence[int]): Pillow's.

    Returns:
        list[dict]: ``setting``, ``bytes``, ``bits_per_pixel`` and the
        metrics.
    """
    from PIL import Image

    pixels = target.array()[0]
    picture = pixels[..., 0] if pixels.shape[2] == 1 else to_rgb8(pixels)
    points = []
    for quality in qualities:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, 'JPEG', quality=quality, optimize=True)
        with Image.open(buffer) as image:
            decoded = np.asarray(image)
        decoded = decoded[..., None] if decoded.ndim == 2 else decoded
        points.append(_point(f'quality {quality}', len(buffer.getvalue()), [decoded], target))
    return points


def video_points(
    target: Signal, codec: str, factors: Sequence[int] = RATE_FACTORS, preset: str = 'medium'
) -> list[dict]:
    """Measure rate and quality of a video codec; see :func:`jpeg_points`.

    Args:
        target (Signal): A video.
        codec (str): ``'libx264'`` or ``'libx265'``.
        factors (Sequence[int]): Constant rate factors.
        preset (str): Preset of the encoder. Defaults to ``'medium'``.
    """
    points = []
    with TemporaryDirectory() as folder:
        for factor in factors:
            path = Path(folder) / f'{codec}_{factor}.mp4'
            write_video(
                path, iter(target.array()), target.fps, codec, quality=factor, preset=preset
            )
            decoded = load_signal(path).array()
            points.append(_point(f'crf {factor}', path.stat().st_size, decoded, target))
    return points


def check_plain(target: Signal) -> None:
    """Refuse what these codecs cannot be compared on.

    Raises:
        ValueError: If the input is not gray or RGB in 8 bits.
    """
    if target.max_value != 255 or target.shape[3] not in (1, 3):
        raise ValueError(
            'JPEG and H.264 hold gray or RGB in 8 bits; the input has '
            f'{target.shape[3]} channels of 0 to {target.max_value:g}: '
            'convert it first.'
        )


def _point(setting: str, size: int, frames: Sequence[np.ndarray], target: Signal) -> dict:
    meter = Meter(target)
    channels = target.shape[3]
    for _ in meter.watch(frame[..., :channels] for frame in frames):
        pass
    count, height, width, _ = target.shape
    return dict(
        setting=setting,
        bytes=size,
        bits_per_pixel=8 * size / (count * height * width),
        **meter.figures(),
    )
