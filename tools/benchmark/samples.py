"""Random batches, as dataloaders give them."""

from collections.abc import Sequence

import torch


def random_batch(
    scope: str, batch: int, size: Sequence[int], num_classes: int = 2, boxes: int = 8
) -> dict:
    """Make a collated batch of random images and annotations.

    Args:
        scope (str): ``'mmdet'`` for boxes and masks, otherwise classes.
        batch (int): Number of images.
        size (Sequence[int]): Height and width.
        num_classes (int): Labels are below. Defaults to 2.
        boxes (int): Objects on an image. Defaults to 8.

    Returns:
        dict: ``inputs``, uint8 ``(3, H, W)`` each, and ``data_samples``.
    """
    generator = torch.Generator().manual_seed(0)
    height, width = size
    inputs = [
        torch.randint(256, (3, height, width), dtype=torch.uint8, generator=generator)
        for _ in range(batch)
    ]
    labels = torch.randint(num_classes, (batch, boxes), generator=generator)
    if scope != 'mmdet':
        from mmpretrain.structures import DataSample

        samples = [DataSample().set_gt_label(int(x[0])) for x in labels]
        return dict(inputs=inputs, data_samples=samples)

    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData

    samples = []
    scale = torch.tensor([width, height])
    for label in labels:
        corner, extent = torch.rand(2, boxes, 2, generator=generator)
        corner, extent = corner * 0.6, 0.05 + extent * 0.3
        bboxes = torch.cat([corner, corner + extent], 1) * scale.repeat(2)
        masks = torch.zeros(boxes, height, width, dtype=torch.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, bboxes.long().tolist()):
            mask[y1:y2, x1:x2] = 1
        samples.append(
            DetDataSample(
                metainfo=dict(
                    img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0)
                ),
                gt_instances=InstanceData(
                    bboxes=bboxes, labels=label, masks=BitmapMasks(masks.numpy(), height, width)
                ),
            )
        )
    return dict(inputs=inputs, data_samples=samples)
