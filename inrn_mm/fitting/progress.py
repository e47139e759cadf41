"""A progress bar with the PSNR."""

import logging
import sys
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.registry import HOOKS


@HOOKS.register_module()
class FitProgressHook(Hook):
    """Show progress, loss and last PSNR in one line of the terminal.

    Log lines then go to the log file alone. Where the output is no terminal,
    nothing is shown and the log lines stay.
    """

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.bar: Any = None
        self.shown: dict[str, str] = {}

    def before_train(self, runner) -> None:
        """Begin the bar where the training begins."""
        if not (is_main_process() and sys.stderr.isatty()):
            return
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        for handler in MMLogger.get_current_instance().handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.setLevel(logging.WARNING)
        self.bar = Progress(
            *Progress.get_default_columns()[1:-1],
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn('{task.fields[shown]}'),
            console=Console(stderr=True),
        )
        self.task = self.bar.add_task('', total=runner.max_iters, completed=runner.iter, shown='')
        self.bar.start()
        self.bar.console.show_cursor(True)  # nobody would, after an error

    def after_train_iter(
        self, runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Move it; a budget of time changes its length on the way."""
        if self.bar is None:
            return
        if outputs:  # the fitter gives its losses now and then
            loss = sum(float(value) for name, value in outputs.items() if name == 'loss')
            self.shown['loss'] = f'{loss:.3g}'
        self._update(total=runner.max_iters, completed=runner.iter + 1)

    def after_val_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Show the new PSNR."""
        if self.bar is not None and 'psnr' in (metrics or {}):
            self.shown['psnr'] = f'{metrics["psnr"]:.2f} dB'
            self._update()

    def after_train(self, runner) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _update(self, **numbers: int) -> None:
        words = ', '.join(f'{name} {value}' for name, value in self.shown.items())
        self.bar.update(self.task, shown=words, **numbers)
