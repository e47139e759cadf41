"""NMS of lane lines (CLRNet), with the signature of ``mmcv._ext``."""

import torch
from torch import Tensor

from .precision import widen

# Class scores, start down and across, and length stand before the places.
HEAD = 5


def line_nms_forward(
    boxes: Tensor, scores: Tensor, thresh: float, top_k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Drop lines that run close to better ones.

    Two lines are compared in the rows of the image that both cross: the
    worse one goes if they are less than ``thresh`` apart, on average. mmcv's
    kernel takes the better of two lines by its place in the input, not in the
    order of the scores, so that it agrees for sorted lines alone.

    Args:
        boxes (Tensor): Two class scores, start down (0 to 1) and across, number
            of rows and the place across in every row, shape (N, 5 + rows).
        scores (Tensor): Shape (N, ).
        thresh (float): In the unit of the places.
        top_k (int): Lines to keep at most.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Indices of the lines, the best first,
        then zeros, of shape (N, ); how many are kept, of no dimension; and
        for each line by which kept one it was dropped, counted from 1, or 0.
    """
    order = scores.argsort(descending=True)
    # some hundred lines, one after another: faster beside the GPU than on it
    lines = widen(boxes[order]).cpu()
    rows = torch.arange(lines.shape[1] - HEAD)
    first = (lines[:, 2] * (len(rows) - 1) + 0.5).long()
    last = (first + lines[:, 4].long() - 1).clamp(max=len(rows) - 1)
    dropped = torch.zeros(len(lines), dtype=torch.bool)
    parents = torch.zeros(len(lines), dtype=torch.long)
    kept: list[int] = []
    for i in range(len(lines)):
        if dropped[i]:
            continue
        kept.append(i)
        start, end = first.clamp(min=int(first[i])), last.clamp(max=int(last[i]))
        apart = (rows < start[:, None]) | (rows > end[:, None])
        gaps = (lines[:, HEAD:] - lines[i, HEAD:]).abs().masked_fill(apart, 0).sum(1)
        count = end - start + 1
        close = (count > 0) & (start >= 0) & (gaps < thresh * count)
        close[: i + 1] = False
        dropped |= close
        close[i] = True
        parents[close] = len(kept)
        if len(kept) == top_k:
            break
    keep, parent = (scores.new_zeros(len(lines), dtype=torch.long) for _ in range(2))
    keep[: len(kept)] = order[kept]
    parent[order] = parents.to(parent.device)
    return keep, keep.new_tensor(len(kept)), parent
