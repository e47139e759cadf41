"""What distillation adds to a training step.

Each row is one whole step (preprocessing, forward, backward, optimizer) on
the same random images and with the same random numbers. The learning rate is
0, so that all students stay the same. The floor is the student's step and one
forward of the teacher up to the last layer that the losses need, without
losses: nothing that distils with a teacher in the loop can be faster.
"""

import argparse
import copy
import logging
from collections.abc import Callable

import torch
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import MODELS
from torch import Tensor

from inrn_mm.distillation import WeightSchedule
from inrn_mm.distillation.acceleration import Acceleration
from inrn_mm.distillation.recorder import Recorder
from inrn_mm.engine.config_file import read_config
from inrn_mm.utils.config_types import init_scope, is_distiller, model_package
from inrn_mm.utils.machine import describe

from .peers import PEERS
from .precision import wrap
from .samples import random_batch
from .timing import interleave, median, module_bytes, peak_memory, ratio, synchronize

COLUMNS = [
    ('name', 'training step', ''),
    ('seconds', 'seconds', '.3f'),
    ('student', 'x student', '.3f'),
    ('floor', 'x floor', '.3f'),
    ('floor_low', 'quartiles', '.3f'),
    ('floor_high', '', '.3f'),
    ('peak_mb', 'peak MB', '.0f'),
]
# rows of ours with an option of the teacher
VARIANTS = dict(
    folded=dict(fold_bn=True),
    channels_last=dict(channels_last=True),
    bfloat16=dict(dtype='bfloat16'),
    compiled=dict(compile=True),
    all=dict(fold_bn=True, channels_last=True, dtype='bfloat16', compile=True),
)


def run(args: argparse.Namespace) -> dict:
    """Time and weigh the steps.

    Args:
        args (Namespace): ``config`` of a distilled training, ``size``,
            ``batch``, ``iters``, ``warmup``, ``device``, ``amp`` (None or a
            type of :class:`AmpOptimWrapper`), ``variants`` (names of
            :data:`VARIANTS`), ``peers`` (names of :data:`PEERS`) and
            ``no_memory``.

    Returns:
        dict: The rows, and the memory that ours may need: that of the
        student, the teacher's weights and the tapped maps.
    """
    cfg, package = read_model(args.config)
    data = random_batch(package, args.batch, args.size)
    models = _models(cfg, args)
    steps = {name: make_step(model, data, args) for name, model in models.items()}
    steps['floor'] = _floor(models['ours'], steps['student alone'], data, args)
    seconds = interleave(steps, args.iters, args.warmup, args.device)
    rows = [_row(name, seconds) for name in steps]
    result = dict(rows=rows, machine=describe(args.device))
    if not args.no_memory:
        for row in rows:
            name = row['name']
            # the floor has the networks that ours has
            row['peak_mb'] = _peak(steps[name], models.get(name, models['ours']), args.device) / 1e6
        result['memory'] = _memory(models['ours'], rows, data, args.device)
    return result


def read_model(path: str) -> tuple[dict, str]:
    """Read the model of a distilled training, with a random teacher.

    Args:
        path (str): The config's file.

    Returns:
        tuple[dict, str]: The model's config, and the package it is made for. The
        config's default scope is entered.

    Raises:
        ValueError: If the model is no distiller, or the file cannot be read.
    """
    cfg = read_config(path)
    if not is_distiller(cfg.get('model')):
        raise ValueError(
            f'{path} is not the config of a distilled training: its model is no KnowledgeDistiller.'
        )
    init_scope(cfg)
    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    cfg.model.update(teacher_checkpoint=None, allow_random_teacher=True, ratio_interval=0)
    return cfg.model, model_package(cfg)


def make_distiller(cfg: dict) -> BaseModel:
    """Build the distiller, initialised without anything downloaded.

    Args:
        cfg (dict): What :func:`read_model` returns.

    Returns:
        KnowledgeDistiller: In training mode, SyncBN replaced by BN.
    """
    torch.manual_seed(0)
    logging.disable(logging.WARNING)  # a line for each parameter
    try:
        ours = MODELS.build(cfg)
        for module in ours.modules():
            init = getattr(module, 'init_cfg', None)
            if isinstance(init, dict) and init['type'] == 'Pretrained':
                module.init_cfg = None  # nothing is downloaded
        ours.init_weights()
    finally:
        logging.disable(logging.NOTSET)
    return revert_sync_batchnorm(ours).train()


def _models(cfg: dict, args: argparse.Namespace) -> dict[str, BaseModel]:
    """Build all contestants but the floor, with the same weights."""
    ours = make_distiller(cfg)
    models = {
        'student alone': copy.deepcopy(ours.student),
        'ours': ours,
        'ours, weights 0': copy.deepcopy(ours),
    }
    for loss in models['ours, weights 0'].distill_losses:
        loss.schedule = WeightSchedule(stop=0)
    # the plain ways' teacher samples proposals of its own
    if not any(loss.same_proposals for loss in ours.distill_losses):
        models['whole teacher in loss mode'] = _Plain(ours)
        if hasattr(ours.teacher.net, 'extract_feat'):
            models["teacher's extract_feat"] = _Plain(ours, whole=False)
    for name in args.variants:
        models[f'ours, teacher {name}'] = _accelerated(ours, VARIANTS[name])
    for name in args.peers:
        models[name] = PEERS[name](ours, cfg)
    for model in models.values():
        model.to(args.device)
        model.train()  # that of the peers returns None
    return models


