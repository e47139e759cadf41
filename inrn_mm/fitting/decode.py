"""Decoding for ``tools/decode.py``."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .codec import check_free, read_fit
from .files import check_video, is_image, is_video, write_frames, write_image, write_video
from .measure import open_fitter, pixels_of
from .memory import check_decoding


def decode_file(
    file: str,
    out: str,
    size: Sequence[int] | None = None,
    crop: Sequence[int] | None = None,
    frames: str | None = None,
    times: Sequence[float] | None = None,
    fps: float | None = None,
    device: str | None = None,
    force: bool = False,
) -> str:
    """Decode a compact file into pictures or a video.

    Args:
        file (str): The compact file.
        out (str): An image's name for one frame, a video's, or a folder.
        size (Sequence[int], optional): Height and width.
            Defaults to None, the input's.
        crop (Sequence[int], optional): Top, left, height and width, in pixels
            of ``size``. Defaults to None, all.
        frames (str, optional): A slice ``a:b`` or a number.
            Defaults to None, all.
        times (Sequence[float], optional): Instead, frame numbers that may be
            fractions. Defaults to None.
        fps (float, optional): Rate of a video. Defaults to None, the input's.
        device (str, optional): Defaults to None, the GPU if there is one.
        force (bool): Overwrite. Defaults to False.

    Returns:
        str: What was written, in words.

    Raises:
        ValueError: If the file is unusable, frames or crop are outside,
            several frames are to go into one image, or there are no such
            videos.
        FileExistsError: If ``out`` is there and ``force`` was not given.
        MemoryError: If a frame does not fit into the memory.
    """
    if not (is_image(out) or is_video(out)) and Path(out).suffix:
        raise ValueError(
            f'{out} is no name of an image, a video or a folder: end it in .png, .mp4 or /.'
        )
    check_free(out, force)
    if is_video(out):
        check_video(out, 24 if fps is None else fps)
    fit = read_fit(file)
    numbers = times if times is not None else select_frames(frames, fit.signal.shape[0])
    if is_image(out) and len(numbers) != 1:
        raise ValueError(
            f'{out} is one image and {len(numbers)} frames are to be decoded: '
            'choose one by --frames, or name a folder or a video.'
        )
    fitter = open_fitter(fit, device)
    check_decoding(fitter, size, crop)
    start = time.perf_counter()
    pixels = pixels_of(fitter, frames=numbers, size=size, crop=crop)
    _write(out, pixels, fit.signal.fps if fps is None else fps)
    count, seconds = len(numbers), time.perf_counter() - start
    return f'{count} frame{"s" * (count > 1)} in {seconds:.2f} s to {out}'


def _write(out: str, pixels: Iterator[np.ndarray], fps: float) -> None:
    """Write frames as the name says."""
    if is_image(out):
        write_image(out, next(pixels))
    elif is_video(out):
        write_video(out, pixels, fps)
    else:
        write_frames(out, pixels)


def describe_file(file: str | Path) -> str:
    """Say what a compact file holds in a few lines."""
    fit = read_fit(file)
    frames, height, width, channels = fit.signal.shape
    return (
        f'{frames} frame(s) of {width} x {height}, {channels} channel(s) '
        f'of 0 to {fit.signal.max_value:g}, {fit.signal.fps:g} '
        f'frames/s\n{fit.net.num_parameters:,} parameters, {fit.bits} '
        f'bits each at most\n{fit.size:,} bytes, '
        f'{fit.bits_per_pixel:.4f} bits per pixel\n'
        f'{json.dumps(fit.net_cfg)}'
    )


def select_frames(text: str | None, count: int) -> Sequence[int]:
    """Select frames by a slice ``a:b``, ``a:b:step``, or by a number.

    Args:
        text (str, optional): None for all.
        count (int): Frames that there are.

    Returns:
        Sequence[int]: Numbers of frames; a number given by itself is not compared
        with ``count``.

    Raises:
        ValueError: If it is neither, or selects nothing.
    """
    if text is None:
        return range(count)
    parts = text.split(':')
    try:
        numbers = [int(part) if part else None for part in parts]
        chosen = numbers if len(numbers) == 1 else range(count)[slice(*numbers)]
        if len(numbers) > 3 or None in chosen:
            raise TypeError
    except (ValueError, TypeError):
        raise ValueError(f"--frames is A:B, A:B:STEP or a number, not '{text}'.") from None
    if not len(chosen):
        raise ValueError(f'--frames {text} selects none of the {count} frames.')
    return chosen
