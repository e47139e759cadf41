"""Content-aware up-sampling, with the signatures of ``mmcv._ext``."""

import torch
from torch import Tensor
from torch.nn import functional

from .precision import widen


def _reassemble(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int) -> Tensor:
    """Write CARAFE down as it is read (Wang et al. 2019, Eq. 2)."""
    count, channels, height, width = features.shape
    windows = functional.unfold(features, kernel, padding=kernel // 2)
    windows = windows.view(count, groups, channels // groups, kernel**2, height, width)
    weights = masks.view(count, groups, kernel**2, height, scale, width, scale)
    with torch.autocast(features.device.type, enabled=False):
        output = torch.einsum('bgckhw,bgkhiwj->bgchiwj', windows, weights)
    return output.reshape(count, channels, height * scale, width * scale)


def carafe_naive_forward(
    features: Tensor,
    masks: Tensor,
    output: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Mix the neighbours of each pixel by weights of each new pixel.

    Args:
        features (Tensor): Shape (B, C, H, W).
        masks (Tensor): The weights, shape
            (B, kernel_size ** 2 * group_size, H * scale_factor, W * scale_factor).
        output (Tensor): Filled, shape (B, C, H * scale_factor, W * scale_factor).
        kernel_size (int): Side of the neighbourhood.
        group_size (int): Groups of channels with weights of their own.
        scale_factor (int): How many times larger the result is.
    """
    features = widen(features)
    weights = widen(masks).to(features.dtype)
    output.copy_(_reassemble(features, weights, kernel_size, group_size, scale_factor))


def carafe_naive_backward(
    grad_output: Tensor,
    features: Tensor,
    masks: Tensor,
    grad_features: Tensor,
    grad_masks: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Compute the gradients of :func:`carafe_naive_forward`.

    Args:
        grad_output (Tensor): Gradient of ``output``.
        features (Tensor): As there, like all that is not named here.
        grad_features (Tensor): Filled.
        grad_masks (Tensor): Filled.
    """
    features = widen(features).detach().requires_grad_()
    masks = widen(masks).to(features.dtype).detach().requires_grad_()
    with torch.enable_grad():
        output = _reassemble(features, masks, kernel_size, group_size, scale_factor)
        found = torch.autograd.grad(output, (features, masks), widen(grad_output).to(output.dtype))
    grad_features.copy_(found[0])
    grad_masks.copy_(found[1])


def carafe_forward(
    features: Tensor,
    masks: Tensor,
    rfeatures: Tensor,
    routput: Tensor,
    rmasks: Tensor,
    output: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Do what :func:`carafe_naive_forward` does.

    Args:
        features (Tensor): As there, like all that is not named here.
        rfeatures (Tensor): Filled with the features, which mmcv keeps for
            :func:`carafe_backward` in an order of its kernel's own.
        routput (Tensor): Room that mmcv's kernel needs, like ``rmasks``.
    """
    rfeatures.copy_(features)
    carafe_naive_forward(features, masks, output, kernel_size, group_size, scale_factor)


def carafe_backward(
    grad_output: Tensor,
    rfeatures: Tensor,
    masks: Tensor,
    rgrad_output: Tensor,
    rgrad_input_hs: Tensor,
    rgrad_input: Tensor,
    rgrad_masks: Tensor,
    grad_input: Tensor,
    grad_masks: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Do what :func:`carafe_naive_backward` does.

    Args:
        grad_output (Tensor): As there, like all that is not named here.
        rfeatures (Tensor): As filled by :func:`carafe_forward`.
        rgrad_output (Tensor): Room that mmcv's kernel needs, like the other
            ``rgrad_``.
    """
    carafe_naive_backward(
        grad_output, rfeatures, masks, grad_input, grad_masks, kernel_size, group_size, scale_factor
    )
