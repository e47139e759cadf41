"""PSNR, SSIM and MS-SSIM of frames with values in [0, 1]."""

import torch
from torch import Tensor

# Side of the Gaussian window of SSIM, and scales of MS-SSIM, each half as
# large as the one before.
WINDOW, SCALES = 11, 5
MS_SSIM_SIDE = (WINDOW - 1) * 2 ** (SCALES - 1)
# Two equal frames have an infinite PSNR, which no mean survives.
MAX_PSNR = 100.0


def psnr(pred: Tensor, target: Tensor) -> Tensor:
    """Compute the peak signal-to-noise ratio of each frame.

    Args:
        pred (Tensor): Shape ``(B, C, H, W)``, in [0, 1], rounded to the
            levels of the target for the figure that a file's reader gets.
        target (Tensor): The same shape.

    Returns:
        Tensor: Decibels, at most 100, shape ``(B,)``.
    """
    # float32 rounds an error of one 16-bit level by a hundredth of it
    error = pred.double() - target.double()
    mse = error.square().flatten(1).mean(1)
    return (-10 * torch.log10(mse)).clamp(max=MAX_PSNR)


def ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Compute the structural similarity of each frame (Wang et al., 2004).

    A Gaussian window of 11 and sigma 1.5, without padding, the mean over
    pixels and channels: pytorch-msssim's, which the papers on video
    representations report.

    Args:
        pred (Tensor): Shape ``(B, C, H, W)``, in [0, 1].
        target (Tensor): The same shape.

    Returns:
        Tensor: Shape ``(B,)``.

    Raises:
        ValueError: If a side is below 11.
    """
    _check_sides(target, WINDOW, 'SSIM')
    return _library().ssim(pred.float(), target.float(), data_range=1, size_average=False)


def ms_ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Compute the multi-scale structural similarity (Wang et al., 2003).

    Args:
        pred (Tensor): Shape ``(B, C, H, W)``, in [0, 1].
        target (Tensor): The same shape.

    Returns:
        Tensor: Shape ``(B,)``.

    Raises:
        ValueError: If a side is 160 or less.
    """
    _check_sides(target, MS_SSIM_SIDE + 1, 'MS-SSIM')
    return _library().ms_ssim(pred.float(), target.float(), data_range=1, size_average=False)


def _check_sides(frames: Tensor, least: int, name: str) -> None:
    height, width = frames.shape[-2:]
    if min(height, width) < least:
        raise ValueError(
            f'{name} needs sides of at least {least} pixels and the frames '
            f'have {height} x {width}: leave this metric out, or use a larger '
            'size.'
        )


def _library():
    try:
        import pytorch_msssim
    except ImportError:
        raise ImportError(
            'SSIM and MS-SSIM need the package pytorch-msssim: pip install -r requirements/fit.txt.'
        ) from None
    return pytorch_msssim
