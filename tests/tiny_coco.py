"""A COCO-format set of a few synthetic images, for tests.

Coloured rectangles, discs and triangles on noise, with exact polygons: enough
for any detector config to run on, and learnable in a few dozen steps.
"""

import json
from pathlib import Path

import numpy as np

CLASSES = ('box', 'disc', 'triangle')
PALETTE = [(220, 60, 40), (60, 200, 80), (70, 90, 230)]


def make_tiny_coco(
    root: str | Path,
    num_images: int = 4,
    seed: int = 0,
    size: tuple[int, int] = (64, 80),
    max_objects: int = 3,
    classes: tuple[str, ...] = CLASSES,
) -> dict[str, str]:
    """Write ``num_images`` pictures and their annotations.

    Args:
        root (str | Path): Folder to write into; made if missing.
        num_images (int): Number of images. Defaults to 4.
        seed (int): Same seed, same files. Defaults to 0.
        size (tuple[int, int]): Height and width in pixels; every second image
            is transposed. Defaults to (64, 80).
        max_objects (int): Each image has 1 to this many objects.
            Defaults to 3.
        classes (tuple[str]): Category names; shapes repeat after three.
            Defaults to ``CLASSES``.

    Returns:
        dict[str, str]: ``root``, ``ann_file`` (``root/annotations.json``) and
        ``img_dir`` (``root/images``).
    """
    import cv2

    root = Path(root)
    img_dir = root / 'images'
    img_dir.mkdir(parents=True, exist_ok=True)
    rng = np.random.RandomState(seed)
    images: list[dict] = []
    annotations: list[dict] = []
    for i in range(num_images):
        height, width = size if i % 2 == 0 else size[::-1]
        image = rng.randint(90, 130, (height, width, 3)).astype(np.uint8)
        name = f'{i:04d}.png'
        images.append(dict(id=i + 1, file_name=name, height=height, width=width))
        for _ in range(rng.randint(1, max_objects + 1)):
            label = int(rng.randint(len(classes)))
            points = _shape(rng, label % 3, height, width)
            cv2.fillPoly(image, [points], PALETTE[label % 3])
            x, y, w, h = cv2.boundingRect(points)
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=i + 1,
                    category_id=label + 1,
                    bbox=[x, y, w, h],
                    area=float(cv2.contourArea(points)),
                    segmentation=[points.flatten().tolist()],
                    iscrowd=0,
                )
            )
        cv2.imwrite(str(img_dir / name), image[..., ::-1])
    ann_file = root / 'annotations.json'
    ann_file.write_text(
        json.dumps(
            dict(
                images=images,
                annotations=annotations,
                categories=[dict(id=i + 1, name=name) for i, name in enumerate(classes)],
            )
        )
    )
    return dict(root=str(root), ann_file=str(ann_file), img_dir=str(img_dir))


def _shape(rng: np.random.RandomState, kind: int, height: int, width: int) -> np.ndarray:
    """Corner points ``(N, 2)`` of a rectangle, disc or triangle inside."""
    radius = int(rng.randint(8, min(height, width) // 3))
    cx = int(rng.randint(radius, width - radius))
    cy = int(rng.randint(radius, height - radius))
    turns = {0: np.array([1, 3, 5, 7]) / 8, 1: np.arange(16) / 16, 2: np.array([3, 7, 11]) / 12}[
        kind
    ]
    angles = 2 * np.pi * turns
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * radius
    return np.round(points + [cx, cy]).astype(np.int32)


def tiny_dataloader(
    paths: dict[str, str],
    train: bool = True,
    batch_size: int = 2,
    scale: tuple[int, int] = (80, 64),
    with_mask: bool = False,
    classes: tuple[str, ...] = CLASSES,
) -> dict:
    """Dataloader config over a folder of :func:`make_tiny_coco`.

    Args:
        paths (dict): What :func:`make_tiny_coco` returned.
        train (bool): With annotations, shuffled and flipped, against in order
            and for evaluation. Defaults to True.
        batch_size (int): Images per process. Defaults to 2.
        scale (tuple[int, int]): Longest edges (w, h) to resize into.
            Defaults to (80, 64).
        with_mask (bool): Load polygons too. Defaults to False.
        classes (tuple[str]): Category names. Defaults to ``CLASSES``.

    Returns:
        dict: Config for ``train_dataloader`` or ``test_dataloader``.
    """
    load = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=with_mask),
    ]
    resize = dict(type='Resize', scale=scale, keep_ratio=True)
    if train:
        pipeline = load + [resize, dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]
    else:
        pipeline = [
            load[0],
            resize,
            load[1],
            dict(
                type='PackDetInputs',
                meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
            ),
        ]
    return dict(
        batch_size=batch_size,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=train),
        dataset=dict(
            type='CocoDataset',
            data_root=paths['root'],
            ann_file='annotations.json',
            data_prefix=dict(img='images/'),
            metainfo=dict(classes=tuple(classes)),
            test_mode=not train,
            pipeline=pipeline,
        ),
    )


