"""Deformable convolutions v1 and v2, with the signatures of ``mmcv._ext``."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .precision import widen


def _unpack(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor | None
) -> tuple[Tensor, ...]:
    """Make the tensors what torchvision's operator takes, in its order."""
    input = widen(input)
    if mask is None:  # it is not read, but its size is checked
        mask = input.new_zeros(len(input), 0)
    if bias is None:
        bias = input.new_zeros(len(weight))
    return input, *(widen(t).to(input.dtype) for t in (weight, offset, mask, bias))


def _read(tensor: Tensor, output: Tensor) -> Tensor:
    """Read offsets or factors that are larger than the output as mmcv's kernel does.

    It takes the first numbers of each image, in the output's size. The DyHead of
    mmdet (``mmdet/models/necks/dyhead.py``), whose weights were trained like
    that, gives the offsets of one level to the next, of half its size.

    Args:
        tensor (Tensor): Shape (B, C, H, W).
        output (Tensor): Shape (B, O, H_out, W_out).

    Returns:
        Tensor: Shape (B, C, H_out, W_out).
    """
    size = tensor.shape[1], *output.shape[-2:]
    if tensor.shape[1:].numel() <= math.prod(size):
        return tensor  # right, or too small, of which torchvision complains
    return tensor.flatten(1)[:, : math.prod(size)].unflatten(1, size)


def _write(grad: Tensor, value: Tensor) -> None:
    """Fill the gradient of what :func:`_read` read; what was not read has none."""
    rest = grad.shape[1:].numel() - value.shape[1:].numel()
    grad.copy_(functional.pad(value.flatten(1), (0, rest)).view_as(grad))


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Convolve at places that are moved by offsets (DCN).

    Args:
        input (Tensor): Shape (B, C, H, W).
        weight (Tensor): Shape (O, C / group, kH, kW).
        offset (Tensor): Down and across for each place of the kernel, shape
            (B, deformable_group * 2 * kH * kW, H_out, W_out).
        output (Tensor): Filled, shape (B, O, H_out, W_out).
        columns (Tensor): Room that mmcv's kernel needs, like ``ones``.
        kW (int): Width of the kernel, like ``kH`` its height.
        dW (int): Stride across, like ``dH`` down.
        padW (int): Padding across, like ``padH`` down.
        dilationW (int): Dilation across, like ``dilationH`` down.
        group (int): Groups of the convolution.
        deformable_group (int): Groups of channels with offsets of their own.
        im2col_step (int): Images that mmcv's kernel takes at once.
    """
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    tensors = _unpack(input, weight, offset, None, None)
    output.copy_(torch.ops.torchvision.deform_conv2d(*tensors, *geometry, False))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Compute the gradients of :func:`deform_conv_forward` but for the weight.

    torchvision's operator computes that of the weight as well: it waits in
    ``columns`` for :func:`deform_conv_backward_parameters`, which mmcv calls
    next with the same tensor.

    Args:
        input (Tensor): As there, like all that is not named here.
        gradOutput (Tensor): Gradient of ``output``.
        gradInput (Tensor): Filled.
        gradOffset (Tensor): Filled.
    """
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    found = _find_gradients(input, weight, offset, gradOutput, geometry)
    gradInput.copy_(found[0])
    gradOffset.copy_(found[2])
    columns.resize_(found[1].shape).copy_(found[1])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
) -> None:
    """Compute the weight's gradient of :func:`deform_conv_forward`.

    Args:
        input (Tensor): As there, like all that is not named here.
        gradOutput (Tensor): Gradient of ``output``.
        gradWeight (Tensor): Zeros; the gradient is added.
        columns (Tensor): See :func:`deform_conv_backward_input`.
        scale (float): Factor of the gradient.
    """
    found = columns
    if columns.shape != gradWeight.shape:  # no gradient of the input was asked for
        geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
        found = _find_gradients(input, gradWeight, offset, gradOutput, geometry)[1]
    gradWeight.add_(found.to(gradWeight.dtype), alpha=scale)
    columns.resize_(0)


def _find_gradients(
    input: Tensor, weight: Tensor, offset: Tensor, grad: Tensor, geometry: tuple[int, ...]
) -> tuple[Tensor, ...]:
    """Compute the gradients of input, weight and offset, in this order."""
    tensors = _unpack(input, weight, offset, None, None)
    grad = widen(grad).to(tensors[0].dtype)
    return torch.ops.torchvision._deform_conv2d_backward(grad, *tensors, *geometry, False)[:3]


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Convolve at moved places, each with a factor of its own (DCNv2).

    Args:
        input (Tensor): Shape (B, C, H, W).
        weight (Tensor): Shape (O, C / group, kernel_h, kernel_w).
        bias (Tensor): Shape (O, ), or empty.
        ones (Tensor): Room that mmcv's kernel needs, like ``columns``.
        offset (Tensor): As of :func:`deform_conv_forward`.
        mask (Tensor): The factors, shape
            (B, deformable_group * kernel_h * kernel_w, H_out, W_out).
        output (Tensor): Filled, shape (B, O, H_out, W_out).
        kernel_h (int): Height of the kernel, like ``kernel_w`` its width.
        stride_h (int): Stride down, like ``stride_w`` across.
        pad_h (int): Padding down, like ``pad_w`` across.
        dilation_h (int): Dilation down, like ``dilation_w`` across.
        group (int): Groups of the convolution.
        deformable_group (int): Groups of channels with offsets of their own.
        with_bias (bool): Whether there is a bias.
    """
    geometry = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group, deformable_group)
    offset, mask = (_read(t, output) for t in (offset, mask))
    tensors = _unpack(input, weight, offset, mask, bias if with_bias else None)
    output.copy_(torch.ops.torchvision.deform_conv2d(*tensors, *geometry, True))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Compute the gradients of :func:`modulated_deform_conv_forward`.

    Args:
        input (Tensor): As there, like all that is not named here.
        grad_input (Tensor): Filled, like the other ``grad_`` but for the next.
        grad_output (Tensor): Gradient of ``output``.
    """
    geometry = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group, deformable_group)
    offset, mask = (_read(t, grad_output) for t in (offset, mask))
    tensors = _unpack(input, weight, offset, mask, bias if with_bias else None)
    found = torch.ops.torchvision._deform_conv2d_backward(
        widen(grad_output).to(tensors[0].dtype), *tensors, *geometry, True
    )
    filled = [grad_input, grad_weight]
    if with_bias:
        filled.append(grad_bias)
    for grad, value in zip(filled, (*found[:2], found[4])):
        grad.copy_(value)
    _write(grad_offset, found[2])
    _write(grad_mask, found[3])
