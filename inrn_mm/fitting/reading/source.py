"""Where the frames of a signal come from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from .images import count_frames, read_animation, read_image
from .rate import at_rate, explain
from .videos import decode_video, time_video

IMAGES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp', '.tif', '.tiff', '.ppm', '.pgm', '.gif')
VIDEOS = ('.mp4', '.mkv', '.mov', '.avi', '.webm', '.m4v', '.y4m', '.mpg', '.mpeg', '.ts')


@dataclass
class Source:
    """Frames that are read one after the other.

    Args:
        frames (Iterator[tuple[str, np.ndarray]]): The name of each frame, for
            messages, and its pixels ``(H, W, C)``: uint8, uint16 or float32.
        count (int): Number of frames.
        fps (float): Frames per second.
    """

    frames: Iterator[tuple[str, np.ndarray]]
    count: int = 1
    fps: float = 24.0


def open_source(path: Path, frames: int | None = None, stride: int = 1) -> Source:
    """Find out what a path holds, and begin to read it.

    Args:
        path (Path): An image, an animation, a folder of images or a video.
        frames (int, optional): Read at most so many. Defaults to None, all.
        stride (int): Take every so many frames. Defaults to 1.

    Returns:
        Source: The frames taken; ``fps`` is theirs.

    Raises:
        ValueError: If it is none of these, damaged or cut short.
        MemoryError: If a frame does not fit into the memory.
    """
    if path.is_dir():
        files = frame_files(path)[::stride][:frames]
        pictures = ((file.name, read_image(file)) for file in files)
        return Source(pictures, len(files), 24.0 / stride)
    if path.suffix.lower() in VIDEOS:
        timing = time_video(path, frames and frames * stride)
        timed = decode_video(path, timing, stride)
    elif count_frames(path) > 1:
        timed, timing = read_animation(path)
    else:
        return Source(iter([(path.name, read_image(path))]))
    explain(path, timing)
    stop = frames and (frames - 1) * stride + 1
    taken = islice(at_rate(timed, timing), 0, stop, stride)
    named = ((f'frame {stride * i}', image) for i, image in enumerate(taken))
    return Source(named, len(range(timing.count)[:stop:stride]), 1 / (timing.step * stride))


def need_input(path: str | Path) -> Path:
    """Check that an input is there.

    Args:
        path (str | Path): An image, a folder or a video.

    Returns:
        Path: The path.

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


def frame_files(folder: Path) -> list[Path]:
    """List the images in a folder, in the order of the numbers in their names.

    Args:
        folder (Path): The folder.

    Returns:
        list[Path]: The images.

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
