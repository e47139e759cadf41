"""Stop a training whose loss is no longer a number."""

import math

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.structures import BaseDataElement

from ...datasets.checks.explain import TOOL
from ..checkpoints.resuming import last_saved


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop at a NaN or infinite loss, and never save such weights.

    Reads the losses that mmengine's ``RuntimeInfoHook`` has just brought to
    the CPU for the log, so it adds no synchronisation with the GPU.

    Args:
        patience (int, optional): Losses must be non-finite at this many
            iterations in a row. Defaults to None: 1, or 20 with a loss
            scaler, which skips such a step and goes on with a lower scale.

    Raises:
        RuntimeError: Naming the iteration, the losses and the last
            checkpoint.
    """

    priority = 'NORMAL'

    def __init__(self, patience: int | None = None) -> None:
        self.patience = patience
        self._streak = 0

    def after_train_iter(
        self, runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Look at the losses of this iteration, if it tells any.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Not used.
            data_batch (dict, optional): What was trained on, to be named.
            outputs (dict, optional): Name to loss.

        Raises:
            RuntimeError: If losses were not finite for ``patience``
                iterations.
        """
        if not outputs:
            return
        log = runner.message_hub.log_scalars
        bad = [
            name
            for name in outputs
            if 'loss' in name
            and f'train/{name}' in log
            and not math.isfinite(log[f'train/{name}'].current())
        ]
        self._streak = self._streak + 1 if bad else 0
        patience = self.patience
        if patience is None:
            scaled = hasattr(runner.optim_wrapper, 'loss_scaler')
            patience = 20 if scaled else 1
        if self._streak >= patience:
            raise RuntimeError(
                f'The loss is NaN or infinite at iteration {runner.iter + 1}: '
                f'{", ".join(bad)}. {_images(data_batch)}{_advice(runner)}'
            )

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuse to write weights that are not numbers.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): What is to be written.

        Raises:
            RuntimeError: If a weight is NaN or infinite.
        """
        bad = [
            name
            for name, value in checkpoint['state_dict'].items()
            if value.is_floating_point() and not torch.isfinite(value).all()
        ]
        if bad:
            names = ', '.join(bad[:3]) + (', ...' if len(bad) > 3 else '')
            raise RuntimeError(
                f'{len(bad)} weights are NaN or infinite at iteration '
                f'{runner.iter} ({names}); no checkpoint was written. '
                f'{_advice(runner)}'
            )


def _images(data_batch: dict | None) -> str:
    """Name the images of a batch: one of them may be to blame."""
    samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
    names = [s.get('img_path') for s in samples or [] if isinstance(s, BaseDataElement)]
    names = [str(name) for name in names if name]
    if not names:
        return ''
    return f'Its images are {", ".join(names)}: {TOOL} looks for what is wrong with them. '


def _advice(runner) -> str:
    last = last_saved(runner.work_dir)
    good = f'The last good checkpoint is {last}' if last else 'No checkpoint had been written'
    return (
        f'{good}; try a lower learning rate, a longer warm-up or '
        'optim_wrapper.clip_grad=dict(max_norm=35).'
    )
