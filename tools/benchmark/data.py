"""Images per second that a process prepares for training."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import MODELS, TRANSFORMS, DefaultScope

from inrn_mm.utils.machine import describe

from .timing import interleave, median, ratio

COLUMNS = [
    ('name', 'pipeline', ''),
    ('images', 'images/s', '.0f'),
    ('relative', 'x stock', '.2f'),
    ('relative_low', 'quartiles', '.2f'),
    ('relative_high', '', '.2f'),
]


def run(args: argparse.Namespace) -> dict:
    """Time the preparation of a batch, from memory or JPEG to normalised.

    Args:
        args (Namespace): ``kind``, ``'cifar100'`` (this package's pipeline
            and mmpretrain's stock one) or ``'detection'`` (mmdet's for COCO,
            which this package uses), ``size`` of the JPEG files, ``batch``,
            ``iters``, ``warmup`` and ``device``.

    Returns:
        dict: The rows; the pixels are random.
    """
    with tempfile.TemporaryDirectory() as folder:
        tasks = _cifar100(args) if args.kind == 'cifar100' else _detection(args, Path(folder))
        seconds = interleave(tasks, args.iters, args.warmup, args.device)
    rows = []
    for name, own in seconds.items():
        row = dict(name=name, images=args.batch / median(own))
        if 'stock' in seconds:
            faster = ratio(seconds['stock'], own)
            row.update(
                relative=faster['ratio'], relative_low=faster['low'], relative_high=faster['high']
            )
        rows.append(row)
    return dict(rows=rows, machine=describe(args.device))


def _compose(pipeline: list, scope: str) -> Compose:
    with DefaultScope.overwrite_default_scope(scope):
        return Compose([TRANSFORMS.build(cfg) for cfg in pipeline])


def _preprocessor(cfg: dict, scope: str, device: str) -> torch.nn.Module:
    with DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(cfg).to(device)


def _cifar100(args: argparse.Namespace) -> dict[str, Callable[[], None]]:
    from inrn_mm import classification  # noqa: F401, registers it
    from inrn_mm.datasets.cifar100 import InMemoryCIFAR100

    images = np.random.default_rng(0).integers(256, size=(4096, 32, 32, 3), dtype=np.uint8)
    picks = np.random.default_rng(1).integers(4096, size=args.batch).tolist()

    dataset = InMemoryCIFAR100('', device=args.device, lazy_init=True)
    dataset.images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(args.device)
    dataset.labels = torch.zeros(4096, dtype=torch.long, device=args.device)
    dataset._fully_initialized = True
    normalise = dict(
        num_classes=100,
        mean=[129.304, 124.070, 112.434],
        std=[68.170, 65.392, 70.418],
        to_rgb=False,
    )
    ours = _preprocessor(
        dict(
            type='BatchPreprocessor',
            transforms=[dict(type='BatchCropFlip', padding=4)],
            **normalise,
        ),
        'mmpretrain',
        args.device,
    )

    stock_cfg = Config.fromfile(_config('mmpretrain', '_base_/datasets/cifar100_bs16.py'))
    pipeline = _compose(stock_cfg.train_pipeline, 'mmpretrain')
    stock = _preprocessor(dict(type='ClsDataPreprocessor', **normalise), 'mmpretrain', args.device)

    def one_by_one() -> None:
        stock(pseudo_collate([pipeline(dict(img=images[i], gt_label=0)) for i in picks]), True)

    return dict(stock=one_by_one, ours=lambda: ours(dataset.__getitems__(picks), True))


def _detection(args: argparse.Namespace, folder: Path) -> dict[str, Callable[[], None]]:
    import cv2

    height, width = args.size
    cfg = Config.fromfile(_config('mmdet', '_base_/datasets/coco_detection.py'))
    pipeline = _compose(cfg.train_pipeline, 'mmdet')
    preprocessor = _preprocessor(
        Config.fromfile(
            _config('mmdet', '_base_/models/faster-rcnn_r50_fpn.py')
        ).model.data_preprocessor,
        'mmdet',
        args.device,
    )
    random = np.random.default_rng(0)
    files = []
    for i in range(args.batch):
        # smooth, as photographs are: noise takes JPEG far longer
        small = random.integers(256, size=(height // 8, width // 8, 3), dtype=np.uint8)
        files.append(str(folder / f'{i}.jpg'))
        cv2.imwrite(files[-1], cv2.resize(small, (width, height)))
    boxes = [dict(bbox=[10.0, 10.0, 60.0, 60.0], bbox_label=0, ignore_flag=0) for _ in range(8)]

    def load() -> None:
        preprocessor(
            pseudo_collate(
                [
                    pipeline(
                        dict(
                            img_path=file,
                            img_id=i,
                            height=height,
                            width=width,
                            instances=[dict(box) for box in boxes],
                        )
                    )
                    for i, file in enumerate(files)
                ]
            ),
            True,
        )

    return {'mmdet, COCO': load}


def _config(package: str, name: str) -> str:
    from mmengine.utils import get_installed_path

    return str(Path(get_installed_path(package)) / '.mim/configs' / name)
