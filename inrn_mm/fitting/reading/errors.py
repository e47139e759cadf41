"""One sentence for whatever goes wrong inside a library."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


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
