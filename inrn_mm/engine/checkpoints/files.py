"""Reading one checkpoint file: whole, without running code of it."""

import codecs
import contextlib
import errno
import importlib.util
import os
import pickle
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from .restricted_pickle import RestrictedPickle

FORCE_SAFE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
FORCE_UNSAFE = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
ZIP = b'PK\x03\x04'
# what a file of before torch 1.6 begins with, pickled; the number is torch's
OLD_FORMAT = (0x1950A86A20F9469CFC6C).to_bytes(10, 'little')
# A pickled numpy dtype of the other byte order, which the shared dtypes of
# this machine cannot be told about.
BIG_ENDIAN = re.compile(rb'K\x03X\x01\x00\x00\x00>.{0,5}NNN', re.DOTALL)


class DamagedCheckpointError(RuntimeError):
    """A file that is there and can be read, but is no whole checkpoint."""


def read(path: Path, map_location: str, allow_pickle: bool) -> dict:
    """Read a checkpoint file.

    Args:
        path (Path): A file that exists.
        map_location (str): As in :func:`torch.load`.
        allow_pickle (bool): Unpickle whatever the file asks for.

    Returns:
        dict: Its content.

    Raises:
        DamagedCheckpointError: If it is truncated, changed or no checkpoint.
        OSError: If the system does not let it be read.
        ValueError: If it needs unpickling that is not allowed.
    """
    try:
        if path.suffix == '.safetensors':
            return _read_safetensors(path, map_location)
        with open(path, 'rb') as file:
            is_zip = _check_bytes(file, path)
            file.seek(0)
            content = _load(file, path, map_location, allow_pickle, is_zip)
    except OSError as error:
        raise unreadable(path, error) from None
    if not isinstance(content, dict):
        raise DamagedCheckpointError(
            f'{path} is not a checkpoint: it holds a {type(content).__name__}, not a dict.'
        )
    return content


def _read_safetensors(path: Path, map_location: str) -> dict:
    """Read tensors from a file of a format that has no code."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise ValueError(
            f"{path} needs the package safetensors: pip install 'inrn_mm[teachers]'."
        ) from None
    try:
        return load_file(path, map_location)
    except SafetensorError as error:
        raise _damaged(path, str(error)) from None


def _check_bytes(file: BinaryIO, path: Path) -> bool:
    """Compare the records of a zip archive with their checksums, which torch
    does not; False if it is none, but torch's older format."""
    head = file.read(64)
    if not head.startswith(ZIP):
        if OLD_FORMAT not in head:
            raise _damaged(path, 'it does not begin as one')
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            if not any(record.CRC for record in archive.infolist()):
                return True  # as torch.serialization.set_crc32_options(False) writes it
            bad = archive.testzip()
            pickles = [] if bad else [n for n in archive.namelist() if n.endswith('/data.pkl')]
            swapped = any(BIG_ENDIAN.search(archive.read(name)) for name in pickles)
    except Exception as error:
        if _is_of_the_system(error):
            raise
        raise _damaged(path, str(error) or type(error).__name__) from None
    if bad:
        raise _damaged(path, f'the checksum of {bad} is wrong')
    if swapped:
        raise ValueError(f'{path} has numpy arrays of the other byte order: save them as tensors.')
    return True


def _load(
    file: BinaryIO, path: Path, map_location: str, allow_pickle: bool, is_zip: bool
) -> object:
    try:
        if allow_pickle:
            with without(FORCE_SAFE):
                return torch.load(file, map_location, weights_only=False)
        return _load_safely(file, map_location)
    except Exception as error:  # a changed byte raises anything
        # with right checksums, want of memory is the machine's
        if _is_of_the_system(error) or (is_zip and isinstance(error, MemoryError)):
            raise
        refused = isinstance(error, pickle.UnpicklingError) and _unsafe_global(str(error))
        if refused and (is_zip or _exists(refused)):
            raise ValueError(
                f"{path} asks for '{refused}' while loading, which could run "
                'any code, so it is refused: use another file, or, if you '
                'trust this one, allow_pickle=True (--allow-pickle of the '
                'tools).'
            ) from None
        raise _damaged(path, str(error) or type(error).__name__) from None


