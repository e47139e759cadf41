"""Files that are whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Write a file under another name and rename it when the block ends well.

    A reader never sees half of it. If the block raises, the file is as it was.

    Args:
        path (str | Path): The file; its folder is made.

    Yields:
        Path: What to write instead, a hidden file beside it with the same
        ending.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.stem}.part{path.suffix}')
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
