"""What a compact file is worth: its quality, size and speed of decoding."""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from mmengine.device import get_device
from torch import Tensor

from ..evaluation import MSSSIM, PSNR, SSIM
from ..evaluation.quality import MS_SSIM_SIDE, WINDOW
from .codec import CompactFit
from .fitter import SignalFitter
from .signal import Signal

TIMED = 20  # frames


def open_fitter(fit: CompactFit, device: str | None = None) -> SignalFitter:
    """A fitter that decodes a compact file.

    Args:
        fit (CompactFit): Of :func:`read_fit`.
        device (str, optional): Defaults to None, the GPU if there is one.

    Returns:
        SignalFitter: Without target, in eval mode.
    """
    fitter = SignalFitter(fit.net_cfg, fit.signal)
    fitter.net.load_state_dict(fit.net.state_dict())
    return fitter.to(device or get_device()).eval()


class Meter:
    """Measures frames against a target while they pass by.

    SSIM and MS-SSIM are left out where the frames are too small for them.

    Args:
        target (Signal): With its data.
    """

    def __init__(self, target: Signal) -> None:
        self.target = target
        side = min(target.shape[1:3])
        self.metrics = [PSNR()]
        if side >= WINDOW:
            self.metrics.append(SSIM())
        if side > MS_SSIM_SIDE:
            self.metrics.append(MSSSIM())
        self.frames = 0
        self.error = 0.0

    def watch(self, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Pass frames ``(H, W, C)`` on, in the target's order and levels."""
        levels = self.target.max_value
        for pixels in frames:
            pred = _to_float(torch.from_numpy(pixels.astype(np.float32)))
            gt = _to_float(self.target.data[self.frames].float().cpu())
            pred, gt = pred / levels, gt / levels
            for metric in self.metrics:
                metric.process(None, [dict(pred=pred, gt=gt)])
            self.error = self.error + (pred - gt).abs().mean(0).numpy()
            self.frames += 1
            yield pixels

    def figures(self) -> dict[str, float]:
        """The metrics of all frames that have passed."""
        found: dict[str, float] = {}
        for metric in self.metrics:
            found.update(metric.evaluate(self.frames))
        return found

    def error_map(self) -> np.ndarray:
        """Mean absolute error of each pixel, ``(H, W)``, in [0, 1]."""
        return self.error / self.frames


def pixels_of(fitter: SignalFitter, **decode) -> Iterator[np.ndarray]:
    """Decode to rounded pixels.

    Args:
        fitter (SignalFitter): With its network's weights.
        **decode: Arguments of :meth:`SignalFitter.decode`.

    Returns:
        Iterator[np.ndarray]: ``(H, W, C)`` of each frame.
    """
    for frame in fitter.decode(**decode):
        yield fitter.to_pixels(frame)


def decode_speed(fitter: SignalFitter) -> float:
    """Frames decoded to pixels in a second, at the signal's size.

    The first frame, which warms up, does not count, unless it is the only
    one: then it is decoded twice.
    """
    count = fitter.signal.shape[0]
    numbers: Sequence[int] = range(min(count, TIMED + 1))
    if count == 1:
        numbers = [0, 0]
    frames = pixels_of(fitter, frames=numbers)
    next(frames)
    start = time.perf_counter()
    timed = sum(1 for _ in frames)
    return timed / (time.perf_counter() - start)


def measure(fit: CompactFit, target: Signal) -> tuple[dict, Meter]:
    """Decode a compact file and measure it against its target.

    Args:
        fit (CompactFit): The file.
        target (Signal): With its data.

    Returns:
        tuple[dict, Meter]: ``psnr``, ``ssim`` and ``ms_ssim`` where there
        are any, ``bytes``, ``bits_per_pixel``, ``decode_fps``; and the meter.
    """
    fitter, meter = open_fitter(fit), Meter(target)
    for _ in meter.watch(pixels_of(fitter)):
        pass
    return file_figures(fit, fitter, meter), meter


def file_figures(fit: CompactFit, fitter: SignalFitter, meter: Meter) -> dict[str, float]:
    """All figures of a file whose frames have passed the meter.

    Args:
        fit (CompactFit): The file.
        fitter (SignalFitter): That decodes it; decodes some frames again, to
            be timed.
        meter (Meter): That the frames have passed.

    Returns:
        dict[str, float]: See :func:`measure`.
    """
    return dict(
        meter.figures(),
        bytes=fit.size,
        bits_per_pixel=fit.bits_per_pixel,
        decode_fps=decode_speed(fitter),
    )


def _to_float(pixels: Tensor) -> Tensor:
    return pixels.permute(2, 0, 1)
