"""Time and memory of distillation losses, forward and backward.

Each of ours is timed beside its formula written directly ("direct").
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial

import torch
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor, nn

from inrn_mm.distillation import DistillLoss
from inrn_mm.utils.machine import describe

from .direct import DIRECT
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


def shapes(kind: str, batch: int, size: tuple[int, int]) -> dict[str, list[tuple]]:
    """List the shapes of what losses compare.

    Args:
        kind (str): ``'coco'``: four stages of INRN-M and ResNet-101 and four
            levels of FPNs; ``'cifar'``: three stages of ResNet-8x4 and 32x4
            for 32 x 32 images, whatever the size, and their pooled vectors.
        batch (int): Number of images.
        size (tuple[int, int]): Height and width of the images.

    Returns:
        dict: Pairs of shapes for ``'stages'``, ``'hint'`` (the second of
        them), ``'pyramid'``, ``'logits'`` and, of an image each and thus of
        classifiers only, ``'vectors'``.
    """
    if kind == 'cifar':
        stages = [((batch, c, n, n),) * 2 for c, n in ((64, 32), (128, 16), (256, 8))]
        pyramid, rows, classes = stages, batch, 100
    else:
        places = [(-(-size[0] // s), -(-size[1] // s)) for s in (4, 8, 16, 32)]
        stages = [((batch, w // 4, *p), (batch, w, *p)) for w, p in zip(WIDTHS, places)]
        pyramid = [((batch, 256, *p),) * 2 for p in places]
        rows, classes = 512 * batch, 81
    found = dict(stages=stages, hint=stages[1:2], pyramid=pyramid, logits=[((rows, classes),) * 2])
    if kind == 'cifar':
        found['vectors'] = [((batch, 256),) * 2]
    return found


# loss: which shapes it compares, its arguments
LOSSES = {
    'StageMSELoss': ('stages', {}),
    'AttentionTransferLoss': ('stages', {}),
    'ReviewLoss': ('stages', dict(mid_channels=256)),
    'OverhaulLoss': ('stages', {}),
    'FitNetLoss': ('hint', {}),
    'ChannelWiseLoss': ('pyramid', {}),
    'PearsonLoss': ('pyramid', {}),
    'MaskedGenerativeLoss': ('pyramid', {}),
    'FocalGlobalLoss': ('pyramid', {}),
    'AttentionGuidedLoss': ('pyramid', {}),
    'LogitKDLoss': ('logits', {}),
    'DecoupledKDLoss': ('logits', {}),
    'DISTLoss': ('logits', {}),
    'ContrastiveLoss': ('vectors', dict(num_samples=50000)),
}


def make_loss(name: str, pairs: Sequence[tuple]) -> DistillLoss:
    """Build a loss that is ready to be called.

    Args:
        name (str): One of :data:`LOSSES`.
        pairs (Sequence[tuple]): Shapes of student and teacher, each.
    """
    loss = MODELS.build(
        dict(type=name, pairs=[(str(i), str(i)) for i in range(len(pairs))], **LOSSES[name][1])
    )
    loss.build(*([torch.Size(p[i]) for p in pairs] for i in range(2)))
    # the norms that OFD reads its margins from
    loss.attach_teacher([nn.BatchNorm2d(t[1]) for _, t in pairs])
    return loss.train()


def run(args: argparse.Namespace) -> dict:
    """Time the losses.

    Args:
        args (Namespace): ``shapes`` (``'coco'`` or ``'cifar'``), ``batch``,
            ``size``, ``iters``, ``warmup`` and ``device``.

    Returns:
        dict: The rows.
    """
    found = shapes(args.shapes, args.batch, args.size)
    rows = []
    for name, (kind, _) in LOSSES.items():
        if kind not in found:
            continue
        torch.manual_seed(0)
        pairs = found[kind]
        loss = make_loss(name, pairs).to(args.device)
        student, teacher = (
            [torch.randn(p[i], device=args.device).requires_grad_(i == 0) for p in pairs]
            for i in range(2)
        )
        # of images, or of the rows of logits that an image's boxes have
        samples = make_samples(len(student[0]), args.size, args.device)
        tasks = dict(
            ours=_task(partial(_add_terms, loss, student, teacher, samples), student, loss),
            direct=_task(partial(DIRECT[name], loss, student, teacher, samples), student, loss),
        )
        seconds = interleave(tasks, args.iters, args.warmup, args.device)
        memory = {k: peak_memory(t, args.device) / 1e6 for k, t in tasks.items()}
        relative = ratio(seconds['ours'], seconds['direct'])
        rows.append(
            dict(
                name=name,
                milliseconds=1e3 * median(seconds['ours']),
                direct_ms=1e3 * median(seconds['direct']),
                relative=relative['ratio'],
                relative_low=relative['low'],
                relative_high=relative['high'],
                peak_mb=memory['ours'],
                direct_mb=memory['direct'],
            )
        )
    return dict(rows=rows, machine=describe(args.device))


def _task(
    term: Callable[[], Tensor], student: list[Tensor], loss: DistillLoss
) -> Callable[[], None]:
    def task() -> None:
        term().backward()
        # at the end: the profiler of memory miscounts what calls leave behind
        loss.zero_grad()
        for x in student:
            x.grad = None

    return task


def _add_terms(loss: DistillLoss, *args) -> Tensor:
    return sum(loss(*args))


def make_samples(count: int, size: tuple[int, int], device: str) -> list[BaseDataElement]:
    """Make ground truth: an index and a class, and eight boxes in an image.

    Args:
        count (int): Number of samples.
        size (tuple[int, int]): Height and width of the images.
        device (str): Device of classes and boxes.
    """
    height, width = size
    boxes = torch.rand(8, 4) * 0.4
    boxes[:, 2:] += 0.5
    boxes = boxes * torch.tensor([width, height] * 2)
    return [
        BaseDataElement(
            metainfo=dict(img_shape=(height, width), sample_idx=i),
            gt_label=torch.randint(80, (1,), device=device),
            gt_instances=InstanceData(bboxes=boxes.to(device)),
        )
        for i in range(count)
    ]
