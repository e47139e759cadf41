"""A small COCO-format set made of real pixels, without a download.

Handwritten digits (scikit-learn, 8 x 8 scans of the UCI optical digits) are
enlarged, turned, coloured and laid on photographs that ship inside
scikit-learn and scikit-image. A mask holds exactly the pixels in
which its digit is visible.

The set has the layout of COCO 2017 and serves `mmdet.CocoDataset` as it is.
It exists to run the whole detection job anywhere within minutes; its AP says
nothing about COCO.

Example:
    python -m tools.demo.coco data/demo_coco --train 200 --val 50
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from .coco_images import compose_image
from .coco_sources import SPLITS, DemoCocoSettings, load_glyphs, load_photographs
from .made_set import make_once

SETTINGS_FILE = 'demo_coco.json'
# Part of the settings: a set made by an older recipe is not reused.
RECIPE = 1


def make_demo_coco(
    out: str | Path, settings: DemoCocoSettings | None = None, progress: bool = True
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
    """List everything the set depends on."""
    return dict(recipe=RECIPE, settings=asdict(settings), photographs=sorted(photographs))


def parse_args(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        args (Sequence[str], optional): Arguments of the command line. Defaults to None,
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
