"""A small classification set of real handwriting, without a download.

The 1797 digits of scikit-learn (8 x 8 scans, the test part of the UCI
`Optical Recognition of Handwritten Digits
<https://archive.ics.uci.edu/dataset/80>`_), enlarged and written as one
folder for each class, as ``mmpretrain.CustomDataset`` reads them.

The scans are in the order of their writers, and the split keeps it: the
validation images are the last 500, of hands that the training images hardly
show. Three folders:

- ``pool``: the first 1297 scans, which a teacher learns from;
- ``train``: a few of the pool, as many of each class, for a student;
- ``val``: the last 500.

Example:
    python -m tools.demo.digits data/digits --train 200 --size 16
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from .made_set import make_once

SETTINGS_FILE = 'digits.json'
# Part of the settings: a set made by an older recipe is not reused.
RECIPE = 1
CLASSES = tuple('0123456789')
VAL = 500


@dataclass(frozen=True)
class DigitsSettings:
    """Settings that determine the set.

    Args:
        train (int): Number of images of the ``train`` folder, a multiple of
            ten. Defaults to 200.
        pool (int, optional): Number of images of the ``pool`` folder, spread
            evenly over all of them. Defaults to None, all 1297.
        val (int): Number of images of the ``val`` folder, the last ones.
            Defaults to 500.
        size (int): Side of the images in pixels. Defaults to 16.
        seed (int): Seed of the choice of ``train``. Defaults to 0.

    Raises:
        ValueError: If a number is outside its range.
    """

    train: int = 200
    pool: int | None = None
    val: int = VAL
    size: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if self.train % 10 or not 10 <= self.train <= 1000:
            raise ValueError(f'train={self.train}: choose a multiple of ten from 10 to 1000.')
        if not 1 <= self.val <= VAL:
            raise ValueError(f'val={self.val}: choose 1 to {VAL}.')
        if self.size < 8:
            raise ValueError(f'size={self.size}: the scans have 8 pixels, choose 8 or more.')


def make_digits(out: str | Path, settings: DigitsSettings | None = None) -> Path:
    """Make the set, or reuse it if it is there with the same settings.

    Args:
        out (str | Path): Folder of the set.
        settings (DigitsSettings, optional): What to make. Defaults to the
            defaults of :class:`DigitsSettings`.

    Returns:
        Path: ``out``, with gray PNG files ``{split}/{class}/{scan}.png``.

    Raises:
        FileExistsError: If ``out`` holds something else.
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    settings = settings or DigitsSettings()

    def write(folder: Path) -> None:
        scans, labels = load_scans()
        for split, indices in split_scans(labels, settings).items():
            for name in CLASSES:  # empty ones count, too
                (folder / split / name).mkdir(parents=True)
            for i in indices:
                file = folder / split / CLASSES[labels[i]] / f'{i:04d}.png'
                cv2.imwrite(str(file), enlarge(scans[i], settings.size))

    return make_once(out, SETTINGS_FILE, dict(recipe=RECIPE, settings=asdict(settings)), write)


def load_scans() -> tuple:
    """Load the scans as they ship.

    Returns:
        tuple[ndarray, ndarray]: (1797, 8, 8) float, 0 to 16, in the order of
        their writers; (1797, ) labels.

    Raises:
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'The digits are those of scikit-learn: pip install scikit-learn.'
        ) from error
    digits = load_digits()
    return digits.images, digits.target


def split_scans(labels: np.ndarray, settings: DigitsSettings) -> dict[str, np.ndarray]:
    """Choose the scans of each folder, see the module.

    Args:
        labels (ndarray): Labels of all scans.
        settings (DigitsSettings): Sizes and seed.

    Returns:
        dict[str, ndarray]: ``train`` is part of ``pool`` unless that is
        smaller than all; ``val`` has nothing of either.
    """
    first = np.arange(len(labels) - VAL)
    rng = np.random.default_rng(settings.seed)
    train = [
        rng.permutation(first[labels[first] == label])[: settings.train // 10]
        for label in range(len(CLASSES))
    ]
    count = settings.pool or len(first)
    return dict(
        pool=first[np.linspace(0, len(first) - 1, count).astype(int)],
        train=np.sort(np.concatenate(train)),
        val=np.arange(len(labels) - settings.val, len(labels)),
    )


def enlarge(scan: np.ndarray, size: int) -> np.ndarray:
    """Enlarge a scan to a picture.

    Args:
        scan (ndarray): (8, 8), 0 to 16.
        size (int): Side of the picture.

    Returns:
        ndarray: uint8 (size, size), white on black.
    """
    large = cv2.resize(scan * (255 / 16), (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(large.round(), 0, 255).astype(np.uint8)


def main(args: Sequence[str] | None = None) -> None:
    """Make the set from the command line.

    Args:
        args (Sequence[str], optional): Arguments of the command line. Defaults to None,
            those of the process.

    Raises:
        SystemExit: If the set cannot be made.
    """
    defaults = DigitsSettings()
    parser = argparse.ArgumentParser(
        prog='python -m tools.demo.digits',
        description='Write the handwritten digits of scikit-learn as folders of images.',
        epilog='Example: python -m tools.demo.digits data/digits --train 200 --size 16',
    )
    parser.add_argument('out', help='folder of the set')
    for name, text in (
        ('train', 'images for a student'),
        ('size', 'side of an image in pixels'),
        ('seed', 'seed of the choice of these images'),
    ):
        default = getattr(defaults, name)
        parser.add_argument(
            f'--{name}', type=int, default=default, help=f'{text} (default: {default})'
        )
    values = vars(parser.parse_args(args))
    out = values.pop('out')
    try:
        folder = make_digits(out, DigitsSettings(**values))
    except (ValueError, FileExistsError, ModuleNotFoundError) as error:
        raise SystemExit(str(error)) from None
    print(f'The set is in {folder}')


if __name__ == '__main__':
    main()
