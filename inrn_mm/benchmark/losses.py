"""Time and memory of distillation losses, forward and backward.

Beside those whose formula is a few lines stand these lines, written down as
they are read: "direct".
"""
import argparse
from typing import Callable, Dict, List, Tuple

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor

from ..utils.machine import describe
from .timing import interleave, median, peak_memory, ratio

COLUMNS = [
    ('name', 'loss', ''),
    ('milliseconds', 'ms', '.2f'),
    ('direct_ms', 'direct ms', '.2f'),
    ('relative', 'x direct', '.2f'),
    ('relative_low', 'quartiles', '.2f'),
    ('relative_high', '', '.2f'),
    ('peak_mb', 'peak MB', '.1f'),
    ('direct_mb', 'direct MB', '.1f'),
]
WIDTHS = [256, 512, 1024, 2048]  # ResNet-101
Features = List[Tensor]


def shapes(kind: str, batch: int,
           size: Tuple[int, int]) -> Dict[str, List[tuple]]:
    """Shapes of what losses compare.

    Args:
        kind (str): ``'coco'``: four stages of INRN-M and ResNet-101 and four
            levels of FPNs; ``'cifar'``: three stages of ResNet-8x4 and 32x4
            for 32 x 32 images, whatever the size.
        batch (int): Number of images.
        size (tuple[int, int]): Height and width of the images.

    Returns:
        dict: Pairs of shapes for ``'stages'``, ``'pyramid'``, ``'vectors'``
        and ``'logits'``.
    """
    if kind == 'cifar':
        stages = [((batch, c, n, n), ) * 2
                  for c, n in ((64, 32), (128, 16), (256, 8))]
        pyramid, rows, classes, width = stages, batch, 100, 256
    else:
        places = [(-(-size[0] // s), -(-size[1] // s)) for s in (4, 8, 16, 32)]
        stages = [((batch, w // 4, *p), (batch, w, *p))
                  for w, p in zip(WIDTHS, places)]
        pyramid = [((batch, 256, *p), ) * 2 for p in places]
        rows, classes, width = 512 * batch, 81, 1024
    return dict(
        stages=stages,
        pyramid=pyramid,
        vectors=[((rows, width), ) * 2],
        logits=[((rows, classes), ) * 2])


# loss: which shapes it compares, its arguments
LOSSES = {
    'StageMSELoss': ('stages', {}),
    'AttentionTransferLoss': ('stages', {}),
    'ReviewLoss': ('stages', dict(mid_channels=256)),
    'FitNetLoss': ('hint', {}),
    'ChannelWiseLoss': ('pyramid', {}),
    'PearsonLoss': ('pyramid', {}),
    'MaskedGenerativeLoss': ('pyramid', {}),
    'FocalGlobalLoss': ('pyramid', {}),
    'LogitKDLoss': ('logits', {}),
    'DecoupledKDLoss': ('logits', {}),
    'DISTLoss': ('logits', {}),
}


def run(args: argparse.Namespace) -> dict:
    """Time the losses.

    Args:
        args (Namespace): ``shapes`` (``'coco'`` or ``'cifar'``), ``batch``,
            ``size``, ``iters``, ``warmup`` and ``device``.

    Returns:
        dict: The rows.
    """
    found = shapes(args.shapes, args.batch, args.size)
    found['hint'] = found['stages'][1:2]
    rows = []
    for name, (kind, options) in LOSSES.items():
        torch.manual_seed(0)
        pairs = found[kind]
        loss = MODELS.build(
            dict(
                type=name, pairs=[(str(i), str(i)) for i in range(len(pairs))],
                **options))
        loss.build(*([torch.Size(p[i]) for p in pairs] for i in range(2)))
        loss.to(args.device).train()
        student, teacher = ([
            torch.randn(p[i], device=args.device).requires_grad_(i == 0)
            for p in pairs
        ] for i in range(2))
        samples = _samples(len(student[0]), args)
        # images, or the rows of logits that an image's boxes have
        tasks = dict(
            ours=_task(
                lambda: sum(loss(student, teacher, samples)), student, loss))
        if name in DIRECT:
            tasks['direct'] = _task(
                lambda: DIRECT[name](loss, student, teacher), student, loss)
        seconds = interleave(tasks, args.iters, args.warmup, args.device)
        memory = {k: peak_memory(t, args.device) / 1e6
                  for k, t in tasks.items()}
        row = dict(
            name=name,
            milliseconds=1e3 * median(seconds['ours']),
            peak_mb=memory['ours'])
        if name in DIRECT:
            relative = ratio(seconds['ours'], seconds['direct'])
            row.update(
                direct_ms=1e3 * median(seconds['direct']),
                relative=relative['ratio'],
                relative_low=relative['low'],
                relative_high=relative['high'],
                direct_mb=memory['direct'])
        rows.append(row)
    return dict(rows=rows, machine=describe(args.device))


def _task(term: Callable[[], Tensor], student: Features,
          loss: torch.nn.Module) -> Callable[[], None]:

    def task() -> None:
        loss.zero_grad()
        for x in student:
            x.grad = None
        term().backward()

    return task


def _samples(rows: int, args: argparse.Namespace) -> list:
    """Ground truth: a class for each row, eight boxes for each image."""
    height, width = args.size
    boxes = torch.rand(8, 4) * 0.4
    boxes[:, 2:] += 0.5
    boxes = boxes * torch.tensor([width, height] * 2)
    return [
        BaseDataElement(
            metainfo=dict(img_shape=(height, width)),
            gt_label=torch.randint(80, (1, ), device=args.device),
            gt_instances=InstanceData(bboxes=boxes.to(args.device)))
        for _ in range(rows)
    ]


def _stage_mse(loss, student: Features, teacher: Features) -> Tensor:
    return sum(
        F.mse_loss(align.conv(s), t)
        for align, s, t in zip(loss.align, student, teacher))


def _attention(loss, student: Features, teacher: Features) -> Tensor:

    def unit(x):
        return F.normalize(x.pow(2).mean(1).flatten(1))

    return sum((unit(s) - unit(t)).pow(2).mean()
               for s, t in zip(student, teacher))


def _review(loss, student: Features, teacher: Features) -> Tensor:
    total, fused = 0., None
    for fuse, s, t in zip(loss.fusions[::-1], student[::-1], teacher[::-1]):
        s, fused = fuse(s, fused, t.shape[-2:])
        term, weight, weights = F.mse_loss(s, t), 1., 1.
        for size in (4, 2, 1):
            if size < min(t.shape[-2:]):
                weight /= 2
                weights += weight
                term = term + weight * F.mse_loss(
                    F.adaptive_avg_pool2d(s, size),
                    F.adaptive_avg_pool2d(t, size))
        total = total + term / weights
    return total


def _channel_wise(loss, student: Features, teacher: Features) -> Tensor:
    total = 0.
    for s, t in zip(student, teacher):
        s, t = s.flatten(2).flatten(0, 1), t.flatten(2).flatten(0, 1)
        p = t.softmax(1)
        total = total + (p * (t.log_softmax(1) - s.log_softmax(1))
                         ).sum() / len(s)
    return total


def _pearson(loss, student: Features, teacher: Features) -> Tensor:

    def unit(x):
        x = x.transpose(0, 1).flatten(1)
        return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-6)

    return sum(
        F.mse_loss(unit(s), unit(t)) / 2 for s, t in zip(student, teacher))


def _logits(loss, student: Features, teacher: Features) -> Tensor:
    t = loss.temperature
    return t**2 * F.kl_div((student[0] / t).log_softmax(1),
                           (teacher[0] / t).softmax(1),
                           reduction='batchmean')


DIRECT = {
    'StageMSELoss': _stage_mse,
    'AttentionTransferLoss': _attention,
    'ReviewLoss': _review,
    'ChannelWiseLoss': _channel_wise,
    'PearsonLoss': _pearson,
    'LogitKDLoss': _logits,
}
