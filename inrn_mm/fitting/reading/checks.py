"""One sentence for what cannot be read, and for what does not fit."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..memory import need_memory


class UnreadableImage(ValueError):
    """An image that is not read, with the reason and the cure."""


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say which file it is that a library cannot read.

    Args:
        path (Path): The file.

    Raises:
        UnreadableImage: Instead of all errors but the lack of memory.
    """
    try:
        yield
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # of damaged files, libraries raise anything
        raise UnreadableImage(
            f'{path} is not an image that can be read, or is cut short '
            f'({type(error).__name__}): give an image, a folder of frames or a video.'
        ) from error


def check_read(path: Path, size: tuple[int, int], channels: int, item: int) -> None:
    """Refuse a file that cannot be held while it is read.

    Args:
        path (Path): The file.
        size (tuple[int, int]): Its width and height.
        channels (int): Its channels.
        item (int): Bytes of one value.

    Raises:
        MemoryError: If it takes more than is free.
    """
    width, height = size
    # Pillow has four bytes for a colour, and hands over two copies
    channels = 1 if channels == 1 else 4
    copies = 3 if item == 1 else 2
    need_memory(
        copies * width * height * channels * item,
        f'Reading {path} ({width} x {height})',
        'cut or shrink the file first, since --crop and --size begin with all of it',
    )
