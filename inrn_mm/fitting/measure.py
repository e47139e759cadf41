"""What a compact file is worth: its quality, size and speed of decoding."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from torch import Tensor

from ..evaluation import MSSSIM, PSNR, SSIM
from .codec import CompactFit
from .fitter import SignalFitter
from .signal import Signal


def open_fitter(fit: CompactFit, device: str | None = None) -> SignalFitter:
    """Make a fitter that decodes a compact file.

    Args:
        fit (CompactFit): What :func:`read_fit` returns.
        device (str, optional): Defaults to None, the GPU if there is one.

    Returns:
        SignalFitter: Without target, in eval mode; the network is the file's.
    """
    return SignalFitter(fit.net, fit.signal).to(device or get_device()).eval()


class Meter:
    """Measures frames against a target while they pass by.

    SSIM and MS-SSIM are left out where the frames are too small for them.

    Args:
        target (Signal): The target, with its data.

    Attributes:
        frames (int): Number of frames that have passed.
        seconds (list[float]): Time that each of them took to come.
    """

    def __init__(self, target: Signal) -> None:
        self.target = target
        side = min(target.shape[1:3])
        self.metrics = [m for m in (PSNR(), SSIM(), MSSSIM()) if side >= m.min_side]
        self.frames = 0
        self.error: Any = 0.0
        self.seconds: list[float] = []

    def watch(self, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Pass frames ``(H, W, C)`` on, in the target's order and levels."""
        levels = self.target.max_value
        start = time.perf_counter()
        for pixels in frames:
            self.seconds.append(time.perf_counter() - start)
            pred = _to_float(torch.from_numpy(pixels.astype(np.float32)))
            gt = _to_float(self.target.data[self.frames].float().cpu())
            pred, gt = pred / levels, gt / levels
            for metric in self.metrics:
                metric.process(None, [dict(pred=pred, gt=gt)])
            self.error = self.error + (pred - gt).abs().mean(0).numpy()
            self.frames += 1
            yield pixels
            start = time.perf_counter()

    def figures(self) -> dict[str, float]:
        """Evaluate the metrics of all frames that have passed."""
        found: dict[str, float] = {}
        for metric in self.metrics:
            found.update(metric.evaluate(self.frames))
        return found

    def error_map(self) -> np.ndarray:
        """Compute the mean absolute error of each pixel, ``(H, W)``, in [0, 1]."""
        return self.error / self.frames


def pixels_of(fitter: SignalFitter, **decode) -> Iterator[np.ndarray]:
    """Decode to rounded pixels.

    Args:
        fitter (SignalFitter): The decoder.
        **decode: Arguments of :meth:`SignalFitter.decode`.

    Returns:
        Iterator[np.ndarray]: ``(H, W, C)`` of each frame.
    """
    for frame in fitter.decode(**decode):
        yield fitter.to_pixels(frame)


def decode_speed(fitter: SignalFitter, meter: Meter) -> float:
    """Count the frames decoded to pixels in a second, at the signal's size.

    The first frame, which warms up, does not count. A single one is decoded
    once more.

    Args:
        fitter (SignalFitter): The decoder.
        meter (Meter): Through which its frames have passed.

    Returns:
        float: Frames per second.
    """
    seconds = meter.seconds[1:]
    if not seconds:
        start = time.perf_counter()
        next(pixels_of(fitter, frames=[0]))
        seconds = [time.perf_counter() - start]
    return len(seconds) / sum(seconds)


def measure(fit: CompactFit, target: Signal) -> tuple[dict, Meter]:
    """Decode a compact file and measure it against its target.

    Args:
        fit (CompactFit): The file.
        target (Signal): The target, with its data.

    Returns:
        tuple[dict, Meter]: ``psnr``, ``ssim`` and ``ms_ssim`` where there
        are any, ``bytes``, ``bits_per_pixel``, ``decode_fps``; and the meter.
    """
    fitter, meter = open_fitter(fit), Meter(target)
    for _ in meter.watch(pixels_of(fitter)):
        pass
    return file_figures(fit, fitter, meter), meter


def file_figures(fit: CompactFit, fitter: SignalFitter, meter: Meter) -> dict[str, float]:
    """Collect the figures of a file whose frames have passed the meter.

    Args:
        fit (CompactFit): The file.
        fitter (SignalFitter): The decoder.
        meter (Meter): Through which its frames have passed.

    Returns:
        dict[str, float]: See :func:`measure`.
    """
    return dict(
        meter.figures(),
        bytes=fit.size,
        bits_per_pixel=fit.bits_per_pixel,
        decode_fps=decode_speed(fitter, meter),
    )


def _to_float(pixels: Tensor) -> Tensor:
    return pixels.permute(2, 0, 1)
