"""Stop a training whose loss is no longer a number."""
import math
from typing import Dict, Optional

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from .checkpoint_hook import last_saved


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop at a NaN or infinite loss, and never save such weights.

    Reads the losses that mmengine's ``RuntimeInfoHook`` has logged already,
    so it costs no synchronisation with the GPU.

    Args:
        interval (int): Iterations between two looks; all iterations since the
            last look are covered. Defaults to 10.
        patience (int, optional): Losses must be non-finite at this many
            iterations in a row. Defaults to None: 1, or 20 with a loss
            scaler, which skips such a step and goes on with a lower scale.

    Raises:
        RuntimeError: Naming the iteration, the losses and the last
            checkpoint.
    """

    priority = 'NORMAL'

    def __init__(self,
                 interval: int = 10,
                 patience: Optional[int] = None) -> None:
        self.interval = interval
        self.patience = patience
        self._seen: Dict[str, int] = {}  # name -> values looked at
        self._streak: Dict[str, int] = {}  # name -> non-finite in a row

    def before_train(self, runner) -> None:
        """Skip what a resumed checkpoint has in its log."""
        for name, log in runner.message_hub.log_scalars.items():
            self._seen[name] = len(log.data[0])

    def after_train_iter(self,
                         runner,
                         batch_idx: int,
                         data_batch=None,
                         outputs: Optional[dict] = None) -> None:
        """Look every ``interval`` iterations."""
        if self.every_n_train_iters(runner, self.interval):
            self._check(runner, runner.iter + 1)

    def after_train_epoch(self, runner) -> None:
        """Look before the epoch's checkpoint is written."""
        self._check(runner, runner.iter)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuse to write weights that are not numbers."""
        bad = [
            name for name, value in checkpoint['state_dict'].items()
            if value.is_floating_point() and not torch.isfinite(value).all()
        ]
        if bad:
            names = ', '.join(bad[:3]) + (', ...' if len(bad) > 3 else '')
            raise RuntimeError(
                f'{len(bad)} weights are NaN or infinite at iteration '
                f'{runner.iter} ({names}); no checkpoint was written. '
                f'{_advice(runner)}')

    def _check(self, runner, iteration: int) -> None:
        """Find the first iteration since the last look that breaks."""
        patience = self.patience
        if patience is None:
            scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
            patience = 20 if scaler is not None else 1
        breaks: Dict[str, int] = {}
        for name, log in runner.message_hub.log_scalars.items():
            values = log.data[0]
            start = self._seen.get(name, 0)
            self._seen[name] = len(values)
            if not (name.startswith('train/') and 'loss' in name):
                continue
            for i in range(start, len(values)):
                streak = self._streak.get(name, 0) + 1
                self._streak[name] = 0 if math.isfinite(values[i]) else streak
                if self._streak[name] == patience:
                    breaks[name] = iteration - (len(values) - 1 - i)
                    break
        if breaks:
            first = min(breaks.values())
            names = ', '.join(name[len('train/'):] for name in breaks
                              if breaks[name] == first)
            raise RuntimeError(
                f'The loss is NaN or infinite at iteration {first}: {names}. '
                f'{_advice(runner)}')


def _advice(runner) -> str:
    last = last_saved(runner.work_dir)
    good = f'The last good checkpoint is {last}' if last else \
        'No checkpoint had been written'
    return (f'{good}; try a lower learning rate, a longer warm-up or '
            'optim_wrapper.clip_grad=dict(max_norm=35).')
