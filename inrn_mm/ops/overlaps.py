"""IoU of boxes, with the signature of ``mmcv._ext``."""

import torch
from torch import Tensor

from .precision import widen


def bbox_overlaps(
    bboxes1: Tensor, bboxes2: Tensor, ious: Tensor, mode: int, aligned: bool, offset: int
) -> None:
    """Compute how much boxes overlap.

    Args:
        bboxes1 (Tensor): Corners, shape (M, 4).
        bboxes2 (Tensor): Corners, shape (N, 4).
        ious (Tensor): Filled, shape (M, N), or (M, ) if aligned.
        mode (int): 0 for intersection over union, 1 for intersection over the
            first box.
        aligned (bool): Whether only boxes of one index are compared.
        offset (int): 0, or 1 for boxes whose last pixel is theirs, too.
    """
    first, second = widen(bboxes1), widen(bboxes2)
    if not aligned:
        first, second = first[:, None], second[None]
    size = torch.minimum(first[..., 2:], second[..., 2:])
    size = size - torch.maximum(first[..., :2], second[..., :2]) + offset
    inter = size.clamp(min=0).prod(-1)
    area1 = (first[..., 2:] - first[..., :2] + offset).prod(-1)
    area2 = (second[..., 2:] - second[..., :2] + offset).prod(-1)
    whole = area1 + area2 - inter if mode == 0 else area1.expand_as(inter)
    ious.copy_(inter / whole.clamp(min=offset))
