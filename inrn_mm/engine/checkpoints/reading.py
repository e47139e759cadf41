"""Checkpoints: safe to load, and every failure said in one sentence.

mmengine 0.10.12 falls back to full, code-executing unpickling when the safe
way fails, and loads URLs unsafely from the start. Here nothing is unpickled
beyond tensors, plain containers, numpy arrays and mmengine's log buffers
unless the user says so.
"""

import codecs
import contextlib
import logging
import os
import pickle
import re
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.dist import get_rank, is_distributed
from mmengine.logging import HistoryBuffer, print_log
from mmengine.runner.checkpoint import CheckpointLoader, get_external_models, get_torchvision_models
from torch import nn

from .restricted_pickle import RestrictedPickle

FORCE_SAFE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
MODEL_ZOOS = {
    'torchvision://': get_torchvision_models,
    'modelzoo://': get_torchvision_models,
    'open-mmlab://': get_external_models,
    'openmmlab://': get_external_models,
}
SHOWN = 3  # how many keys an error message names


def load_state(filename: str | Path, map_location: str = 'cpu', allow_pickle: bool = False) -> dict:
    """Read a checkpoint file or URL without running code from it.

    Args:
        filename (str | Path): A path, an http(s) URL (downloaded once, into
            torch's hub folder, with a progress bar) or ``torchvision://name``
            and ``open-mmlab://name``.
        map_location (str): As in :func:`torch.load`. Defaults to ``'cpu'``.
        allow_pickle (bool): Unpickle whatever the file asks for, which can
            run any code: only for files you trust. Defaults to False.

    Returns:
        dict: The file's content: a state dict, or a dict that has one under
        ``'state_dict'``.

    Raises:
        FileNotFoundError: If there is no such file.
        ConnectionError: If the URL cannot be downloaded.
        RuntimeError: If the file is truncated or no checkpoint.
        ValueError: If it needs unpickling that is not allowed, or has no
            dict inside.
    """
    name = str(filename)
    for prefix, models in MODEL_ZOOS.items():
        if name.startswith(prefix):
            known = models()
            if name[len(prefix) :] not in known:
                raise ValueError(f"No model '{name}' is known to mmengine.")
            name = known[name[len(prefix) :]]
    if name.startswith(('http://', 'https://')):
        path = _download(name)
    else:
        path = Path(name).expanduser()
        if not path.is_file():
            raise FileNotFoundError(
                f'Checkpoint {name} does not exist (looked for '
                f'{path.resolve()}): check the path, or train or download it '
                'first.'
            )
    checkpoint = _read(path, map_location, allow_pickle)
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f'{path} is not a checkpoint: it holds a {type(checkpoint).__name__}, not a dict.'
        )
    return checkpoint


def load_weights(
    module: nn.Module,
    state: dict,
    source: str,
    max_missing_ratio: float = 0.1,
    optional: tuple[str, ...] = (),
) -> list[str]:
    """Load weights, and refuse those of another architecture.

    Weights without a match are named in a warning as long as they are few.

    Args:
        module (nn.Module): Network to load into.
        state (dict): What :func:`load_state` returned, or a state dict.
        source (str): Where it came from, for messages.
        max_missing_ratio (float): Largest allowed share of the module's own
            parameters and buffers that ``state`` lacks or has in another
            shape. Defaults to 0.1.
        optional (tuple[str]): Prefixes of weights that may be missing without
            a word. Defaults to none.

    Returns:
        list[str]: Names of the weights that kept their old values.

    Raises:
        ValueError: If more than ``max_missing_ratio`` of them would.
    """
    own = module.state_dict()
    state = plain_state(state)
    reshaped = [
        f'{key} {tuple(value.shape)} instead of {tuple(own[key].shape)}'
        for key, value in state.items()
        if key in own and own[key].shape != value.shape
    ]
    fitting = OrderedDict(
        (key, value)
        for key, value in state.items()
        if key not in own or own[key].shape == value.shape
    )
    fitting._metadata = state._metadata
    # the modules' own hooks may rename old keys, so ask torch what is missing
    result = module.load_state_dict(fitting, strict=False)

    def counts(key: str) -> bool:
        return not key.endswith('num_batches_tracked') and not key.startswith(optional)

    unset = [key for key in result.missing_keys if counts(key)]
    total = sum(map(counts, own))
    if not unset:
        return []
    missing = [key for key in unset if key not in state]
    message = (
        f'{len(unset)} of the {total} weights of {type(module).__name__} are '
        f'not in {source}: {len(missing)} missing{_shorten(missing)}, '
        f'{len(reshaped)} of another shape{_shorten(reshaped)}'
    )
    if len(unset) > max_missing_ratio * total:
        raise ValueError(
            f'{message}; the checkpoint belongs to another architecture '
            f'({len(result.unexpected_keys)} of its weights found no place'
            f'{_shorten(result.unexpected_keys)}).'
        )
    print_log(f'{message}; they keep their initial values.', 'current', logging.WARNING)
    return unset


def plain_state(checkpoint: dict) -> OrderedDict:
    """The state dict in a checkpoint, without DDP's ``module.`` prefix.

    Args:
        checkpoint (dict): A file's content: a state dict, or a dict with one
            as ``state_dict``.

    Returns:
        OrderedDict: Name to tensor.

    Raises:
        ValueError: If there is no tensor in it.
    """
    state = checkpoint.get('state_dict', checkpoint)
    plain = OrderedDict(
        (re.sub(r'^module\.', '', key), value)
        for key, value in state.items()
        if isinstance(value, torch.Tensor)
    )
    if not plain:
        raise ValueError('The checkpoint has no weights in it.')
    plain._metadata = getattr(state, '_metadata', OrderedDict())
    return plain


