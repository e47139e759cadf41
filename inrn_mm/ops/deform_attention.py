"""Multi-scale deformable attention, with the signatures of ``mmcv._ext``."""

import torch
from torch import Tensor

from .precision import widen


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Attend to points of several maps, by mmcv's own formula in plain torch.

    Args:
        value (Tensor): Shape (B, keys, heads, channels).
        value_spatial_shapes (Tensor): Height and width of the levels, (L, 2).
        value_level_start_index (Tensor): First key of each level; follows from
            the shapes.
        sampling_locations (Tensor): Across and down, 0 to 1, shape
            (B, queries, heads, L, points, 2).
        attention_weights (Tensor): Shape (B, queries, heads, L, points).
        im2col_step (int): Images that mmcv's kernel takes at once.

    Returns:
        Tensor: Shape (B, queries, heads * channels).
    """
    # mmcv.ops imports this module
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    wide = widen(value)
    others = (widen(t).to(wide.dtype) for t in (sampling_locations, attention_weights))
    # sizes that are on the CPU: else each of them would wait for the GPU
    shapes = value_spatial_shapes.cpu()
    with torch.autocast(value.device.type, enabled=False):
        output = multi_scale_deformable_attn_pytorch(wide, shapes, *others)
    return output.to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Compute the gradients of :func:`ms_deform_attn_forward`.

    Args:
        value (Tensor): As there, like all that is not named here.
        grad_output (Tensor): Gradient of what it returns.
        grad_value (Tensor): Filled, like the other ``grad_`` behind it.
    """
    inputs = [t.detach().requires_grad_() for t in (value, sampling_locations, attention_weights)]
    with torch.enable_grad():
        output = ms_deform_attn_forward(
            inputs[0],
            value_spatial_shapes,
            value_level_start_index,
            inputs[1],
            inputs[2],
            im2col_step,
        )
        found = torch.autograd.grad(output, inputs, grad_output)
    for grad, new in zip((grad_value, grad_sampling_loc, grad_attn_weight), found):
        grad.copy_(new)
