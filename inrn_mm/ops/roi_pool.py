"""RoIPool, with the signatures of ``mmcv._ext``.

torchvision's operator of that name rounds boxes to whole pixels first; mmcv's
does not, so that it is written out here.
"""

import torch
from torch import Tensor

from .precision import widen
from .sampling import VALUES


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Take the maximum of a map inside each bin of boxes.

    Args:
        input (Tensor): Feature maps, shape (B, C, H, W).
        rois (Tensor): Index of the image and corners, shape (R, 5).
        output (Tensor): Filled, shape (R, C, pooled_height, pooled_width).
        argmax (Tensor): Filled with the pixels of the maxima, counted row by
            row; -1 in empty bins. Of the shape of ``output``.
        pooled_height (int): Bins of a box, down.
        pooled_width (int): Bins of a box, across.
        spatial_scale (float): Size of the map over that of the image.
    """
    height, width = input.shape[-2:]
    boxes = widen(rois)
    y0, y1 = _find_edges(boxes[:, [2, 4]], spatial_scale, pooled_height, height)
    x0, x1 = _find_edges(boxes[:, [1, 3]], spatial_scale, pooled_width, width)
    output.zero_()
    argmax.fill_(-1)
    empty = (y1 <= y0)[:, :, None] | (x1 <= x0)[:, None, :]
    filled = (~empty.flatten(1).all(1)).nonzero()[:, 0]
    if not len(filled):
        return
    pixels = input.permute(0, 2, 3, 1)
    # all bins get the size of the largest: what is too much repeats their last pixel
    span_y, span_x = int((y1 - y0).max()), int((x1 - x0).max())
    values = pooled_height * pooled_width * span_y * span_x * input.shape[1]
    for part in filled.split(max(1, VALUES // values)):
        rows = _list_pixels(y0[part], y1[part], span_y)[:, :, None, :, None]
        columns = _list_pixels(x0[part], x1[part], span_x)[:, None, :, None, :]
        batch = boxes[part, 0].long().view(-1, 1, 1, 1, 1)
        best, where = pixels[batch, rows, columns].flatten(3, 4).max(3)
        index = (rows * width + columns).flatten(3, 4).gather(3, where)
        hidden = empty[part][..., None]
        output[part] = best.masked_fill(hidden, 0).permute(0, 3, 1, 2)
        index = index.masked_fill(hidden, -1).permute(0, 3, 1, 2)
        argmax[part] = index.to(argmax.dtype)


def _find_edges(ends: Tensor, scale: float, bins: int, size: int) -> tuple[Tensor, Tensor]:
    """Compute where the bins of boxes begin and end along one axis.

    Args:
        ends (Tensor): First and last pixel of the boxes in the image, (R, 2).
        scale (float): Size of the map over that of the image.
        bins (int): Number of bins.
        size (int): Pixels of the map.

    Returns:
        tuple[Tensor, Tensor]: First pixel of each bin and the one behind its
        last, int64 of shape (R, bins); equal where a bin is empty.
    """
    start = ends[:, :1] * scale
    extent = (ends[:, 1:] + 1) * scale - start
    bin_size = extent / bins
    at = torch.arange(bins, device=ends.device)
    first = (at * bin_size + start).floor().long().clamp(0, size)
    last = ((at + 1) * bin_size + start).ceil().long().clamp(0, size)
    return first, torch.where(extent > 0, last, first)


def _list_pixels(first: Tensor, last: Tensor, count: int) -> Tensor:
    """List ``count`` pixels of each bin, shape (R, bins, count)."""
    pixels = first[..., None] + torch.arange(count, device=first.device)
    return torch.minimum(pixels, last[..., None] - 1).clamp(min=0)


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Give the gradients of :func:`roi_pool_forward` to the maxima.

    Args:
        grad_output (Tensor): Gradient of ``output``.
        rois (Tensor): As there, like all that is not named here.
        argmax (Tensor): As filled there.
        grad_input (Tensor): Zeros; the gradients of ``input`` are added.
    """
    count, channels = grad_output.shape[:2]
    size = grad_input.shape[-2] * grad_input.shape[-1]
    plane = rois[:, :1].long() * channels + torch.arange(channels, device=rois.device)
    at = plane[:, :, None, None] * size + argmax.long()
    found = argmax >= 0
    grad_input.view(-1).index_put_((at[found],), grad_output[found], accumulate=True)