def make_loading_safe(allow_pickle: bool = False) -> None:
    """Make all checkpoint loading of this process as safe as
    :func:`load_state`.

    The Runner's ``load_from`` and ``resume`` and every ``Pretrained`` init go
    through mmengine's :class:`CheckpointLoader`, whose schemes can be
    replaced. Whatever else calls :func:`torch.load` is held to
    ``weights_only=True`` by torch's own environment variable.

    Args:
        allow_pickle (bool): The user's word that the checkpoints are trusted.
            Defaults to False.
    """
    if not allow_pickle:
        os.environ[FORCE_SAFE] = '1'

    def load_from_inrn_mm(filename, map_location='cpu', **_):
        return load_state(filename, map_location, allow_pickle)

    CheckpointLoader.register_scheme(
        ['', 'http://', 'https://', *MODEL_ZOOS], load_from_inrn_mm, force=True
    )


def _read(path: Path, map_location: str, allow_pickle: bool) -> object:
    try:
        if allow_pickle:
            with _without(FORCE_SAFE):
                return torch.load(path, map_location, weights_only=False)
        return _load_safely(path, map_location)
    except pickle.UnpicklingError as error:
        culprit = _unsafe_global(str(error))
        if culprit is not None:
            raise ValueError(
                f'{path} asks for {culprit} while loading, which could run '
                'any code, so it is refused: use another file, or, if you '
                'trust this one, allow_pickle=True (--allow-pickle of the '
                'tools).'
            ) from None
        raise _broken(path, error) from None
    except (RuntimeError, EOFError, KeyError, OSError, ValueError) as error:
        if str(error).startswith('CUDA'):  # the device's trouble
            raise
        raise _broken(path, error) from None


def _broken(path: Path, error: Exception) -> RuntimeError:
    reason = str(error).split('WeightsUnpickler error: ')[-1]
    reason = reason.strip().split('. ')[0].splitlines()
    return RuntimeError(
        f'{path} ({path.stat().st_size} bytes) cannot be read as a '
        'checkpoint, it is truncated or no PyTorch file: delete it and get '
        f'it again ({reason[0] if reason else type(error).__name__}).'
    )


def _unsafe_global(message: str) -> str | None:
    """What the weights-only unpickler refused; None if it is not that."""
    found = (
        re.search(r'GLOBAL (\S+)', message)
        or re.search(r'unrecognized function (.+?)(?: which|$|\n)', message)
        or re.search(r'but got (.+)', message)
    )
    return found and f"'{found.group(1)}'"


def _load_safely(path: Path, map_location: str) -> object:
    """Load tensors, plain containers and what mm checkpoints have in ``meta``
    and ``message_hub``."""
    core = np.core if np.__version__.startswith('1.') else np._core
    allowed: list[tuple[object, str]] = [
        (HistoryBuffer, f'{HistoryBuffer.__module__}.HistoryBuffer'),
        (np.ndarray, 'numpy.ndarray'),
        (np.dtype, 'numpy.dtype'),
        (_statistics_method, 'builtins.getattr'),
        (codecs.encode, '_codecs.encode'),  # how bytes are written
    ]
    # numpy 1 wrote numpy.core, numpy 2 writes numpy._core
    for function in (core.multiarray._reconstruct, core.multiarray.scalar):
        allowed += [
            (function, f'numpy.{module}.multiarray.{function.__name__}')
            for module in ('core', '_core')
        ]
    if not hasattr(torch.serialization, 'get_unsafe_globals_in_checkpoint'):
        # before torch 2.6 the weights-only unpickler takes no such list
        with _without(FORCE_SAFE):
            return torch.load(path, map_location, pickle_module=RestrictedPickle(allowed))
    dtypes = {type(np.dtype(code)) for code in '?bBhHiIlLqQefdFDSUO'}
    with torch.serialization.safe_globals([*allowed, *dtypes]):
        return torch.load(path, map_location, weights_only=True)


def _statistics_method(owner: type, name: str) -> Callable:
    """In place of the ``getattr`` by which log buffers name their methods."""
    if owner is not HistoryBuffer or name.startswith('_'):
        owner = getattr(owner, '__name__', type(owner).__name__)
        raise pickle.UnpicklingError(f'GLOBAL {owner}.{name}')
    return getattr(owner, name)


@contextlib.contextmanager
def _without(variable: str) -> Iterator[None]:
    value = os.environ.pop(variable, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[variable] = value


def _download(url: str) -> Path:
    """Fetch a URL into torch's hub folder; rank 0 first if distributed."""
    path = Path(torch.hub.get_dir(), 'checkpoints', Path(urlparse(url).path).name)
    error = None
    if get_rank() == 0:
        error = _try_download(url, path)
    if is_distributed():
        torch.distributed.barrier()
        if get_rank() > 0:  # another node, or rank 0 failed
            error = _try_download(url, path)
    if error is not None:
        raise ConnectionError(
            f'Cannot download {url} ({error}): download it where there is a '
            f'network and put it at {path}, or give the path of a local file.'
        )
    return path


def _try_download(url: str, path: Path) -> Exception | None:
    if path.is_file():
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)
    try:
        # writes a temporary file and renames it at the end
        torch.hub.download_url_to_file(url, str(path))
    except (URLError, OSError, RuntimeError) as error:
        return error
    finally:
        socket.setdefaulttimeout(timeout)
    return None


def _shorten(names: list[str]) -> str:
    if not names:
        return ''
    dots = ', ...' if len(names) > SHOWN else ''
    return f' ({", ".join(names[:SHOWN])}{dots})'
