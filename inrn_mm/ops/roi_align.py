"""RoIAlign, with the signatures of ``mmcv._ext``."""

import torch
from torch import Tensor

from .precision import widen
from .sampling import Bins, sample_bilinear

MAX = 0  # pool_mode; 1 is the mean


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pool a map inside boxes.

    Args:
        input (Tensor): Feature maps, shape (B, C, H, W).
        rois (Tensor): Index of the image and corners, shape (R, 5).
        output (Tensor): Filled, shape (R, C, aligned_height, aligned_width).
        argmax_y (Tensor): Filled with the rows of the maxima, of the shape of
            ``output``; empty for the mean.
        argmax_x (Tensor): Their columns.
        aligned_height (int): Bins of a box, down.
        aligned_width (int): Bins of a box, across.
        spatial_scale (float): Size of the map over that of the image.
        sampling_ratio (int): Samples of a bin in each direction; 0 for as many
            as the bin has pixels.
        pool_mode (int): 0 for the maximum, 1 for the mean.
        aligned (bool): Whether pixel centres lie at halves.
    """
    maps, boxes = widen(input), widen(rois)
    boxes = boxes.to(maps.dtype)
    if pool_mode != MAX:
        output.copy_(
            torch.ops.torchvision.roi_align(
                maps, boxes, spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned
            )
        )
        return
    bins = Bins(boxes, (aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned)
    lowest = torch.finfo(maps.dtype).min
    output.fill_(torch.finfo(output.dtype).min)
    argmax_y.fill_(-1)
    argmax_x.fill_(-1)
    for part, grid in bins.split(input.shape[1]):
        if not grid[0] * grid[1]:
            continue
        y, x = bins.place(part, grid)
        values = sample_bilinear(maps, bins.batch[part], y.flatten(1), x.flatten(1))
        values = values.unflatten(1, (aligned_height, aligned_width, -1))
        values = values.masked_fill(values.isnan(), lowest)
        best, where = values.max(3)
        output[part] = best.permute(0, 3, 1, 2).to(output.dtype)
        where = where.permute(0, 3, 1, 2)
        for argmax, at in ((argmax_y, y), (argmax_x, x)):
            at = at.flatten(3)[:, None].expand(-1, where.shape[1], -1, -1, -1)
            argmax[part] = at.gather(4, where[..., None])[..., 0].to(argmax.dtype)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Spread the gradients of :func:`roi_align_forward` over the maps.

    Args:
        grad_output (Tensor): Gradient of ``output``.
        rois (Tensor): As there, like all that is not named here.
        grad_input (Tensor): Filled, of the shape of ``input``.
    """
    grad, boxes = widen(grad_output), widen(rois)
    boxes = boxes.to(grad.dtype)
    if pool_mode != MAX:
        grad_input.copy_(
            torch.ops.torchvision._roi_align_backward(
                grad,
                boxes,
                spatial_scale,
                aligned_height,
                aligned_width,
                *grad_input.shape,
                sampling_ratio,
                aligned,
            )
        )
        return
    y, x = widen(argmax_y).to(grad.dtype), widen(argmax_x).to(grad.dtype)
    # bins without a sample have -1 and pass nothing on
    grad = grad * ((y != -1) | (x != -1))
    count, channels = grad.shape[:2]
    batch = boxes[:, 0].long()[:, None].expand(count, channels).flatten()
    channel = torch.arange(channels, device=grad.device).repeat(count)
    with torch.enable_grad():
        maps = torch.zeros(grad_input.shape, dtype=grad.dtype, device=grad.device)
        maps.requires_grad_()
        flat = maps.flatten(0, 1)[:, None]
        values = sample_bilinear(
            flat, batch * channels + channel, *(t.flatten(0, 1).flatten(1) for t in (y, x))
        )
        grad_input.copy_(
            torch.autograd.grad(values, maps, grad.flatten(0, 1).flatten(1)[..., None])[0]
        )
