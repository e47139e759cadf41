"""A VOC-style set of a few synthetic images, for tests."""

from pathlib import Path

import cv2
import numpy as np

OBJECT = (
    '<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>'
    '<ymax>{}</ymax></bndbox></object>'
)


def make_voc(root: Path, objects: list[list[tuple]], classes: tuple[str, ...]) -> dict:
    """Write images with their XML files.

    Args:
        root (Path): Folder to write into.
        objects (list[list[tuple]]): For each image its objects, (name, xmin,
            ymin, xmax, ymax).
        classes (tuple[str]): Of the config.

    Returns:
        dict: Config of the dataset, an ``XMLDataset``.
    """
    for folder in ('JPEGImages', 'Annotations'):
        (root / folder).mkdir(parents=True)
    rng = np.random.RandomState(0)
    for i, entries in enumerate(objects):
        pixels = rng.randint(0, 255, (64, 80, 3)).astype(np.uint8)
        cv2.imwrite(str(root / 'JPEGImages' / f'{i}.jpg'), pixels)
        text = ''.join(OBJECT.format(*entry) for entry in entries)
        (root / 'Annotations' / f'{i}.xml').write_text(
            f'<annotation><size><width>80</width><height>64</height></size>{text}</annotation>'
        )
    (root / 'train.txt').write_text('\n'.join(map(str, range(len(objects)))))
    return dict(
        type='XMLDataset',
        data_root=f'{root}/',
        ann_file='train.txt',
        data_prefix=dict(sub_data_root=''),
        metainfo=dict(classes=classes),
        pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)],
    )
