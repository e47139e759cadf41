"""A small COCO-format set made of real pixels, without a download.

Handwritten digits (scikit-learn, 8 x 8 scans of the UCI optical digits) are
enlarged, turned, coloured and laid on photographs that ship inside
scikit-learn and scikit-image. Masks are exact: a mask is the set of pixels in
which the digit is what one sees, after everything laid over it.

The set has the layout of COCO 2017 and serves `mmdet.CocoDataset` as it is.
It exists to run the whole detection job anywhere within minutes; its AP says
nothing about COCO.

Example:
    python -m tools.demo.coco data/demo_coco --train 200 --val 50
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from .made_set import make_once

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
SETTINGS_FILE = 'demo_coco.json'
# Part of the settings: a set made by an older recipe is not reused.
RECIPE = 1

# Share of each photograph's width (left part) and of the digit samples that
# belong to the training split.
TRAIN_SHARE = 0.72
# At most this share of a digit is covered by those laid over it.
MAX_COVER = 0.25
# Digits of the tiny case and of a crowd heap, in units of the image side.
TINY_SIDE = (0.05, 0.08)
HEAP_SIDE = (0.09, 0.12)


@dataclass(frozen=True)
class DemoCocoSettings:
    """What determines the set, byte for byte.

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


def make_demo_coco(
    out: 'str | Path', settings: DemoCocoSettings | None = None, progress: bool = True
) -> Path:
    """Make the set, or reuse it if it is there with the same settings.

    The set is written beside ``out`` and moved into place when it is
    complete, so ``out`` never holds half a set.

    Args:
        out (str | Path): Folder of the set.
        settings (DemoCocoSettings, optional): What to make. Defaults to the
            defaults of :class:`DemoCocoSettings`.
        progress (bool): Whether to show a progress bar. Defaults to True.

    Returns:
        Path: ``out``, with ``annotations/instances_{train,val}2017.json``,
        ``train2017/`` and ``val2017/``.

    Raises:
        FileExistsError: If ``out`` holds something other than a demo set.
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    out = Path(out)
    settings = settings or DemoCocoSettings()
    photographs = load_photographs()

    def write(folder: Path) -> None:
        glyphs = load_glyphs(settings)
        for split in SPLITS:
            _write_split(folder, split, settings, photographs, glyphs[split], progress)

    return make_once(out, SETTINGS_FILE, _describe(settings, photographs), write)


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
        dict[str, list[dict]]: Of each split the scans by label: a dict from
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


def compose_image(
    rng: np.random.Generator,
    split: str,
    settings: DemoCocoSettings,
    photographs: dict[str, np.ndarray],
    glyphs: Sequence[dict[int, np.ndarray]],
) -> tuple[np.ndarray, dict, list[dict]]:
    """Lay digits on a piece of a photograph.

    Args:
        rng (np.random.Generator): Source of every choice.
        split (str): 'train' or 'val'; chooses the part of the photograph.
        settings (DemoCocoSettings): Sizes and numbers.
        photographs (dict[str, ndarray]): See :func:`load_photographs`.
        glyphs (Sequence[dict]): The split's scans by label, see
            :func:`load_glyphs`.

    Returns:
        tuple[ndarray, dict, list[dict]]: uint8 BGR image of shape
        (size, size, 3); where the background is from (``photograph``,
        ``crop`` as x, y, w, h in its pixels); and the objects from the lowest
        to the topmost, each with ``mask`` (bool, (size, size), visible
        pixels), ``label``, ``iscrowd`` and ``samples`` (indices of scans).
    """
    image, source = _background(rng, split, settings.size, photographs)
    objects: list[dict] = []

    def scan_of(label: int) -> tuple[int, np.ndarray]:
        index = int(rng.choice(list(glyphs[label])))
        return index, glyphs[label][index]

    if rng.random() < settings.crowd:
        _lay_heap(rng, image, objects, settings, scan_of)
    sides = list(
        np.exp(
            rng.uniform(
                *np.log(settings.side), rng.integers(settings.objects[0], settings.objects[1] + 1)
            )
        )
    )
    if rng.random() < settings.tiny:
        sides.append(rng.uniform(*TINY_SIDE))
    # Large ones first: what comes later still finds a gap.
    for side in sorted(sides, reverse=True):
        label = int(rng.integers(settings.classes))
        index, glyph = scan_of(label)
        alpha = _draw_glyph(
            glyph, side * settings.size, rng.uniform(-settings.max_angle, settings.max_angle)
        )
        spot = _find_spot(rng, alpha, objects, settings.size)
        if spot is not None:
            _lay(rng, image, objects, alpha, spot, dict(label=label, iscrowd=0, samples=[index]))
    return image, source, objects


def encode_rle(mask: np.ndarray) -> dict:
    """Encode a mask as COCO's uncompressed run lengths.

    Args:
        mask (ndarray): bool, (H, W).

    Returns:
        dict: ``size`` [H, W] and ``counts``, the lengths of the runs of zeros
        and ones in column order, starting with zeros.
    """
    flat = np.concatenate([[False], mask.ravel(order='F')])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate([[0], edges, [mask.size]]))
    return dict(size=list(mask.shape), counts=counts.tolist())


def _background(
    rng: np.random.Generator, split: str, size: int, photographs: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict]:
    """Cut a square out of the split's part of a photograph and dim it."""
    name = str(rng.choice(list(photographs)))
    photograph = photographs[name]
    height, width = photograph.shape[:2]
    cut = round(TRAIN_SHARE * width)
    left, right = (0, cut) if split == 'train' else (cut, width)
    largest = min(height, right - left)
    side = int(rng.integers(largest // 2, largest + 1))
    x = int(rng.integers(left, right - side + 1))
    y = int(rng.integers(0, height - side + 1))
    piece = photograph[y : y + side, x : x + side]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    piece = cv2.resize(
        np.ascontiguousarray(piece),
        (size, size),
        interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC,
    )
    # Dimmed, so that a bright digit stands out from any photograph.
    image = (piece * rng.uniform(0.4, 0.7)).astype(np.float32)
    return image, dict(photograph=name, crop=[x, y, side, side])


def _draw_glyph(glyph: np.ndarray, side: float, angle: float) -> np.ndarray:
    """Enlarge and turn a scan; opacity in [0, 1] of the tight rectangle."""
    reach = int(np.ceil(side * 1.5)) + 2
    matrix = cv2.getRotationMatrix2D((3.5, 3.5), angle, side / 8)
    matrix[:, 2] += reach / 2 - 3.5
    smooth = cv2.warpAffine(glyph, matrix, (reach, reach), flags=cv2.INTER_CUBIC)
    alpha = np.clip((smooth - 0.3) / 0.3, 0, 1)
    rows, columns = np.nonzero(alpha > 0.5)
    return alpha[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _find_spot(
    rng: np.random.Generator, alpha: np.ndarray, objects: list[dict], size: int
) -> tuple[int, int] | None:
    """Find a place that leaves what is already there visible."""
    height, width = alpha.shape
    solid = alpha > 0.5
    for _ in range(30):
        x = int(rng.integers(0, size - width + 1))
        y = int(rng.integers(0, size - height + 1))
        window = np.s_[y : y + height, x : x + width]
        visible = (
            np.count_nonzero(o['mask']) - np.count_nonzero(o['mask'][window] & solid)
            for o in objects
        )
        if all(v >= (1 - o['max_cover']) * o['area'] for v, o in zip(visible, objects)):
            return x, y
    return None


def _lay(
    rng: np.random.Generator,
    image: np.ndarray,
    objects: list[dict],
    alpha: np.ndarray,
    spot: tuple[int, int],
    entry: dict,
) -> None:
    """Paint a digit and take its pixels from the objects below it."""
    x, y = spot
    height, width = alpha.shape
    window = np.s_[y : y + height, x : x + width]
    hue, saturation = rng.uniform(0, 180), rng.uniform(0, 140)
    hsv = np.uint8([[[hue, saturation, rng.uniform(215, 255)]]])
    colour = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0]
    opacity = alpha[..., None]
    image[window] = image[window] * (1 - opacity) + colour * opacity

    mask = np.zeros(image.shape[:2], bool)
    mask[window] = alpha > 0.5
    for below in objects:
        below['mask'] &= ~mask
    objects.append(dict(entry, mask=mask, area=np.count_nonzero(mask), max_cover=MAX_COVER))


def _lay_heap(
    rng: np.random.Generator,
    image: np.ndarray,
    objects: list[dict],
    settings: DemoCocoSettings,
    scan_of,
) -> None:
    """Heap small digits of one class: one crowd object."""
    size = settings.size
    label = int(rng.integers(settings.classes))
    centre = rng.uniform(0.2, 0.8, 2) * size
    heap: list[dict] = []
    for _ in range(int(rng.integers(8, 14))):
        index, glyph = scan_of(label)
        alpha = _draw_glyph(glyph, rng.uniform(*HEAP_SIDE) * size, rng.uniform(-180, 180))
        height, width = alpha.shape
        x, y = (centre + rng.normal(0, 0.06 * size, 2)).astype(int)
        spot = (int(np.clip(x, 0, size - width)), int(np.clip(y, 0, size - height)))
        _lay(rng, image, heap, alpha, spot, dict(samples=[index]))
    mask = np.any([o['mask'] for o in heap], axis=0)
    objects.append(
        dict(
            mask=mask,
            area=np.count_nonzero(mask),
            max_cover=0,
            label=label,
            iscrowd=1,
            samples=sum((o['samples'] for o in heap), []),
        )
    )


def _write_split(
    folder: Path,
    split: str,
    settings: DemoCocoSettings,
    photographs: dict[str, np.ndarray],
    glyphs: list[dict[int, np.ndarray]],
    progress: bool,
) -> None:
    """Write the images and the annotation file of one split."""
    images_dir = folder / f'{split}2017'
    images_dir.mkdir()
    number = getattr(settings, split)
    images, annotations = [], []
    for image_id in track(range(1, number + 1), f'{split}2017', disable=not progress):
        rng = np.random.default_rng([settings.seed, SPLITS.index(split), image_id])
        image, source, objects = compose_image(rng, split, settings, photographs, glyphs)
        file_name = f'{image_id:012d}.jpg'
        encoded = cv2.imencode(
            '.jpg', image.round().astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95]
        )[1]
        (images_dir / file_name).write_bytes(encoded.tobytes())
        images.append(
            dict(
                id=image_id,
                file_name=file_name,
                height=settings.size,
                width=settings.size,
                **source,
            )
        )
        annotations += [
            _annotation(len(annotations) + i, image_id, entry) for i, entry in enumerate(objects, 1)
        ]
    categories = [
        dict(id=label + 1, name=name, supercategory='digit')
        for label, name in enumerate(settings.names)
    ]
    target = folder / 'annotations' / f'instances_{split}2017.json'
    target.parent.mkdir(exist_ok=True)
    target.write_text(
        json.dumps(
            dict(
                info=dict(description='Handwritten digits on photographs, made by tools.demo.coco'),
                images=images,
                annotations=annotations,
                categories=categories,
            )
        )
    )


def _annotation(annotation_id: int, image_id: int, entry: dict) -> dict:
    """Describe an object by what is visible of it."""
    mask = entry['mask']
    rows, columns = np.nonzero(mask)
    x, y = int(columns.min()), int(rows.min())
    return dict(
        id=annotation_id,
        image_id=image_id,
        category_id=entry['label'] + 1,
        iscrowd=entry['iscrowd'],
        bbox=[x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y],
        area=int(np.count_nonzero(mask)),
        segmentation=encode_rle(mask),
        digit_samples=entry['samples'],
    )


def _describe(settings: DemoCocoSettings, photographs: dict[str, np.ndarray]) -> dict:
    """Everything the set depends on."""
    return dict(recipe=RECIPE, settings=asdict(settings), photographs=sorted(photographs))


def parse_args(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        args (Sequence[str], optional): Of the command line. Defaults to None,
            those of the process.

    Returns:
        Namespace: ``out`` and the fields of :class:`DemoCocoSettings`.
    """
    defaults = DemoCocoSettings()
    parser = argparse.ArgumentParser(
        prog='python -m tools.demo.coco',
        description='Make a small COCO-format set of handwritten digits on '
        'photographs, without a download.',
        epilog='Example: python -m tools.demo.coco '
        'data/demo_coco --train 200 --val 50 --size 160 --seed 0',
    )
    parser.add_argument('out', help='folder of the set')
    for name, text in (
        ('train', 'training images'),
        ('val', 'validation images'),
        ('size', 'side of an image in pixels'),
        ('seed', 'seed of every random choice'),
        ('classes', 'number of digit classes, 1 to 10'),
    ):
        default = getattr(defaults, name)
        parser.add_argument(
            f'--{name}', type=int, default=default, help=f'{text} (default: {default})'
        )
    return parser.parse_args(args)


def main() -> None:
    """Make the set from the command line.

    Raises:
        SystemExit: If the set cannot be made.
    """
    args = parse_args()
    out = args.__dict__.pop('out')
    try:
        folder = make_demo_coco(out, DemoCocoSettings(**vars(args)))
    except (ValueError, FileExistsError, ModuleNotFoundError) as error:
        raise SystemExit(str(error)) from None
    print(f'The set is in {folder}')


if __name__ == '__main__':
    main()
