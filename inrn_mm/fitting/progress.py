"""A progress bar with the PSNR."""

import logging
import sys

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
        self.bar = None
        self.psnr: float | None = None

    def before_train(self, runner) -> None:
        """Begin the bar where the training begins."""
        if not (is_main_process() and sys.stderr.isatty()):
            return
        from tqdm import tqdm

        for handler in MMLogger.get_current_instance().handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.setLevel(logging.WARNING)
        self.bar = tqdm(total=runner.max_iters, initial=runner.iter, unit='step')

    def after_train_iter(
        self, runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Move it; a budget of time changes its length on the way."""
        if self.bar is None:
            return
        self.bar.total = runner.max_iters
        if outputs:  # the fitter gives its losses now and then
            loss = sum(float(value) for name, value in outputs.items() if name == 'loss')
            self._show(loss=f'{loss:.3g}')
        self.bar.update()

    def after_val_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Show the new PSNR."""
        if self.bar is not None and 'psnr' in (metrics or {}):
            self._show(psnr=f'{metrics["psnr"]:.2f} dB')

    def after_train(self, runner) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _show(self, **words: str) -> None:
        self.shown = {**getattr(self, 'shown', {}), **words}
        self.bar.set_postfix(self.shown, refresh=False)
