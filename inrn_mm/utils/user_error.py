"""The user's mistakes as one sentence in place of a traceback."""

import contextlib
import difflib
import errno
import linecache
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIMIZERS, build_functions
from mmengine.runner import Runner

# The library, and the tools beside it in a clone.
PLACES = {Path(__file__).parents[1], Path(__file__).parents[2] / 'tools'}
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
SHOWN = 6  # arguments of a part that cannot be built
# What of mmengine's runner reads the config, besides its methods build_...
READERS = ('__init__', 'from_cfg', 'setup_env', 'set_randomness', 'scale_lr')


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """End the program with ``error: ...`` and exit code 2.

    Three things are shown that way, wherever they passed through: what a
    ``raise`` statement of this package said, a part of the config that
    mmengine cannot build or read, and a disk that takes no more. Bugs and
    the libraries' other errors keep their traceback. ``INRN_DEBUG=1`` shows
    all tracebacks.
    """
    try:
        yield
    except Exception as error:
        message = explain(error)
        if message is None or os.environ.get('INRN_DEBUG', '0') != '0':
            raise
        rank = os.environ.get('RANK', '0')
        who = 'error' if rank == '0' else f'error (rank {rank})'
        print(f'{who}: {message} [INRN_DEBUG=1 shows where]', file=sys.stderr, flush=True)
        sys.exit(2)


def explain(error: BaseException) -> str | None:
    """Write the sentence that an error is shown as.

    Args:
        error (BaseException): Any.

    Returns:
        str, optional: None if it is to keep its traceback.
    """
    return raised_here(error) or _not_built(error) or _not_read(error) or _disk(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """List an error and those behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _frames(error: BaseException) -> list[tuple[FrameType, int]]:
    """List where an error passed through, its origin last."""
    found, trace = [], error.__traceback__
    while trace is not None:
        found.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return found


def raised_here(error: BaseException) -> str | None:
    """Find what this package's code has said.

    Args:
        error (BaseException): An error.

    Returns:
        str, optional: The words of the error, or of one behind it, that a
        ``raise`` statement of this package has raised; None if there is none.
    """
    for link in _chain(error):
        for frame, number in _frames(link)[-1:]:
            file = frame.f_code.co_filename
            line = linecache.getline(file, number).strip()
            if PLACES & set(Path(file).parents) and line.startswith('raise '):
                return str(link.args[0]) if isinstance(link, KeyError) else str(link)
    return None


def _not_built(error: BaseException) -> str | None:
    """Write a sentence about the part of the config that could not be built."""
    for link in reversed(list(_chain(error))):
        code = build_functions.build_from_cfg.__code__
        calls = [frame for frame, _ in _frames(link) if frame.f_code is code]
        if not calls:
            continue
        found = calls[-1].f_locals
        kind = found.get('obj_type', found['cfg'])
        if found.get('obj_cls') is not None:
            return _refused(getattr(kind, '__name__', kind), found['args'], link)
        if isinstance(kind, str):
            return _unknown_type(kind, found['registry'])
        return f'A part of the config cannot be built ({_line(link)}).'
    return None


def _not_read(error: BaseException) -> str | None:
    """Write a sentence about what mmengine's runner does not find in the config."""
    for link in _chain(error):
        for frame, _ in _frames(link):
            code = frame.f_code
            known = frame.f_locals.get('optimizer_cls', error)
            if known is None and code is DefaultOptimWrapperConstructor.__call__.__code__:
                return _unknown_type(frame.f_locals['optimizer_cfg']['type'], OPTIMIZERS)
            if code.co_filename == Runner.__init__.__code__.co_filename and (
                code.co_name in READERS or code.co_name.startswith('build_')
            ):
                return f'The config cannot be run as it is ({_line(link)}).'
    return None


def _refused(name: str, args: dict, error: BaseException) -> str:
    shown = [f'{k}={v!r}' for k, v in args.items() if isinstance(v, (int, float, str))]
    given = f' with {", ".join(shown[:SHOWN])}' if shown else ''
    return f'{name} cannot be built from the config{given} ({_line(error)}).'


def _line(error: BaseException) -> str:
    return f'{type(error).__name__}: {error}'.strip().splitlines()[0]


def _unknown_type(name: str, registry) -> str:
    known, scope = [], registry
    while scope is not None:
        known += scope.module_dict
        scope = scope.parent
    close = difflib.get_close_matches(name, known, 1)
    hint = f", did you mean '{close[0]}'?" if close else ':'
    return (
        f"The config has a type '{name}', which is no {registry.name} of {registry.scope}{hint} "
        'Correct it, or name the module that registers it in custom_imports.'
    )


def _disk(error: BaseException) -> str | None:
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno in DISK:
            where = f' ({link.filename})' if link.filename else ''
            return (
                f'A file cannot be written: {os.strerror(link.errno)}{where}. What was saved '
                'before is still there: make room, and go on (a training by --resume).'
            )
    return None
