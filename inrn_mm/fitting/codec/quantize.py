"""Weights as whole numbers of a few bits."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# What of a row's largest weight the largest code stands for. Cutting the few
# largest weights off makes the steps of all others finer.
CLIPS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5)
# Shorter channels share a step: 16 bits for each would weigh too much.
MIN_ROW = 64


def quantize(value: Tensor, bits: int, per_channel: bool = True) -> tuple[Tensor, Tensor]:
    """Round weights to equal steps around zero.

    Zero stays zero, so that pruned weights need no map of their own: they are
    one more symbol for the entropy coder. The step of each channel is the one
    of :data:`CLIPS` with the least squared error.

    Args:
        value (Tensor): Floats of any shape.
        bits (int): Bits of a code, from 2 to 8.
        per_channel (bool): A step for each index of the first axis, if it
            has :data:`MIN_ROW` weights or more. Defaults to True.

    Returns:
        tuple[Tensor, Tensor]: The codes, int32 of the same shape, between
        ``-(2**(bits - 1) - 1)`` and its negative, and the weight that the
        largest code stands for, float16 of shape ``(channels,)``.

    Raises:
        ValueError: If a weight is not finite, or too large for float16.
    """
    levels = largest_code(bits)
    rows = value.detach().float().reshape(num_steps(value.shape, per_channel), -1)
    peaks = rows.abs().amax(1)
    check_half(peaks)
    best = torch.full_like(peaks, float('inf'))
    codes = torch.zeros_like(rows)
    peaks_found = torch.zeros_like(peaks, dtype=torch.float16)
    for clip in CLIPS:
        peak = (clip * peaks).half()
        steps = (peak.float() / levels).unsqueeze(1)
        trial = rows / steps.clamp(min=torch.finfo(torch.float32).tiny)
        trial = trial.round().clamp(-levels, levels)
        error = (trial * steps - rows).square().sum(1)
        better = error < best
        best = torch.where(better, error, best)
        codes = torch.where(better.unsqueeze(1), trial, codes)
        peaks_found = torch.where(better, peak, peaks_found)
    # a row too small for float16 is zero
    codes = torch.where((peaks_found > 0).unsqueeze(1), codes, 0)
    return codes.int().reshape(value.shape), peaks_found


def dequantize(codes: Tensor, peaks: Tensor, bits: int) -> Tensor:
    """Compute the weights that codes stand for.

    Args:
        codes (Tensor): Int32 of any shape.
        peaks (Tensor): Float16 of shape ``(1,)`` or ``(codes.shape[0],)``.
        bits (int): Bits of a code.

    Returns:
        Tensor: Float32, of the codes' shape.
    """
    steps = peaks.float() / largest_code(bits)
    if codes.dim():
        steps = steps.reshape(-1, *[1] * (codes.dim() - 1))
    return (codes * steps).reshape(codes.shape)


def num_steps(shape: Sequence[int], per_channel: bool) -> int:
    """Count the steps of a tensor.

    Args:
        shape (Sequence[int]): Shape of the tensor.
        per_channel (bool): Whether each row of a matrix or kernel has its own
            step; short rows share one all the same.

    Returns:
        int: 1, or ``shape[0]``.
    """
    rows = shape[0] if per_channel and len(shape) > 1 else 1
    return rows if math.prod(shape) >= MIN_ROW * rows else 1


def largest_code(bits: int) -> int:
    """Compute the largest of the codes, which are symmetric around zero."""
    return 2 ** (bits - 1) - 1


def check_finite(value: Tensor) -> None:
    """Refuse weights that are no numbers.

    Args:
        value (Tensor): Numbers of any shape and type.

    Raises:
        ValueError: If one is not finite.
    """
    if not torch.isfinite(value).all():
        raise ValueError(
            'The network has weights that are NaN or infinite: '
            'fit again with a lower learning rate.'
        )


def check_half(value: Tensor) -> None:
    """Refuse weights that float16 cannot hold.

    Args:
        value (Tensor): Floats of any shape.

    Raises:
        ValueError: If one is not finite, or above the largest float16.
    """
    check_finite(value)
    if value.numel() and value.abs().max() > torch.finfo(torch.float16).max:
        raise ValueError(
            f'A weight of {value.abs().max():.3g} is too large for 16-bit '
            'floats: store the network with bits=32.'
        )
