"""Fitting steps and decoded frames per second.

The straightforward loop is a plain NeRV: float frames, SSIM of five blurred
maps, torch's Adam without options, the loss and the PSNR read in
each step.
"""

import argparse
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmengine.hub import get_config
from mmengine.registry import MODELS
from torch import Tensor, nn

from inrn_mm.engine.fused_optimizers import FusedAdam
from inrn_mm.fitting.fitter import SignalFitter
from inrn_mm.fitting.signal import Signal
from inrn_mm.utils.machine import describe

from .precision import wrap
from .timing import interleave, median, peak_memory, ratio

FRAMES = 32
DECODED = 8  # of them
PLAIN = 'NeRV-S, straightforward loop'
NETWORKS = {
    'INRN-S': dict(type='SingleStageINRN', arch='s'),
    'INRN, interleaved': dict(type='SingleStageINRN', arch='interleaved'),
    'INRN-plus-fast': 'inrn_mm::fitting/inrn-plus-fast_video.py',
    'NeRV-S': dict(type='NeRV', arch='s'),
    'SIREN': dict(type='SIREN', width=1024, num_layers=3),
}
COLUMNS = [
    ('name', 'network', ''),
    ('parameters', 'million', '.2f'),
    ('steps', 'steps/s', '.2f'),
    ('relative', 'x straightforward', '.2f'),
    ('relative_low', 'quartiles', '.2f'),
    ('relative_high', '', '.2f'),
    ('frames', 'decoded frames/s', '.2f'),
    ('peak_mb', 'peak MB', '.0f'),
]


def run(args: argparse.Namespace) -> dict:
    """Time fits of a random video; a step takes one frame.

    Args:
        args (Namespace): ``networks`` (names of :data:`NETWORKS`), ``size``,
            ``iters``, ``warmup``, ``device`` and ``amp`` (None or a type).

    Returns:
        dict: The rows; SIREN's steps are on whole frames, too.
    """
    torch.manual_seed(0)
    video = torch.randint(256, (FRAMES, *args.size, 3), dtype=torch.uint8)
    steps: dict[str, Callable[[], None]] = {}
    decodes: dict[str, Callable[[], None]] = {}
    rows = {}
    for name in args.networks:
        fitter = make_fitter(name, video).to(args.device).train()
        steps[name] = _step(fitter, args)
        decodes[name] = _decode(fitter)
        rows[name] = dict(name=name, parameters=fitter.num_parameters / 1e6)
    net = MODELS.build(dict(NETWORKS['NeRV-S'], shape=video.shape))
    net.to(args.device).train()
    steps[PLAIN] = _plain_step(net, video, args.device)
    decodes[PLAIN] = _plain_decode(net, args.device)
    rows[PLAIN] = dict(name=PLAIN, parameters=net.num_parameters / 1e6)
    seconds = interleave(steps, args.iters, args.warmup, args.device)
    decoding = interleave(decodes, max(3, args.iters // 2), 1, args.device)
    for name, row in rows.items():
        faster = ratio(seconds[PLAIN], seconds[name])
        row.update(
            steps=1 / median(seconds[name]),
            relative=faster['ratio'],
            relative_low=faster['low'],
            relative_high=faster['high'],
            frames=DECODED / median(decoding[name]),
            peak_mb=peak_memory(steps[name], args.device) / 1e6,
            all_seconds=seconds[name],
        )
    return dict(rows=list(rows.values()), machine=describe(args.device))


def make_fitter(name: str, video: Tensor) -> SignalFitter:
    """Build the fit of a network to a video.

    Args:
        name (str): One of :data:`NETWORKS`.
        video (Tensor): ``(T, H, W, 3)``, uint8.
    """
    net = NETWORKS[name]
    if isinstance(net, str):
        net = get_config(net).model.net
    return SignalFitter(net, Signal(video), loss=dict(type='FittingLoss', norm='l1'))


def _step(fitter: SignalFitter, args: argparse.Namespace) -> Callable[[], None]:
    optimizer = FusedAdam(fitter.parameters(), lr=5e-4)
    wrapper = wrap(optimizer, args)
    # windows of the whole frame: as many pixels as the others
    data = dict(inputs=torch.tensor([FRAMES // 2]))
    return lambda: fitter.train_step(data, wrapper)


def _decode(fitter: SignalFitter) -> Callable[[], None]:

    def decode() -> None:
        fitter.eval()
        for frame in fitter.decode(range(DECODED)):
            frame.cpu()  # as in the plain loop
        fitter.train()

    return decode


def _plain_step(net: nn.Module, video: Tensor, device: str) -> Callable[[], None]:
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)
    frames = video.permute(0, 3, 1, 2).float() / 255

    def step() -> None:
        index = FRAMES // 2
        target = frames[index : index + 1].to(device)
        time = net.times(torch.tensor([index], device=device))
        pred = net(time)
        loss = 0.7 * (pred - target).abs().mean() + 0.3 * (1 - _ssim(pred, target))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        10 * math.log10(1 / F.mse_loss(pred.detach(), target).item())

    return step


def _plain_decode(net: nn.Module, device: str) -> Callable[[], None]:

    @torch.no_grad()
    def decode() -> None:
        for i in range(DECODED):
            net(net.times(torch.tensor([i], device=device))).cpu()

    return decode


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    """Compute SSIM of ``(N, C, H, W)`` in [0, 1], a Gaussian window of 11."""
    line = torch.arange(11, device=x.device) - 5.0
    line = torch.exp(-line.square() / (2 * 1.5**2))
    line = (line / line.sum()).expand(x.shape[1], 1, 1, 11)

    def blur(z):
        z = F.conv2d(z, line, groups=z.shape[1])
        return F.conv2d(z, line.transpose(2, 3), groups=z.shape[1])

    mx, my = blur(x), blur(y)
    xx, yy, xy = blur(x * x), blur(y * y), blur(x * y)
    c1, c2 = 0.01**2, 0.03**2
    return (
        (2 * mx * my + c1)
        * (2 * (xy - mx * my) + c2)
        / ((mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2))
    ).mean()