def _accelerated(ours: BaseModel, options: dict) -> BaseModel:
    """Copy the distiller with other options of the teacher."""
    model = copy.deepcopy(ours)
    model.teachers = {}
    for name, teacher in ours.teachers.items():
        model.teachers[name] = copy.copy(teacher)
        model.teachers[name].acceleration = Acceleration(**options)
    return model


class _Plain(BaseModel):
    """The straightforward distiller: hooks, and the teacher run like the student.

    The losses and their align convolutions are ours. The teacher is taken as
    it is, in float32, outside of the autocast that ``amp`` gives the step.

    Args:
        ours (KnowledgeDistiller): Whose networks are copied.
        whole (bool): Run all of the teacher, in loss mode, as mmrazor does;
            or its backbone and neck, as mmdet's
            ``KnowledgeDistillationSingleStageDetector``. Defaults to True.
    """

    def __init__(self, ours: BaseModel, whole: bool = True) -> None:
        super().__init__(copy.deepcopy(ours.student.data_preprocessor))
        self.student = copy.deepcopy(ours.student)
        self.teacher = copy.deepcopy(ours.teacher.net)
        self.losses = copy.deepcopy(ours.distill_losses)
        self.whole = whole
        self.convert = ours.teacher.inputs
        self.pairs = [bound.taps for bound in ours.bound]
        self.seen: dict[tuple, Tensor] = {}
        for net in (self.student, self.teacher):
            for pair in sum(self.pairs, []):
                tap = pair[net is self.teacher]
                net.get_submodule(tap.path).register_forward_hook(
                    self._keep(net is self.teacher, tap)
                )

    def _keep(self, teacher: bool, tap) -> Callable:

        def hook(module, args, output):
            self.seen[teacher, tap] = tap.pick(output)

        return hook

    def forward(self, inputs, data_samples=None, mode='loss'):
        losses = dict(self.student(inputs, data_samples, mode='loss'))
        converted = self.convert(inputs, data_samples)
        with torch.no_grad(), torch.autocast(inputs.device.type, enabled=False):
            if self.whole:
                self.teacher(converted, data_samples, mode='loss')
            else:
                self.teacher.extract_feat(converted)
        for i, (loss, pairs) in enumerate(zip(self.losses, self.pairs)):
            terms = loss(
                [self.seen[False, s] for s, _ in pairs],
                [self.seen[True, t] for _, t in pairs],
                data_samples,
            )
            weights = loss.current_weights()
            losses[f'loss_distill{i}'] = sum(w * term for w, term in zip(weights, terms))
        return losses

    def train(self, mode: bool = True) -> '_Plain':
        super().train(mode)
        self.teacher.eval()
        return self


def make_step(model: BaseModel, data: dict, args: argparse.Namespace) -> Callable[[], object]:
    """Make a training step of a model.

    Args:
        model (BaseModel): Or one in DDP.
        data (dict): A batch of :func:`random_batch`.
        args (Namespace): With ``amp`` and ``device``.

    Returns:
        Callable: The step, always with the same random numbers.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.0, momentum=0.9)
    wrapper = wrap(optimizer, args)

    def step() -> None:
        # the same proposals are sampled
        torch.manual_seed(0)
        model.train_step(copy.deepcopy(data), wrapper)

    return step


def _floor(
    ours: BaseModel, student: Callable, data: dict, args: argparse.Namespace
) -> Callable[[], object]:
    """Make the student's step and the needed part of the teacher."""
    net, calls = ours.teacher.net, ours.teacher.num_calls
    # heads, which want proposals or samples, are left out of the floor
    part = getattr(net, 'extract_feat', net)
    with torch.no_grad():
        inputs = ours.data_preprocessor(copy.deepcopy(data), True)['inputs']

    @torch.no_grad()
    def forward() -> None:
        # ends where ours does
        with (
            torch.autocast(
                torch.device(args.device).type,
                args.amp and getattr(torch, args.amp),
                enabled=bool(args.amp),
            ),
            Recorder(net, list(calls), calls),
        ):
            part(inputs)

    def step() -> None:
        forward()
        student()

    return step


def _row(name: str, seconds: dict[str, list[float]]) -> dict:
    own = seconds[name]
    floor = ratio(own, seconds['floor'])
    return dict(
        name=name,
        seconds=median(own),
        student=ratio(own, seconds['student alone'])['ratio'],
        floor=floor['ratio'],
        floor_low=floor['low'],
        floor_high=floor['high'],
        all_seconds=own,
    )


def _peak(step: Callable, model: BaseModel, device: str) -> float:
    """Measure the bytes of all weights and of what a step allocates at most."""
    hidden = [t.net for t in getattr(model, 'teachers', {}).values()]
    if hasattr(model, 'teacher_model'):  # mmdet's, which it does not register
        hidden.append(model.teacher_model)
    held = sum(map(module_bytes, [model, *hidden]))
    return held + peak_memory(step, device)


def _memory(ours: BaseModel, rows: list[dict], data: dict, device: str) -> dict:
    """Measure the peak of ours, and the part that it cannot do without."""
    batch = ours.data_preprocessor(copy.deepcopy(data), True)
    taps = {t for bound in ours.bound for _, t in bound.taps}
    features = ours.teacher(batch['inputs'], batch['data_samples'], list(taps))
    maps = sum(x.numel() * x.element_size() for calls in features.values() for x in calls)
    synchronize(device)
    peaks = {row['name']: row['peak_mb'] for row in rows}
    needed = peaks['student alone'] + (module_bytes(ours.teacher.net) + maps) / 1e6
    return dict(ours_mb=peaks['ours'], needed_mb=needed, ratio=peaks['ours'] / needed)
