"""Non-maximum suppression, with the signatures of ``mmcv._ext``."""

import torch
from torch import Tensor
from torchvision.ops import boxes as tv_boxes

from .precision import widen


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Keep the best of the boxes that overlap.

    Args:
        boxes (Tensor): Corners ``x1, y1, x2, y2``, shape (N, 4).
        scores (Tensor): Shape (N, ).
        iou_threshold (float): A box goes if its IoU with a better one is
            above it.
        offset (int): 0, or 1 for boxes whose last pixel is theirs, too.

    Returns:
        Tensor: Indices of the boxes kept, best first, int64 of shape (K, ).
    """
    boxes = widen(boxes)
    if offset:
        boxes = torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1)
    # torchvision's sort is stable, mmcv's is not: sorted before, equal scores
    # come in mmcv's order
    order = scores.sort(descending=True)[1]
    sorted_scores = widen(scores).to(boxes.dtype)[order]
    return order[tv_boxes.nms(boxes[order], sorted_scores, float(iou_threshold))]


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lower the scores of boxes that overlap a better one (Soft-NMS).

    Boxes of equal score come in the order of mmcv's kernel, which swaps the
    best box to the front and fills the places of dropped boxes from the end.

    Args:
        boxes (Tensor): Corners, on the CPU, shape (N, 4).
        scores (Tensor): Shape (N, ).
        dets (Tensor): Filled with boxes and scores in the order of the result,
            shape (N, 5).
        iou_threshold (float): IoU from which methods 0 and 1 lower a score.
        sigma (float): Width of method 2.
        min_score (float): Boxes below it are dropped.
        method (int): 0 drops, 1 multiplies by ``1 - IoU``, 2 by
            ``exp(-IoU ** 2 / sigma)``.
        offset (int): 0, or 1 for boxes whose last pixel is theirs, too.

    Returns:
        Tensor: Indices of the boxes kept, int64 of shape (K, ).
    """
    x1, y1, x2, y2 = widen(boxes).unbind(1)
    area = (x2 - x1 + offset) * (y2 - y1 + offset)
    rows = torch.stack([x1, y1, x2, y2, widen(scores).to(x1.dtype), area], dim=1)
    index = torch.arange(len(rows))
    i = 0
    while i < len(rows):
        best = i + int(rows[i:, 4].argmax())
        order = torch.arange(len(rows))
        order[[i, best]] = order[[best, i]]
        rows, index = rows[order], index[order]
        dets[i] = rows[i, :5]
        i += 1
        overlap = _overlap_with_rest(rows[i - 1], rows[i:], offset)
        if method == 2:
            factor = torch.exp(-(overlap * overlap) / sigma)
        else:
            lowered = 1 - overlap if method == 1 else torch.zeros_like(overlap)
            factor = torch.where(overlap >= iou_threshold, lowered, torch.ones_like(overlap))
        rows[i:, 4] *= factor
        order = _fill_from_end(rows[:, 4] >= min_score, i)
        rows, index = rows[order], index[order]
    return index


def _overlap_with_rest(row: Tensor, rest: Tensor, offset: int) -> Tensor:
    """Compute the IoU of one ``x1, y1, x2, y2, score, area`` with others."""
    width = torch.minimum(row[2], rest[:, 2]) - torch.maximum(row[0], rest[:, 0]) + offset
    height = torch.minimum(row[3], rest[:, 3]) - torch.maximum(row[1], rest[:, 1]) + offset
    inter = width.clamp(min=0) * height.clamp(min=0)
    return inter / (row[5] + rest[:, 5] - inter)


def _fill_from_end(kept: Tensor, first: int) -> Tensor:
    """Order the rows that stay: holes behind ``first`` are filled from the end."""
    kept = kept.clone()
    kept[:first] = True
    count = int(kept.sum())
    order = torch.arange(count)
    order[~kept[:count]] = (count + kept[count:].nonzero()[:, 0]).flip(0)
    return order


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Group boxes by the better box that suppresses them.

    Args:
        dets (Tensor): Corners and scores, shape (N, 5).
        iou_threshold (float): IoU from which a box is suppressed.

    Returns:
        list[list[int]]: Indices, one list for each box kept, itself first and
        both levels by falling score.
    """
    if not len(dets):
        return []
    dets = widen(dets)
    order = dets[:, 4].sort(descending=True)[1]
    overlap = tv_boxes.box_iou(dets[order, :4], dets[order, :4])
    left = torch.ones(len(order), dtype=torch.bool)
    groups = []
    for i in range(len(order)):
        if left[i]:
            member = left & (overlap[i].cpu() >= iou_threshold)
            member[: i + 1] = False
            left &= ~member
            groups.append([int(order[i]), *order[member.to(order.device)].tolist()])
    return groups
