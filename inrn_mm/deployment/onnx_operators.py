"""The operators of :mod:`.operators` in ONNX; imports onnxscript."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset18

from . import operators  # noqa: F401, registers them

# whose annotations are of ONNX's types
op: Any = opset18


def _suppress(boxes: Any, scores: Any, iou: float, threshold: float, most: int) -> tuple:
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


def _pool_regions(
    levels: Sequence[Any],
    boxes: Any,
    strides: Sequence[int],
    size: int,
    finest: float,
    sampling: int,
    aligned: bool,
) -> Any:
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


OPERATORS: dict[Callable, Callable] = {
    torch.ops.inrn_mm.suppress.default: _suppress,
    torch.ops.inrn_mm.pool_regions.default: _pool_regions,
}
