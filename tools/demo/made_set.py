"""Folders of data that are made here, not downloaded."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def make_once(out: str | Path, record: str, made_of: dict, write: Callable[[Path], None]) -> Path:
    """Make a set, or reuse it if it is there and made of the same.

    It is written beside ``out`` and moved into place when it is complete, so
    ``out`` never holds half a set.

    Args:
        out (str | Path): Folder of the set.
        record (str): Name of the file in it that says what it is made of.
        made_of (dict): Everything the set depends on, of JSON types.
        write (Callable): Writes the set into the folder it is given.

    Returns:
        Path: ``out``.

    Raises:
        FileExistsError: If ``out`` holds something else.
    """
    out = Path(out)
    made_of = json.loads(json.dumps(made_of))  # as it reads back
    if is_made_of(out, record, made_of):
        return out
    if out.exists() and any(out.iterdir()) and not (out / record).is_file():
        raise FileExistsError(
            f'"{out}" is not empty and holds no demo set: choose another folder or remove it.'
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f'.{out.name}-', dir=out.parent))
    try:
        scratch.chmod(0o755)
        write(scratch)
        (scratch / record).write_text(json.dumps(made_of, indent=1))
        if out.exists():
            shutil.rmtree(out)
        os.replace(scratch, out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return out


def is_made_of(out: str | Path, record: str, made_of: dict) -> bool:
    """Tell whether ``out`` holds the set that ``made_of`` describes.

    Args:
        out (str | Path): Folder of the set.
        record (str): Name of the file in it that says what it is made of.
        made_of (dict): See :func:`make_once`.

    Returns:
        bool: False too if there is no such set, or none that can be read.
    """
    file = Path(out) / record
    if not file.is_file():
        return False
    try:
        return json.loads(file.read_text()) == made_of
    except ValueError:
        return False
