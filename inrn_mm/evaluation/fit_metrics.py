"""Metrics of a fit, for mmengine's evaluator."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from torch import Tensor

from . import quality


class FrameMetric(BaseMetric):
    """Mean over the frames of a figure of each.

    Takes what :class:`~inrn_mm.fitting.SignalFitter` predicts: for each frame
    ``pred`` and ``gt`` of shape ``(C, H, W)`` in [0, 1], ``pred`` rounded to
    the signal's levels.

    Args:
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`.
            Defaults to ``'cpu'``.
        prefix (str, optional): Put before the key in the log. Defaults to
            None.
    """

    key: str = ''
    #: Smallest height and width of a frame.
    min_side: int = 1
    figure: Callable[[Tensor, Tensor], Tensor]

    def __init__(self, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device, prefix)

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Measure some frames."""
        for sample in data_samples:
            value = self.figure(sample['pred'][None], sample['gt'][None])
            self.results.append(float(value))

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """Average over the frames."""
        return {self.key: sum(results) / len(results)}


@METRICS.register_module()
class PSNR(FrameMetric):
    """PSNR of each frame in dB, averaged over the frames (key ``psnr``).

    That of the pooled error, which some codes report, is lower where frames
    differ in difficulty.
    """

    key = 'psnr'
    figure = staticmethod(quality.psnr)


@METRICS.register_module()
class SSIM(FrameMetric):
    """SSIM of each frame, averaged (key ``ssim``)."""

    key = 'ssim'
    min_side = quality.WINDOW
    figure = staticmethod(quality.ssim)


@METRICS.register_module()
class MSSSIM(FrameMetric):
    """MS-SSIM of each frame, averaged (key ``ms_ssim``)."""

    key = 'ms_ssim'
    min_side = quality.MS_SSIM_SIDE + 1
    figure = staticmethod(quality.ms_ssim)


@METRICS.register_module()
class BitsPerPixel(BaseMetric):
    """Bits on disk for each pixel of each frame (key ``bpp``).

    Args:
        file (str | Path): The compact file, read when the evaluation ends:
            all of it counts.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`.
            Defaults to ``'cpu'``.
        prefix (str, optional): Put before the key in the log. Defaults to
            None.
    """

    def __init__(
        self, file: str | Path, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device, prefix)
        self.file = file

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Count the pixels."""
        for sample in data_samples:
            self.results.append(torch.Size(sample['gt'].shape[-2:]).numel())

    def compute_metrics(self, results: list[int]) -> dict[str, float]:
        """Divide the size of the file by the number of pixels.

        Raises:
            FileNotFoundError: If the file was not written.
        """
        if not os.path.isfile(self.file):
            raise FileNotFoundError(
                f'Bits per pixel are those of the file {self.file}, which '
                'does not exist: export the fit first.'
            )
        return dict(bpp=8 * os.path.getsize(self.file) / sum(results))
