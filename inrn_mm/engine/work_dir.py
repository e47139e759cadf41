"""A work_dir belongs to one process at a time."""

import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = '.lock'
# a killed training may still be writing its last block
PATIENCE = 3.0  # seconds


@contextlib.contextmanager
def work_dir_lock(work_dir: str | Path, option: str = '--work-dir') -> Iterator[None]:
    """Hold a folder that files are written into and removed from.

    The system lets go of it when the process ends, however it ends, and the
    processes that it has forked do not count. Of a distributed job rank 0
    holds the folder for all.

    Args:
        work_dir (str | Path): The folder; it is made.
        option (str): What it is given by, named in errors.
            Defaults to ``'--work-dir'``.

    Raises:
        RuntimeError: If another process holds it.
        OSError: If it is a file, or nothing can be written there.
    """
    rank = os.environ.get('RANK') or os.environ.get('SLURM_PROCID') or '0'
    check_writable(work_dir, option)
    if rank != '0' or fcntl is None:
        yield
        return
    # of POSIX, not flock: workers of a killed process inherit the latter
    with open(Path(work_dir, LOCK), 'a+') as file:
        _lock(file, work_dir, option)
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}')
        file.flush()
        yield
        file.truncate(0)


def check_writable(work_dir: str | Path, option: str = '--work-dir') -> None:
    """Make a folder, and see that files can be written there.

    Args:
        work_dir (str | Path): The folder.
        option (str): As in :func:`work_dir_lock`.

    Raises:
        OSError: If it is a file, or nothing can be written there.
    """
    try:
        os.makedirs(work_dir, exist_ok=True)
        with tempfile.TemporaryFile(dir=work_dir):
            pass
    except FileExistsError as error:
        raise FileExistsError(
            f'{work_dir}, to be written into, is a file: give a folder by {option}.'
        ) from error
    except OSError as error:
        raise type(error)(
            f'Nothing can be written into {work_dir} '
            f'({error.strerror or error}): give another folder by {option}.'
        ) from error


def _lock(file, work_dir: str | Path, option: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except (BlockingIOError, PermissionError) as error:  # POSIX allows both
            if time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            file.seek(0)
            holder = file.read() or 'another process'
            raise RuntimeError(
                f'{work_dir} is in use by {holder}, and two would delete '
                f"each other's files: stop that one, or give another folder by {option}."
            ) from error
        except OSError:  # a file system without locks
            return
