"""What the demo's COCO set is made of: settings, photographs, scanned digits."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import cv2
import numpy as np

DIGIT_NAMES = ('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')
# Photographs that are files of the installed package. Everything else of
# skimage.data (text, microscopy) is no photograph or needs a download.
PHOTOGRAPHS = {
    'sklearn.datasets': ('images/china.jpg', 'images/flower.jpg'),
    'skimage.data': (
        'astronaut.png',
        'brick.png',
        'camera.png',
        'chelsea.png',
        'coffee.png',
        'grass.png',
        'gravel.png',
        'hubble_deep_field.jpg',
        'motorcycle_left.png',
        'rocket.jpg',
    ),
}
SPLITS = ('train', 'val')
# Share of each photograph's width (left part) and of the digit samples that
# belong to the training split.
TRAIN_SHARE = 0.72


@dataclass(frozen=True)
class DemoCocoSettings:
    """Settings that determine every byte of the set.

    Args:
        train (int): Number of training images. Defaults to 200.
        val (int): Number of validation images. Defaults to 50.
        size (int): Side of the square images in pixels. Defaults to 160.
        seed (int): Seed of every random choice. Defaults to 0.
        classes (int): The digits 0 ... classes - 1 are the categories.
            Defaults to 10.
        objects (tuple[int, int]): Least and largest number of digits tried
            per image, the tiny ones and the heap not counted.
            Defaults to (4, 9).
        side (tuple[float, float]): Smallest and largest height of a digit in
            units of the image side. Defaults to (0.16, 0.36).
        max_angle (float): Largest rotation either way in degrees.
            Defaults to 20.
        tiny (float): Share of the images with a tiny digit.
            Defaults to 0.1.
        crowd (float): Share of the images with a crowd heap.
            Defaults to 0.1.

    Raises:
        ValueError: If a number is outside its range.
    """

    train: int = 200
    val: int = 50
    size: int = 160
    seed: int = 0
    classes: int = 10
    objects: tuple[int, int] = (4, 9)
    side: tuple[float, float] = (0.16, 0.36)
    max_angle: float = 20.0
    tiny: float = 0.1
    crowd: float = 0.1

    def __post_init__(self) -> None:
        if self.train < 1 or self.val < 1:
            raise ValueError(
                f'The demo set needs at least one image per split, got '
                f'train={self.train}, val={self.val}.'
            )
        if self.size < 64:
            raise ValueError(
                f'size={self.size} is too small for digits one can read: use 64 or more.'
            )
        if not 1 <= self.classes <= len(DIGIT_NAMES):
            raise ValueError(
                f'classes={self.classes}: there are {len(DIGIT_NAMES)} '
                f'digits, choose 1 to {len(DIGIT_NAMES)}.'
            )

    @property
    def names(self) -> tuple[str, ...]:
        """tuple[str]: Category names, in the order of their labels."""
        return DIGIT_NAMES[: self.classes]


def load_photographs() -> dict[str, np.ndarray]:
    """Read the photographs of the installed packages.

    Returns:
        dict[str, ndarray]: Name of the photograph to its pixels, uint8 BGR of
        shape (H, W, 3). Those of scikit-image are left out if it, or the
        file, is not installed.

    Raises:
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    photographs = {}
    for package, files in PHOTOGRAPHS.items():
        try:
            folder = resources.files(package)
        except ModuleNotFoundError as error:
            if package.startswith('sklearn'):
                raise ModuleNotFoundError(
                    'The demo set is made of the digits and photographs of '
                    'scikit-learn: pip install scikit-learn '
                    'scikit-image.'
                ) from error
            continue
        for name in files:
            file = folder.joinpath(name)
            if not file.is_file():
                continue
            pixels = np.frombuffer(file.read_bytes(), np.uint8)
            photographs[Path(name).stem] = cv2.imdecode(pixels, cv2.IMREAD_COLOR)
    return photographs


def load_glyphs(settings: DemoCocoSettings) -> dict[str, list[dict]]:
    """Read the digit scans and deal them to the splits.

    Args:
        settings (DemoCocoSettings): Seed and number of classes.

    Returns:
        dict[str, list[dict]]: Split to its scans by label: a dict from
        the scan's index in ``load_digits`` to its (8, 8) float32 array in
        [0, 1]. No scan is in both splits.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    rng = np.random.default_rng([settings.seed, len(SPLITS)])
    dealt = {split: [] for split in SPLITS}
    for label in range(settings.classes):
        indices = rng.permutation(np.flatnonzero(digits.target == label))
        cut = round(TRAIN_SHARE * len(indices))
        for split, part in zip(SPLITS, (indices[:cut], indices[cut:])):
            dealt[split].append({int(i): (digits.images[i] / 16).astype(np.float32) for i in part})
    return dealt
