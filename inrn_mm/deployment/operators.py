"""Two operators whose outputs have a fixed size, for torch.export and ONNX.

What eager code finds by masks has a size that depends on the data, on which
``torch.export`` gives up. Here the rest is filled up, and said to be no result.
"""

from collections.abc import Callable, Sequence

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


def onnx_operators() -> dict[Callable, Callable]:
    """Make the table of these operators in ONNX, for ``torch.onnx.export``.

    Returns:
        dict: torch's operator to a function that writes ONNX's.
    """
    from onnxscript import FLOAT, INT64
    from onnxscript import opset18 as op

    def write_suppress(boxes: FLOAT, scores: FLOAT, iou: float, threshold: float, most: int):
        chosen = op.NonMaxSuppression(
            op.Unsqueeze(boxes, op.Constant(value_ints=[0])),
            op.Unsqueeze(scores, op.Constant(value_ints=[0, 1])),
            op.Constant(value_ints=[most]),
            op.Constant(value_floats=[iou]),
            op.Constant(value_floats=[threshold]),
        )
        chosen = op.Gather(chosen, op.Constant(value_int=2), axis=1)
        filled = op.Concat(chosen, op.Constant(value_ints=[0] * most), axis=0)
        start, end = op.Constant(value_ints=[0]), op.Constant(value_ints=[most])
        indices = op.Slice(filled, start, end)
        counts = op.Less(op.Constant(value_ints=list(range(most))), op.Shape(chosen))
        return indices, counts

    def write_pool_regions(
        levels: Sequence[FLOAT],
        boxes: FLOAT,
        strides: Sequence[int],
        size: int,
        finest: float,
        sampling: int,
        aligned: bool,
    ):
        columns = [op.Gather(boxes, op.Constant(value_int=i), axis=1) for i in range(4)]
        area = op.Mul(op.Sub(columns[2], columns[0]), op.Sub(columns[3], columns[1]))
        ratio = op.Div(op.Sqrt(area), op.Constant(value_float=finest))
        log = op.Log(op.Add(ratio, op.Constant(value_float=1e-6)))
        number = op.Floor(op.Div(log, op.Constant(value_float=0.6931471805599453)))
        low, high = op.Constant(value_float=0.0), op.Constant(value_float=len(levels) - 1.0)
        number = op.Clip(number, low, high)
        places, pooled = [], []
        for i, (level, stride) in enumerate(zip(levels, strides)):
            chosen = op.NonZero(op.Equal(number, op.Constant(value_float=float(i))))
            chosen = op.Squeeze(chosen, op.Constant(value_ints=[0]))
            image = op.Mul(chosen, op.Constant(value_int=0))
            pooled.append(
                op.RoiAlign(
                    level,
                    op.Gather(boxes, chosen, axis=0),
                    image,
                    output_height=size,
                    output_width=size,
                    sampling_ratio=sampling,
                    spatial_scale=1 / stride,
                    coordinate_transformation_mode='half_pixel' if aligned else 'output_half_pixel',
                )
            )
            places.append(chosen)
        # each box has one place among all levels; back into the order of boxes
        place = op.Concat(*places, axis=0)
        order = op.ScatterElements(
            op.Mul(place, op.Constant(value_int=0)),
            place,
            op.Range(
                op.Constant(value_int=0),
                op.Squeeze(op.Shape(place), op.Constant(value_ints=[0])),
                op.Constant(value_int=1),
            ),
        )
        return op.Gather(op.Concat(*pooled, axis=0), order, axis=0)

    write_suppress.__annotations__['return'] = (INT64, INT64)
    return {
        torch.ops.inrn_mm.suppress.default: write_suppress,
        torch.ops.inrn_mm.pool_regions.default: write_pool_regions,
    }
