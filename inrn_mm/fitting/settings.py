"""What the fit in a folder is of, so that no other one is mixed with it."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from ..utils.whole_file import whole_file
from .options import CHANGEABLE, FitJob
from .options import settings as job_settings
from .reading import frame_files, need_input

SETTINGS_FILE = 'settings.json'
# Of each file of the input: enough to tell two of them apart.
READ_BYTES = 2**24
# In an order that is safe to be interrupted: what is left is never taken for
# a finished fit, nor for one with other settings.
STALE = ('metrics.json', 'fit.inrn', 'last_checkpoint', 'iter_*.pth', SETTINGS_FILE)


def settings_of(job: FitJob) -> dict:
    """Collect the settings of a job, as JSON has them.

    Args:
        job (FitJob): The job.

    Returns:
        dict: What makes two fits the same, ``task``, which is ``'fit'``, and
        ``content``, a digest of the input.

    Raises:
        FileNotFoundError: If there is no input.
        ValueError: If it is a folder without frames.
    """
    settings = {name: getattr(job, name) for name in job_settings()}
    settings.update(
        config=os.path.abspath(job.config),
        cfg_options=job.cfg_options or {},
        task='fit',
        content=_digest(job.input, job.frames, job.stride),
    )
    return json.loads(json.dumps(settings, default=str))


def read_settings(folder: Path) -> dict | None:
    """Read the settings that a folder's fit was begun with.

    Args:
        folder (Path): It need not be there.

    Returns:
        dict, optional: None if there are none, or they are no fit's.
    """
    try:
        found = json.loads((folder / SETTINGS_FILE).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and 'config' in found else None


def write_settings(folder: Path, settings: dict) -> None:
    """Write the settings of a fit that begins.

    Args:
        folder (Path): Made if need be.
        settings (dict): See :func:`settings_of`.
    """
    with whole_file(folder / SETTINGS_FILE) as part:
        part.write_text(json.dumps(settings, indent=1) + '\n')


def begun(folder: Path, settings: dict, force: bool) -> bool:
    """Tell whether a folder is that of this very fit.

    Args:
        folder (Path): It need not be there.
        settings (dict): See :func:`settings_of`.
        force (bool): Other settings are no error.

    Returns:
        bool: False if there is none yet, or, with ``force``, another one.

    Raises:
        ValueError: If it is another's and ``force`` was not given.
    """
    found = read_settings(folder)
    if found is None:
        return False
    changed = _difference(found, settings)
    if changed and not force:
        raise ValueError(
            f'{folder} was begun with {changed}: use the same, another folder, or --force.'
        )
    return not changed


def need_same(folder: Path, settings: dict) -> None:
    """Refuse to go on with another fit; its length may be changed.

    Args:
        folder (Path): The folder of the checkpoint; one without settings, of an
            older version, passes.
        settings (dict): See :func:`settings_of`.

    Raises:
        ValueError: If the fit in it is another one.
    """
    changed = _difference(_fixed(read_settings(folder) or {}), _fixed(settings))
    if changed:
        raise ValueError(
            f'The fit in {folder} was begun with {changed}: resume it with '
            'the same, or start anew in another --work-dir, or there with '
            '--force and without --resume.'
        )


def need_free(
    folder: Path, products: Sequence[str], cure: str = 'overwrite it with --force'
) -> None:
    """Refuse to overwrite what no settings say to be of this fit.

    Args:
        folder (Path): It need not be there.
        products (Sequence[str]): Names, or patterns of them.
        cure (str): What to do. Defaults to ``'overwrite it with --force'``.

    Raises:
        FileExistsError: If there is one.
    """
    if read_settings(folder) is None:
        products = [*products, SETTINGS_FILE]
    for product in products:
        for path in sorted(folder.glob(product)):
            raise FileExistsError(f'{path} exists: {cure}, or choose another folder.')


def clear(folder: Path) -> None:
    """Remove what would pass for a part of the fit that begins.

    Args:
        folder (Path): It need not be there.
    """
    for name in STALE:
        for path in folder.glob(name):
            path.unlink()


def _digest(path: str, frames: int | None, stride: int) -> str:
    """Digest the beginnings and sizes of all files: a moved input is the same."""
    path = need_input(path)
    files = [path]
    if path.is_dir():
        files = frame_files(path)[:: max(stride, 1)][:frames]
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(str(file.stat().st_size).encode())
        with open(file, 'rb') as stream:
            digest.update(stream.read(READ_BYTES))
    return digest.hexdigest()


def _difference(found: dict, wanted: dict) -> str | None:
    """Say what differs; keys that an older version lacks do not."""
    known = found.get('content') is not None
    moved = known and found['content'] == wanted['content']
    older = dict(wanted, task='fit')
    for name, value in wanted.items():
        old = found.get(name, older[name])
        if name == 'config':
            old = os.path.abspath(old)
        if old == value or (name == 'input' and moved):
            continue
        if name == 'content':
            return f'another content of {wanted["input"]}'
        return f'{name}={old}, not {value}'
    return None


def _fixed(settings: dict) -> dict:
    """Keep the settings that a fit that goes on must share."""
    kept = {name: value for name, value in settings.items() if name not in CHANGEABLE}
    if 'cfg_options' in kept:
        kept['cfg_options'] = {
            name: value
            for name, value in (kept['cfg_options'] or {}).items()
            if not name.startswith('train_cfg.')
        }
    return kept