def tiny_faster_rcnn(
    backbone: dict,
    in_channels: tuple[int, ...],
    num_classes: int = len(CLASSES),
    with_mask: bool = False,
    width: int = 16,
) -> dict:
    """Model config of a narrow FPN Faster (or Mask) R-CNN.

    Args:
        backbone (dict): Config of a backbone of strides 4, 8, 16, 32.
        in_channels (tuple[int]): Channels of its four maps.
        num_classes (int): Number of classes. Defaults to 3.
        with_mask (bool): Mask R-CNN. Defaults to False.
        width (int): Channels of neck and heads. Defaults to 16.

    Returns:
        dict: Config for ``MODELS`` of mmdet.
    """
    import mmdet
    from mmengine.config import Config

    name = 'mask-rcnn' if with_mask else 'faster-rcnn'
    model = Config.fromfile(
        Path(mmdet.__file__).parent / f'.mim/configs/_base_/models/{name}_r50_fpn.py'
    ).model
    model.backbone = dict(backbone)
    model.neck.update(in_channels=list(in_channels), out_channels=width)
    model.data_preprocessor.pad_mask = with_mask
    model.rpn_head.update(in_channels=width, feat_channels=width)
    roi_head = model.roi_head
    roi_head.bbox_roi_extractor.out_channels = width
    roi_head.bbox_head.update(in_channels=width, fc_out_channels=32, num_classes=num_classes)
    if with_mask:
        roi_head.mask_roi_extractor.out_channels = width
        roi_head.mask_head.update(
            in_channels=width, conv_out_channels=width, num_classes=num_classes, num_convs=1
        )
    model.train_cfg.rpn_proposal.update(nms_pre=100, max_per_img=50)
    model.test_cfg.rpn.update(nms_pre=100, max_per_img=50)
    model.train_cfg.rcnn.sampler.num = 32
    return model.to_dict()


def tiny_config(
    paths: dict[str, str],
    model: dict | None = None,
    epochs: int = 2,
    lr: float = 0.02,
    with_mask: bool = False,
) -> dict:
    """A whole config: train, val and test on the same tiny images.

    Args:
        paths (dict): What :func:`make_tiny_coco` returned.
        model (dict, optional): Model config. Defaults to None: Faster R-CNN
            on a narrow ``INRN``.
        epochs (int): Epochs, each with a checkpoint and a validation.
            Defaults to 2.
        lr (float): Learning rate of SGD with momentum. Defaults to 0.02.
        with_mask (bool): Mask R-CNN, bbox and segm mAP. Defaults to False.

    Returns:
        dict: Config for ``Runner.from_cfg``, less ``work_dir``.
    """
    if model is None:
        widths = (8, 8, 16, 16)
        model = tiny_faster_rcnn(
            dict(type='INRN', arch=dict(widths=widths, depths=(1, 1, 1, 1))),
            widths,
            with_mask=with_mask,
        )
    evaluator = dict(
        type='CocoMetric',
        ann_file=paths['ann_file'],
        metric=['bbox', 'segm'] if with_mask else 'bbox',
    )
    test_dataloader = tiny_dataloader(paths, train=False, with_mask=with_mask)
    return dict(
        default_scope='mmdet',
        custom_imports=dict(imports=['inrn_mm']),
        model=model,
        train_dataloader=tiny_dataloader(paths, with_mask=with_mask),
        val_dataloader=test_dataloader,
        test_dataloader=test_dataloader,
        val_evaluator=evaluator,
        test_evaluator=evaluator,
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=epochs),
        val_cfg=dict(type='ValLoop'),
        test_cfg=dict(type='TestLoop'),
        optim_wrapper=dict(
            type='OptimWrapper',
            optimizer=dict(type='SGD', lr=lr, momentum=0.9),
            clip_grad=dict(max_norm=35),
        ),
        param_scheduler=[dict(type='ConstantLR', factor=1.0)],
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='CheckpointHook', interval=1),
            visualization=dict(type='DetVisualizationHook'),
        ),
        visualizer=dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
        randomness=dict(seed=0),
        log_level='INFO',
    )


def tiny_one_stage(config: str, num_classes: int = len(CLASSES)) -> dict:
    """Model config of a narrow one-stage detector on a narrow ``INRN``.

    Args:
        config (str): One of mmdet's with an FPN, below ``configs/``.
        num_classes (int): Number of classes. Defaults to 3.

    Returns:
        dict: Config for ``MODELS`` of mmdet.
    """
    import mmdet
    from mmengine.config import Config

    model = Config.fromfile(Path(mmdet.__file__).parent / '.mim/configs' / config).model
    widths = [8, 8, 16, 16]
    model.backbone = dict(type='INRN', arch=dict(widths=widths, depths=(1, 1, 1, 1)))
    model.neck.update(in_channels=widths, out_channels=16)
    # 32 is the least that GFL's group norms of 32 groups take
    model.bbox_head.update(
        num_classes=num_classes, in_channels=16, feat_channels=32, stacked_convs=1
    )
    return model.to_dict()
