"""CIFAR-100 from disk: the original archive, or lossless sheets of images."""

import hashlib
import json
import pickle
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 32
SHEET = 40  # images along a side of a sheet
CLASSES = 100
SPLITS = dict(train=50000, test=10000)
ARCHIVE = 'cifar-100-python.tar.gz'
FOLDER = 'cifar-100-python'
URL = f'https://www.cs.toronto.edu/~kriz/{ARCHIVE}'
Split = tuple[np.ndarray, np.ndarray]


def load_cifar100(root: str | Path, split: str) -> Split:
    """Read a split of CIFAR-100 in whichever form a folder has it.

    These are looked for, in this order:

    - ``cifar-100-python/`` with the original files ``train`` and ``test``;
    - ``cifar-100-python.tar.gz``, which has these and is not unpacked;
    - the original files in the folder itself;
    - ``{train,test}_00.webp`` ..., lossless sheets of 40 x 40 images row by
      row, with ``{train,test}_labels.npy`` (uint8) and, where the order of
      the classes is not the alphabetical one, ``classes.json``.

    The original files are checked by their published MD5 sums and unpickled
    without running anything that they name.

    Args:
        root (str | Path): The folder.
        split (str): ``'train'`` or ``'test'``.

    Returns:
        tuple[ndarray, ndarray]: uint8 images ``(N, 32, 32, 3)``, RGB; int64
        labels ``(N, )``.

    Raises:
        FileNotFoundError: If there is none of them.
        ValueError: If the files are not those of CIFAR-100, or damaged.
    """
    root = Path(root).expanduser()
    for folder in (root / FOLDER, root):
        if (folder / split).is_file():
            return _parse((folder / split).read_bytes(), folder / split, split)
        archive = root / ARCHIVE
        if folder != root and archive.is_file():
            return _parse(_unpack(archive, split), archive, split)
    if (root / f'{split}_00.webp').is_file():
        return _load_sheets(root, split)
    raise FileNotFoundError(
        f'There is no CIFAR-100 in {root} (looked for {ARCHIVE}, {FOLDER}/ '
        f'and {split}_00.webp in {root.absolute()}): download {URL} into it, '
        'or name another folder by the environment variable '
        'INRN_CIFAR100_ROOT or --cfg-options '
        'train_dataloader.dataset.data_root=...'
    )


def published_sums() -> dict[str, str]:
    """List the MD5 sums of the original files, as mmpretrain has them."""
    from mmpretrain.datasets import CIFAR100

    return dict([(CIFAR100.filename, CIFAR100.tgz_md5), *CIFAR100.train_list, *CIFAR100.test_list])


def _check(content: bytes, name: str, path: Path) -> None:
    found = hashlib.md5(content).hexdigest()
    expected = published_sums()[name]
    if found != expected:
        raise ValueError(
            f'{path} is damaged or not the original: its MD5 sum is {found}, '
            f'not {expected}; delete it and download {URL} again.'
        )


def _unpack(archive: Path, split: str) -> bytes:
    content = archive.read_bytes()
    _check(content, ARCHIVE, archive)
    with tarfile.open(fileobj=BytesIO(content)) as tar:
        file = tar.extractfile(f'{FOLDER}/{split}')
        assert file is not None  # a folder's would be, and the sum is checked
        return file.read()


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles numpy's arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if name == '_reconstruct' and module.endswith('core.multiarray'):
            # wherever this version of numpy has it
            return np.empty(0).__reduce__()[0]
        if module == 'numpy' and name in ('ndarray', 'dtype'):
            return getattr(np, name)
        if (module, name) == ('_codecs', 'encode'):
            # Python 3's way to write bytes in Python 2's protocol
            return lambda text, _: text.encode('latin1')
        raise pickle.UnpicklingError(f'it asks for {module}.{name}, which is no array')


def _parse(content: bytes, path: Path, split: str) -> Split:
    """Read an original file: a dict of arrays and lists, pickled by Python 2."""
    _check(content, split, path)
    entry = _ArrayUnpickler(BytesIO(content), encoding='latin1').load()
    images = entry['data'].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return (np.ascontiguousarray(images), np.asarray(entry['fine_labels'], dtype=np.int64))


def _load_sheets(root: Path, split: str) -> Split:
    from PIL import Image

    labels = _read(root / f'{split}_labels.npy', lambda path: np.load(path, allow_pickle=False))
    number = SPLITS[split]
    if labels.shape != (number,) or labels.dtype != np.uint8 or labels.max() >= CLASSES:
        raise ValueError(
            f'{root}/{split}_labels.npy is damaged: it has to hold {number} '
            f'uint8 numbers below {CLASSES}; copy the folder of sheets again.'
        )
    images = []
    for i in range(-(-len(labels) // SHEET**2)):
        path = root / f'{split}_{i:02d}.webp'
        sheet = _read(path, lambda path: np.asarray(Image.open(path)))
        if sheet.shape != (SHEET * SIDE, SHEET * SIDE, 3):
            raise ValueError(
                f'{path} has the shape {sheet.shape}: a sheet has {SHEET} x '
                f'{SHEET} images of {SIDE} x {SIDE} pixels in RGB.'
            )
        images.append(
            sheet.reshape(SHEET, SIDE, SHEET, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)
        )
    labels = _alphabetical(root / 'classes.json', labels.astype(np.int64))
    return np.concatenate(images)[: len(labels)], labels


def _alphabetical(path: Path, labels: np.ndarray) -> np.ndarray:
    """Number the labels by the sorted class names."""
    if not path.is_file():
        return labels
    names = _read(path, lambda path: json.loads(path.read_text()))
    if not isinstance(names, list) or len(set(map(str, names))) != CLASSES:
        raise ValueError(
            f'{path} is damaged: it has to be a list of {CLASSES} names; copy it again.'
        )
    return np.argsort(np.argsort(names))[labels]


def _read(path: Path, read: Callable) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing; copy the folder of sheets again.')
    try:
        return read(path)
    except (OSError, ValueError) as error:
        raise ValueError(f'{path} is damaged ({error}); copy it again.') from error
