"""Checkpoints: safe to load, and every failure said in one sentence.

mmengine 0.10.12 falls back to full, code-executing unpickling when the safe
way fails, and loads URLs unsafely from the start. Here nothing is unpickled
beyond tensors, plain containers, numpy arrays and mmengine's log buffers
unless the user says so.
"""

import hashlib
import logging
import os
import re
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader, get_external_models, get_torchvision_models
from torch import nn

from .downloads import download
from .files import FORCE_SAFE, FORCE_UNSAFE, read, unreadable

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
        OSError: If the system does not let the file be read.
        DamagedCheckpointError: If it is truncated, changed or no checkpoint.
        RuntimeError: If a downloaded file is another than its name says.
        ValueError: If it needs unpickling that is not allowed.
    """
    name = str(filename)
    for prefix, models in MODEL_ZOOS.items():
        if name.startswith(prefix):
            known = models()
            if name[len(prefix) :] not in known:
                raise ValueError(f"No model '{name}' is known to mmengine.")
            name = known[name[len(prefix) :]]
    if name.startswith(('http://', 'https://')):
        path = download(name)
    else:
        path = Path(name).expanduser()
        if not _is_file(path):
            raise FileNotFoundError(
                f'Checkpoint {name} does not exist (looked for '
                f'{path.resolve()}): check the path, or train or download it '
                'first.'
            )
    return read(path, map_location, allow_pickle)


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
    found = fit_weights(module, state, optional)
    if not found.unset:
        return []
    message = found.describe(source)
    if len(found.unset) > max_missing_ratio * found.total:
        raise ValueError(
            f'{message}; the checkpoint belongs to another architecture '
            f'({len(found.unexpected)} of its weights found no place'
            f'{_shorten(found.unexpected)}).'
        )
    print_log(f'{message}; they keep their initial values.', 'current', logging.WARNING)
    return found.unset


@dataclass
class WeightFit:
    """How weights fitted a network.

    Args:
        network (str): Its class's name.
        total (int): Weights that the network has.
        unset (list[str]): Those that kept their old values.
        reshaped (list[str]): Those of them given in another shape.
        given (int): Weights that were given.
        unexpected (list[str]): Those of them without a place.
    """

    network: str
    total: int
    unset: list[str]
    reshaped: list[str]
    given: int
    unexpected: list[str]

    @property
    def foreign(self) -> bool:
        """bool: Whether most of the network and most of what was given stayed
        without the other."""
        placed = self.given - len(self.unexpected) - len(self.reshaped)
        return 2 * len(self.unset) > self.total and 2 * placed < self.given

    def describe(self, source: str) -> str:
        """Say what is missing.

        Args:
            source (str): Where the weights came from.

        Returns:
            str: The beginning of a sentence.
        """
        named = {text.split()[0] for text in self.reshaped}
        missing = [name for name in self.unset if name not in named]
        return (
            f'{len(self.unset)} of the {self.total} weights of {self.network} are '
            f'not in {source}: {len(missing)} missing{_shorten(missing)}, '
            f'{len(self.reshaped)} of another shape{_shorten(self.reshaped)}'
        )


def fit_weights(module: nn.Module, state: dict, optional: tuple[str, ...] = ()) -> WeightFit:
    """Load the weights that fit, and tell which did.

    Args:
        module (nn.Module): Network to load into.
        state (dict): See :func:`load_weights`.
        optional (tuple[str]): Prefixes of weights that do not count.
            Defaults to none.

    Returns:
        WeightFit: What fitted.
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
    fitting._metadata = state._metadata  # type: ignore[attr-defined]  # torch's own
    # the modules' own hooks may rename old keys, so ask torch what is missing
    result = module.load_state_dict(fitting, strict=False)

    def counts(key: str) -> bool:
        return not key.endswith('num_batches_tracked') and not key.startswith(optional)

    return WeightFit(
        type(module).__name__,
        total=sum(map(counts, own)),
        unset=[key for key in result.missing_keys if counts(key)],
        reshaped=reshaped,
        given=len(state),
        unexpected=result.unexpected_keys,
    )


def plain_state(checkpoint: dict) -> OrderedDict:
    """Find the state dict in a checkpoint, without DDP's ``module.`` prefix.

    Args:
        checkpoint (dict): A file's content: a state dict, or a dict with one
            as ``state_dict``.

    Returns:
        OrderedDict: Name to tensor.

    Raises:
        ValueError: If there is no tensor in it.
    """
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, dict):
        raise ValueError('The checkpoint has no weights in it.')
    plain = OrderedDict(
        (re.sub(r'^module\.', '', key), value)
        for key, value in state.items()
        if isinstance(value, torch.Tensor)
    )
    if not plain:
        raise ValueError('The checkpoint has no weights in it.')
    metadata = getattr(state, '_metadata', OrderedDict())
    plain._metadata = metadata  # type: ignore[attr-defined]  # torch's own
    return plain


def digest_of(state: dict) -> str:
    """Compute a fingerprint of weights, whatever file they came from.

    Args:
        state (dict): Name to tensor.

    Returns:
        str: 16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}'.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


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
        # set by many for the original mmengine; torch refuses both at once
        os.environ.pop(FORCE_UNSAFE, None)

    def load_from_inrn_mm(filename, map_location='cpu', **_):
        checkpoint = load_state(filename, map_location, allow_pickle)
        if not allow_pickle and isinstance(checkpoint.get('meta'), dict):
            # Runner.resume of mmengine 0.10 runs this text as a config file
            checkpoint['meta'].pop('config', None)
        return checkpoint

    CheckpointLoader.register_scheme(
        ['', 'http://', 'https://', *MODEL_ZOOS], load_from_inrn_mm, force=True
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise unreadable(path, error) from None


def _shorten(names: list[str]) -> str:
    if not names:
        return ''
    dots = ', ...' if len(names) > SHOWN else ''
    return f' ({", ".join(names[:SHOWN])}{dots})'
