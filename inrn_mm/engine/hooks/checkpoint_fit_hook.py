"""Refuse to go on with a checkpoint of another model."""

import logging
import re

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop
from torch import nn

from ...utils.unwrap import unwrap
from ..checkpoints.reading import fit_weights, load_weights, plain_state
from ..checkpoints.resuming import find_unresumable

DISTILLER = re.compile(r"type='(inrn_mm\.)?KnowledgeDistiller'")
# what tells the common optimizers' groups apart
KINDS = {'betas', 'momentum', 'alpha', 'rho', 'lambd', 'etas'}


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Compare a checkpoint with the model before it is loaded.

    mmengine warns and goes on, so that the wrong config gives a mAP of 0 and
    a wrong ``load_from`` a training from random weights.

    - Testing: the checkpoint must have the model's weights. What only
      training needs, a distiller's ``distill_losses.*``, may be missing: plain
      and distilled checkpoints fit plain and distilled configs.
    - Training from ``load_from``: parts may be missing, as in every
      fine-tuning, and are named. If most of the model and most of the file
      stay without the other, it is an error.
    - Resuming: the file must be of the same training: network, distillation,
      optimizer and schedules.

    Args:
        max_missing_ratio (float): Largest share of the model's weights that
            a checkpoint to be tested or resumed may lack. Defaults to 0.1.

    Raises:
        ValueError: If the checkpoint does not fit.
    """

    priority = 'HIGH'  # before EMAHook, which copies the weights
    training_only = ('distill_losses.',)

    def __init__(self, max_missing_ratio: float = 0.1) -> None:
        self.max_missing_ratio = max_missing_ratio

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Check the file's content before the runner uses it."""
        model = unwrap(runner.model)
        source = str(runner._load_from)
        training = isinstance(runner._train_loop, BaseLoop)
        if training and not runner._resume:
            self._check_start(model, checkpoint, source)
            return
        if training:
            _check_kind(runner, model, checkpoint, source)
        load_weights(
            model,
            checkpoint,
            source=source,
            max_missing_ratio=self.max_missing_ratio,
            optional=self.training_only,
        )
        if training:
            _check_optimizer(runner, checkpoint, source)

    def _check_start(self, model: nn.Module, checkpoint: dict, source: str) -> None:
        found = fit_weights(model, checkpoint, self.training_only)
        if found.foreign:
            raise ValueError(
                f'{found.describe(source)}, and {len(found.unexpected)} of its '
                f'{found.given} weights found no place: load_from={source} is of '
                'another network. Give a checkpoint of this one; weights of a part of '
                "it go into that part's init_cfg=dict(type='Pretrained', checkpoint=...)."
            )
        if found.unset:
            print_log(
                f'{found.describe(source)}; they keep their initial values.',
                'current',
                logging.WARNING,
            )


def _check_kind(runner, model: nn.Module, checkpoint: dict, source: str) -> None:
    """Check that the file is of such a training at all."""
    anew = f'leave --resume out and start from its weights by --cfg-options load_from={source}'
    missing = find_unresumable(checkpoint)
    if missing:
        raise ValueError(
            f'{source} has no {missing}, so no training can be resumed from it: {anew}.'
        )
    names = (plain_state(checkpoint), model.state_dict())
    cfgs = (str(checkpoint['meta'].get('cfg', '')), runner.cfg.pretty_text)
    was, is_now = (
        bool(DISTILLER.search(cfg)) or any(key.startswith('distill_losses.') for key in keys)
        for cfg, keys in zip(cfgs, names)
    )
    if was != is_now:
        kinds = {True: 'a distilled', False: 'a plain'}
        raise ValueError(
            f'{source} is of {kinds[was]} training and the config is of {kinds[is_now]} '
            f'one: resume with the config that wrote it, or {anew}.'
        )


def _check_optimizer(runner, checkpoint: dict, source: str) -> None:
    """Check that optimizer and schedules are those that the file has states of."""
    wrapper, saver = runner.optim_wrapper, runner.cfg.get('default_hooks', {}).get('checkpoint')
    for part, wanted in (('optimizer', wrapper), ('param_schedulers', runner.param_schedulers)):
        if not wanted or part in checkpoint:
            continue
        option = 'save_' + part.removesuffix('s')  # as CheckpointHook names them
        if saver and saver.get(option, True):
            raise ValueError(
                f'{source} has no {part}, so the training cannot go on as it was: '
                f'start from its weights by --cfg-options load_from={source}, without --resume.'
            )
        print_log(f'{source} has no {part}: it starts anew.', 'current', logging.WARNING)
    saved, schedulers = checkpoint.get('optimizer'), checkpoint.get('param_schedulers')
    differs = None
    if isinstance(wrapper, OptimWrapper) and not isinstance(wrapper, OptimWrapperDict) and saved:
        differs = _compare_groups(saved.get('param_groups', []), wrapper.param_groups)
    if (
        not differs
        and isinstance(schedulers, list)
        and isinstance(runner.param_schedulers, list)
        and len(schedulers) != len(runner.param_schedulers)
    ):
        differs = f'{len(schedulers)} schedules, not {len(runner.param_schedulers)}'
    if differs:
        raise ValueError(
            f'{source} was written by a training with another optimizer or schedule '
            f'({differs}): resume with the config that wrote it, or start from its '
            f'weights by --cfg-options load_from={source}, without --resume.'
        )


def _compare_groups(saved: list[dict], own: list[dict]) -> str | None:
    """Tell how the parameter groups differ."""
    sizes = [[len(group['params']) for group in groups] for groups in (saved, own)]
    if sizes[0] != sizes[1]:
        return f'{sum(sizes[0])} parameters in {len(saved)} groups, not {sum(sizes[1])} in ' + (
            f'{len(own)}'
        )
    kinds = [KINDS.intersection(groups[0]) if groups else set() for groups in (saved, own)]
    if kinds[0] != kinds[1]:
        return f'of one with {", ".join(sorted(kinds[0]))}, not {", ".join(sorted(kinds[1]))}'
    return None
