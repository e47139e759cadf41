"""Deformable RoI pooling, with the signatures of ``mmcv._ext``."""

import torch
from torch import Tensor

from .precision import widen
from .sampling import Bins, sample_bilinear


def _pool(
    maps: Tensor, bins: Bins, offset: Tensor, gamma: float, part: Tensor, grid: tuple[int, int]
) -> Tensor:
    """Pool boxes of one grid, shape (P, C, bins down, bins across)."""
    shift = None
    if offset.numel():
        # offsets say across first, as shares of the box
        shift = gamma * bins.extent[part][:, :, None, None] * offset[part].flip(1)
    y, x = bins.place(part, grid, shift)
    values = sample_bilinear(maps, bins.batch[part], y.flatten(1), x.flatten(1))
    return values.unflatten(1, (*bins.size, -1)).mean(3).permute(0, 3, 1, 2)


def deform_roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    output: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> None:
    """Average a map inside the bins of boxes, each bin moved by an offset.

    Args:
        input (Tensor): Feature maps, shape (B, C, H, W).
        rois (Tensor): Index of the image and corners, shape (R, 5).
        offset (Tensor): Shape (R, 2, pooled_height, pooled_width), across and
            down; empty for none.
        output (Tensor): Filled, shape (R, C, pooled_height, pooled_width).
        pooled_height (int): Bins of a box, down.
        pooled_width (int): Bins of a box, across.
        spatial_scale (float): Size of the map over that of the image.
        sampling_ratio (int): Samples of a bin in each direction; 0 for as many
            as the bin has pixels.
        gamma (float): Share of the box that an offset of 1 is.
    """
    maps = widen(input)
    bins = Bins(
        widen(rois).to(maps.dtype),
        (pooled_height, pooled_width),
        spatial_scale,
        sampling_ratio,
        True,
    )
    output.zero_()
    for part, grid in bins.split(input.shape[1]):
        if grid[0] * grid[1]:
            output[part] = _pool(maps, bins, widen(offset), gamma, part, grid).to(output.dtype)


def deform_roi_pool_backward(
    grad_output: Tensor,
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> None:
    """Compute the gradients of :func:`deform_roi_pool_forward`.

    Args:
        grad_output (Tensor): Gradient of ``output``.
        input (Tensor): As there, like all that is not named here.
        grad_input (Tensor): Zeros; the gradients of ``input`` are added.
        grad_offset (Tensor): Zeros; the gradients of ``offset`` are added.
    """
    maps = widen(input).detach().requires_grad_()
    shifts = widen(offset).detach().requires_grad_()
    bins = Bins(
        widen(rois).to(maps.dtype),
        (pooled_height, pooled_width),
        spatial_scale,
        sampling_ratio,
        True,
    )
    grad = widen(grad_output).to(maps.dtype)
    for part, grid in bins.split(input.shape[1]):
        if not grid[0] * grid[1]:
            continue
        with torch.enable_grad():
            pooled = _pool(maps, bins, shifts, gamma, part, grid)
            found = torch.autograd.grad(pooled, (maps, shifts), grad[part], allow_unused=True)
        grad_input += found[0].to(grad_input.dtype)
        if found[1] is not None:
            grad_offset += found[1].to(grad_offset.dtype)
