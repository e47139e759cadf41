"""Training to a time or a quality instead of a number of steps."""

import math
import time

import torch
from mmengine.hooks import ParamSchedulerHook
from mmengine.registry import HOOKS

STEPS = 1000


@HOOKS.register_module()
class BudgetHook(ParamSchedulerHook):
    """Spread the learning rate's schedule over whatever the training's length.

    The schedulers of the config are written for 1000 steps (``end=1000``) and
    are stepped as the training proceeds, by its share of ``max_seconds`` or
    of the iterations. In ``default_hooks.param_scheduler`` this takes the
    place of mmengine's hook.

    The seconds are those of the training steps. Evaluation, saving and the
    time before the first step do not count.

    Args:
        max_seconds (float, optional): End after so much training, whatever
            number of iterations the config says. Defaults to None.
        target_psnr (float, optional): End when an evaluation's PSNR in dB has
            reached this (and one more step is done, which saves).
            Defaults to None.
        clock (str): ``'wall'``, or ``'cpu'``: the processor's time, for
            comparisons on a CPU that others use too. Defaults to ``'wall'``.

    Raises:
        ValueError: If a limit is not positive and finite, or the clock unknown.
    """

    clocks = dict(wall=time.perf_counter, cpu=time.process_time)

    def __init__(
        self,
        max_seconds: float | None = None,
        target_psnr: float | None = None,
        clock: str = 'wall',
    ) -> None:
        if clock not in self.clocks:
            raise ValueError(f"clock is 'wall' or 'cpu', not '{clock}'.")
        for name, value in (('max_seconds', max_seconds), ('target_psnr', target_psnr)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f'{name} must be positive and finite, got {value}.')
        self.max_seconds = max_seconds
        self.target_psnr = target_psnr
        self.now = self.clocks[clock]
        self.seconds = 0.0
        self._start: float | None = None

    def before_train(self, runner) -> None:
        """Go on from the time that a resumed run had taken."""
        self.seconds = runner.message_hub.runtime_info.get('encode_seconds', 0.0)

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Start the clock."""
        self._start = self.now()

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Stop the clock, step the schedulers, end when it is time."""
        self._add(self.now() - self._start, runner)
        done = runner.iter + 1
        share = done / runner.max_iters
        if self.max_seconds is not None:
            share = self.seconds / self.max_seconds
            # also what the log's ETA is made of
            left = done / share - done
            set_length(runner, done + (math.ceil(left) if left > 0 else 0))
        hub = runner.message_hub
        taken = hub.runtime_info.get('schedule_steps', 0)
        due = int(min(share, 1) * STEPS)
        for _ in range(due - taken):
            super().after_train_iter(runner, batch_idx, data_batch, outputs)
        hub.update_info('schedule_steps', max(due, taken))

    def before_val_epoch(self, runner) -> None:
        """Count what a GPU has still to do, and log the time."""
        if self._start is None:
            return  # tools/test.py
        if torch.cuda.is_available():
            start = self.now()
            torch.cuda.synchronize()
            self._add(self.now() - start, runner)
        runner.message_hub.update_scalar('val/encode_seconds', self.seconds)

    def after_val_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """End if the quality is reached."""
        psnr = next(
            (value for name, value in (metrics or {}).items() if name.split('/')[-1] == 'psnr'),
            None,
        )
        if (
            self.target_psnr is not None
            and psnr is not None
            and psnr >= self.target_psnr
            and runner.iter < runner.max_iters
        ):
            set_length(runner, runner.iter + 1)
            self.max_seconds = None

    def _add(self, seconds: float, runner) -> None:
        self.seconds += seconds
        runner.message_hub.update_info('encode_seconds', self.seconds)


def set_length(runner, iters: int) -> None:
    """Change how long a training is; saving and evaluating at the end follow.

    Args:
        runner (Runner): Whose training loop it is.
        iters (int): Steps, from the beginning.
    """
    # mmengine has no other way to a training's length
    runner.train_loop._max_iters = iters
