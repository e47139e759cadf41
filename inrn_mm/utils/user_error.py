"""The user's mistakes as one sentence in place of a traceback."""

import contextlib
import linecache
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# The library, and the tools beside it in a clone.
PLACES = {Path(__file__).parents[1], Path(__file__).parents[2] / 'tools'}
KINDS = (ValueError, RuntimeError, OSError, ImportError, KeyError, TypeError, MemoryError)


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """End the program with ``error: ...`` and exit code 2.

    Only what a ``raise`` statement of this package said is shown that way,
    wherever it passed through; bugs and the libraries' errors keep their
    traceback. ``INRN_DEBUG=1`` shows all tracebacks.
    """
    try:
        yield
    except KINDS as error:
        ours = raised_here(error)
        if ours is None or os.environ.get('INRN_DEBUG', '0') != '0':
            raise
        rank = os.environ.get('RANK', '0')
        who = 'error' if rank == '0' else f'error (rank {rank})'
        message = ours.args[0] if isinstance(ours, KeyError) else ours
        print(f'{who}: {message} [INRN_DEBUG=1 shows where]', file=sys.stderr, flush=True)
        sys.exit(2)


def raised_here(error: BaseException | None) -> BaseException | None:
    """Find what this package's code has raised.

    Args:
        error (BaseException, optional): An error.

    Returns:
        BaseException | None: The error, or the one behind it, that a
        ``raise`` statement of this package has raised; None if there is none.
    """
    while error is not None:
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        if frame is not None:
            file = frame.tb_frame.f_code.co_filename
            line = linecache.getline(file, frame.tb_lineno).strip()
            if PLACES & set(Path(file).parents) and line.startswith('raise '):
                return error
        error = error.__cause__ or error.__context__
    return None