def _load_safely(file: BinaryIO, map_location: str) -> object:
    """Load tensors, plain containers and what mm checkpoints have in ``meta``
    and ``message_hub``."""
    allowed: list[tuple[object, str]] = [
        (HistoryBuffer, f'{HistoryBuffer.__module__}.HistoryBuffer'),
        (ARRAY, 'numpy.ndarray'),
        (_plain_dtype, 'numpy.dtype'),
        (_statistics_method, 'builtins.getattr'),
        (codecs.encode, '_codecs.encode'),  # how bytes are written
        # without a dot no file can name it: arrays are filled, never called
        (np.ndarray, 'ndarray'),
    ]
    core = np.core if np.__version__.startswith('1.') else np._core  # type: ignore[attr-defined]
    # numpy 1 wrote numpy.core, numpy 2 writes numpy._core
    for module in ('core', '_core'):
        allowed += [
            (_empty_array, f'numpy.{module}.multiarray._reconstruct'),
            (core.multiarray.scalar, f'numpy.{module}.multiarray.scalar'),
        ]
    if not hasattr(torch.serialization, 'get_unsafe_globals_in_checkpoint'):
        # before torch 2.6 the weights-only unpickler takes no such list
        with without(FORCE_SAFE), without(FORCE_UNSAFE):
            return torch.load(file, map_location, pickle_module=RestrictedPickle(allowed))
    # what a pickled dtype is filled by; the shared ones ignore it
    allowed += [(type(np.dtype(code)), f'dtype_{code}') for code in '?bBhHiIlLqQefdgFD']
    with without(FORCE_UNSAFE), torch.serialization.safe_globals(allowed):
        return torch.load(file, map_location, weights_only=True)


class _ArrayType:
    """Stands for ``numpy.ndarray``, whose call makes pointers of any bytes."""

    def __call__(self, *_: object) -> None:
        raise pickle.UnpicklingError('GLOBAL numpy.ndarray')


ARRAY = _ArrayType()


def _empty_array(kind: object, *_: object) -> np.ndarray:
    """Make an array to be filled, in place of numpy's ``_reconstruct``."""
    if kind is not ARRAY:
        raise pickle.UnpicklingError('GLOBAL numpy.core.multiarray._reconstruct')
    return np.ndarray((0,), 'b')


def _plain_dtype(code: str, *_: object) -> np.dtype:
    """Stand in for ``numpy.dtype``: number kinds, and no copy that the file
    can give other flags (numpy's shared ones ignore what is set on them)."""
    found = np.dtype(code) if isinstance(code, str) else None
    if found is None or found.kind not in 'biufc' or found is not np.dtype(found.char):
        raise pickle.UnpicklingError(f'GLOBAL numpy.dtype({code!r})')
    return found


def _statistics_method(owner: type, name: str) -> Callable:
    """Stand in for the ``getattr`` by which log buffers name their methods."""
    if owner is not HistoryBuffer or name.startswith('_') or name not in vars(owner):
        owner = getattr(owner, '__name__', type(owner).__name__)
        raise pickle.UnpicklingError(f'GLOBAL {owner}.{name}')
    return getattr(owner, name)


@contextlib.contextmanager
def without(variable: str) -> Iterator[None]:
    """Unset an environment variable for a while.

    Args:
        variable (str): Its name.
    """
    value = os.environ.pop(variable, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[variable] = value


def _is_of_the_system(error: Exception) -> bool:
    """Tell whether the file is not to blame: the system, or the device."""
    if isinstance(error, OSError):  # a changed offset is EINVAL, or has no number
        return error.errno not in (None, errno.EINVAL)
    return str(error).startswith('CUDA')


def unreadable(path: Path, error: OSError) -> OSError:
    """Make the error to raise when the system, not the file, is to blame.

    Args:
        path (Path): The file.
        error (OSError): What the system said.

    Returns:
        OSError: An error of the same kind, in a sentence.
    """
    reason = error.strerror or error
    return type(error)(
        f'{path} cannot be read ({reason}); the file itself may be good: see '
        'to that, and start again.'
    )


def _damaged(path: Path, reason: str) -> DamagedCheckpointError:
    reason = reason.split('WeightsUnpickler error: ')[-1].strip().split('. ')[0].splitlines()
    return DamagedCheckpointError(
        f'{path} ({path.stat().st_size} bytes) cannot be read as a '
        'checkpoint, it is damaged, truncated or no PyTorch file: delete it and get '
        f'it again ({reason[0] if reason else "no reason known"}).'
    )


def _unsafe_global(message: str) -> str | None:
    """Read what the unpickler refused; None if it is not that."""
    found = (
        re.search(r'GLOBAL (\S+)', message)
        or re.search(r'unrecognized function (.+?)(?: which|$|\n)', message)
        or re.search(r'but got (.+)', message)
    )
    return found and found.group(1)


def _exists(name: str) -> bool:
    """Tell whether there is such a package, or such a thing in a loaded module: a
    changed byte makes names that nothing has."""
    module, _, attribute = name.rpartition('.')
    if module in sys.modules:
        return hasattr(sys.modules[module], attribute)
    with contextlib.suppress(ImportError, ValueError):
        return importlib.util.find_spec(name.split('.')[0]) is not None
    return False
