"""Two operators whose outputs have a fixed size, for torch.export and ONNX.

What eager code finds by masks has a size that depends on the data, on which
``torch.export`` gives up. Here the rest is filled up, and said to be no result.
"""

from collections.abc import Sequence

import torch
import torchvision.ops as tv
from torch import Tensor


@torch.library.custom_op('inrn_mm::suppress', mutates_args=())
def suppress(
    boxes: Tensor, scores: Tensor, iou: float, threshold: float, most: int
) -> tuple[Tensor, Tensor]:
    """Choose boxes by non-maximum suppression.

    Args:
        boxes (Tensor): ``(N, 4)`` of x1, y1, x2, y2.
        scores (Tensor): ``(N, )``.
        iou (float): Overlap above which the lower score goes.
        threshold (float): What a score must be above.
        most (int): How many are kept.

    Returns:
        tuple[Tensor, Tensor]: Indices ``(most, )`` by falling scores, filled up
        with zeros, and ``(most, )`` whether they count.
    """
    candidates = (scores > threshold).nonzero()[:, 0]
    kept = candidates[tv.nms(boxes[candidates], scores[candidates], iou)][:most]
    indices = kept.new_zeros(most)
    indices[: len(kept)] = kept
    return indices, torch.arange(most, device=boxes.device) < len(kept)


@suppress.register_fake
def _(
    boxes: Tensor, scores: Tensor, iou: float, threshold: float, most: int
) -> tuple[Tensor, Tensor]:
    return boxes.new_empty(most, dtype=torch.long), boxes.new_empty(most, dtype=torch.bool)


@torch.library.custom_op('inrn_mm::pool_regions', mutates_args=())
def pool_regions(
    levels: Sequence[Tensor],
    boxes: Tensor,
    strides: Sequence[int],
    size: int,
    finest: float,
    sampling: int,
    aligned: bool,
) -> Tensor:
    """Pool regions from the level that fits their size (RoIAlign on an FPN).

    Args:
        levels (Sequence[Tensor]): Maps ``(1, C, H_i, W_i)`` of an image.
        boxes (Tensor): ``(K, 4)`` in pixels of the image.
        strides (Sequence[int]): Those of the levels.
        size (int): Height and width of what is pooled.
        finest (float): Up to twice this side the first level is taken.
        sampling (int): Samples along a side of a cell; 0 for as many as fit.
        aligned (bool): Whether coordinates are shifted by half a pixel.

    Returns:
        Tensor: ``(K, C, size, size)``.
    """
    out = boxes.new_zeros(len(boxes), levels[0].shape[1], size, size, dtype=levels[0].dtype)
    numbers = level_of(boxes, finest, len(levels))
    for i, (level, stride) in enumerate(zip(levels, strides)):
        (chosen,) = (numbers == i).nonzero(as_tuple=True)
        pooled = tv.roi_align(level, [boxes[chosen]], size, 1 / stride, sampling, aligned)
        out[chosen] = pooled
    return out


@pool_regions.register_fake
def _(
    levels: Sequence[Tensor],
    boxes: Tensor,
    strides: Sequence[int],
    size: int,
    finest: float,
    sampling: int,
    aligned: bool,
) -> Tensor:
    return levels[0].new_empty(boxes.shape[0], levels[0].shape[1], size, size)


def level_of(boxes: Tensor, finest: float, count: int) -> Tensor:
    """Find the level that each box is pooled from, as mmdet does.

    Args:
        boxes (Tensor): ``(K, 4)``.
        finest (float): Up to twice this side the first level is taken.
        count (int): Number of levels.

    Returns:
        Tensor: ``(K, )``, whole numbers from 0.
    """
    side = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    return (side / finest + 1e-6).log2().floor().clamp(0, count - 1).long()
