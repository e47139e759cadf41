"""A detector's training step with mmcv's compiled operators and with ours."""

import argparse
import importlib
import sys
from collections.abc import Callable
from types import ModuleType

from inrn_mm.ops import find_operators
from inrn_mm.utils.machine import describe

from .distill import make_distiller, make_step, read_model
from .samples import random_batch
from .timing import interleave, median, ratio

COLUMNS = [
    ('name', 'operators', ''),
    ('seconds', 'seconds', '.3f'),
    ('relative', 'x compiled', '.3f'),
    ('low', 'quartiles', '.3f'),
    ('high', '', '.3f'),
]


def run(args: argparse.Namespace) -> dict:
    """Time the student's step with both.

    Args:
        args (Namespace): ``config`` of a distilled training, ``size``,
            ``batch``, ``iters``, ``warmup``, ``device`` and ``amp``.

    Returns:
        dict: The rows.

    Raises:
        RuntimeError: If there are no compiled operators that run.
    """
    if find_operators() != 'compiled':
        raise RuntimeError(
            'There is nothing to compare with: this environment has no compiled operators of '
            'mmcv that run; bash tools/setup_env.sh --wheel-dir installs a wheel of them.'
        )
    cfg, scope = read_model(args.config)
    data = random_batch(scope, args.batch, args.size)
    step = make_step(make_distiller(cfg).student.to(args.device), data, args)
    kinds = dict(compiled='mmcv._ext', torchvision='inrn_mm.ops.extension')
    steps = {name: _use(importlib.import_module(kind), step) for name, kind in kinds.items()}
    seconds = interleave(steps, args.iters, args.warmup, args.device)
    rows = []
    for name in steps:
        compared = ratio(seconds[name], seconds['compiled'])
        compared['relative'] = compared.pop('ratio')
        rows.append(dict(name=name, seconds=median(seconds[name]), **compared))
    return dict(rows=rows, machine=describe(args.device))


def _use(operators: ModuleType, step: Callable[[], object]) -> Callable[[], object]:
    """Let mmcv's functions call these operators during a step."""

    def run_step() -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith('mmcv.ops.') and hasattr(module, 'ext_module'):
                module.ext_module = operators
        step()

    return run_step
