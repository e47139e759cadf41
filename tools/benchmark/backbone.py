"""Images per second, latency and memory of backbones.

Each row is a backbone in one way of running it. All are timed in turn
with ResNet-50's plain one, whose images per second are 1.0 in the table.
"""

import argparse
import copy
from collections.abc import Callable

import torch
from mmengine.registry import MODELS
from torch import nn

from inrn_mm.engine.complexity import count
from inrn_mm.utils.machine import describe

from .machine import ceilings
from .timing import interleave, median, module_bytes, peak_memory, ratio

NETWORKS = {
    'INRN-S': dict(type='INRN', arch='s'),
    'INRN-S flat': dict(type='INRN', arch='s', compression=1),
    'INRN-M': dict(type='INRN', arch='m'),
    'INRN-M flat': dict(type='INRN', arch='m', compression=1),
    'INRN-L': dict(type='INRN', arch='l'),
    'INRN-L flat': dict(type='INRN', arch='l', compression=1),
    'ResNet-18': dict(type='mmpretrain.ResNet', depth=18),
    'ResNet-50': dict(type='mmpretrain.ResNet', depth=50),
    'ResNet-101': dict(type='mmpretrain.ResNet', depth=101),
    'RegNetX-1.6GF': dict(type='mmpretrain.RegNet', arch='regnetx_1.6gf'),
    'ConvNeXt-T': dict(type='mmpretrain.ConvNeXt', arch='tiny'),
    'MobileNetV2': dict(type='mmpretrain.MobileNetV2'),
}
REFERENCE = 'ResNet-50'
COLUMNS = [
    ('name', 'backbone', ''),
    ('way', 'way', ''),
    ('parameters', 'million', '.2f'),
    ('gmacs', 'GMAC', '.2f'),
    ('images', 'images/s', '.2f'),
    ('relative', f'x {REFERENCE}', '.2f'),
    ('relative_low', 'quartiles', '.2f'),
    ('relative_high', '', '.2f'),
    ('latency_ms', 'batch 1 ms', '.1f'),
    ('peak_mb', 'peak MB', '.0f'),
    ('roof', '% of roof', '.0f'),
    ('intensity', 'MAC/byte', '.1f'),
]


def run(args: argparse.Namespace) -> dict:
    """Time backbones.

    Args:
        args (Namespace): ``networks`` (names of :data:`NETWORKS`), ``ways``
            (names of :data:`WAYS`), ``train``, ``size``, ``batch``,
            ``iters``, ``warmup``, ``device`` and ``no_memory``.

    Returns:
        dict: The rows and the machine's ceilings. ``roof`` is the share of
        what the measured arithmetic and bandwidth allow, if each
        convolution's output is written and read once, in float32.
    """
    limits = ceilings(args.device, iters=args.iters)
    tasks, singles, rows, nets = {}, {}, {}, {}
    for name in dict.fromkeys([REFERENCE, *args.networks]):
        torch.manual_seed(0)
        plain = MODELS.build(NETWORKS[name])
        counts = _counts(plain, args.size)
        ways = args.ways if name in args.networks else []
        for way in dict.fromkeys(['eager', *ways]):
            if args.train and way.startswith('deployed'):
                continue  # folded norms are not trained
            key = f'{name} {way}'
            nets[key] = WAYS[way](copy.deepcopy(plain).to(args.device))
            tasks[key] = _task(nets[key], way, args.batch, args)
            singles[key] = _task(nets[key], way, 1, args)
            rows[key] = dict(name=name, way=way, **counts)
    seconds = interleave(tasks, args.iters, args.warmup, args.device)
    latencies = (
        {}
        if args.train
        else seconds
        if args.batch == 1
        else interleave(singles, args.iters, 1, args.device)
    )
    for key, row in rows.items():
        faster = ratio(seconds[f'{REFERENCE} eager'], seconds[key])
        row.update(
            images=args.batch / median(seconds[key]),
            relative=faster['ratio'],
            relative_low=faster['low'],
            relative_high=faster['high'],
            all_seconds=seconds[key],
        )
        if key in latencies:
            row['latency_ms'] = 1e3 * median(latencies[key])
        if not args.train and row['way'] != 'bfloat16':
            roof = min(limits['flops'], limits['bandwidth'] * row['intensity'])
            row['roof'] = 100 * row['images'] * row['gmacs'] * 1e9 / roof
        if not args.no_memory:
            row['peak_mb'] = (module_bytes(nets[key]) + peak_memory(tasks[key], args.device)) / 1e6
    return dict(
        rows=list(rows.values()),
        machine=describe(args.device),
        gigabytes_per_second=limits['bandwidth'] / 1e9,
        gmacs_per_second=limits['flops'] / 1e9,
    )


def _counts(net: nn.Module, size: tuple[int, int]) -> dict:
    """Count size and cost for one image."""
    counts = count(net, torch.rand(1, 3, *size))
    traffic = 4 * (2 * counts['activations'] + counts['params'])
    return dict(
        parameters=counts['params'] / 1e6,
        gmacs=counts['flops'] / 1e9,
        intensity=counts['flops'] / traffic,
    )


def _folded(net: nn.Module) -> nn.Module:
    if hasattr(net, 'switch_to_deploy'):
        net.switch_to_deploy()
        return net
    from mmcv.cnn import fuse_conv_bn

    net.eval()  # which some backbones of mmpretrain answer with None
    return fuse_conv_bn(net).requires_grad_(False)


def _channels_last(net: nn.Module) -> nn.Module:
    return net.to(memory_format=torch.channels_last)


def _compiled(net: nn.Module) -> nn.Module:
    net.compile()
    return net


WAYS: dict[str, Callable[[nn.Module], nn.Module]] = {
    'eager': lambda net: net,
    'channels_last': _channels_last,
    'bfloat16': lambda net: net,
    'compiled': _compiled,
    'deployed': _folded,
    'deployed_channels_last': lambda net: _channels_last(_folded(net)),
    'deployed_compiled': lambda net: _compiled(_folded(net)),
}


def _task(net: nn.Module, way: str, batch: int, args: argparse.Namespace) -> Callable[[], None]:
    """Make a forward, or a forward and a backward, of a batch."""
    inputs = torch.rand(batch, 3, *args.size, device=args.device)
    if 'channels_last' in way:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    low = torch.autocast(torch.device(args.device).type, torch.bfloat16, enabled=way == 'bfloat16')

    def train() -> None:
        net.train()
        with low:
            out = net(inputs)[-1]
        out.float().mean().backward()

    @torch.no_grad()
    def infer() -> None:
        net.eval()
        with low:
            net(inputs)

    return train if args.train else infer
