"""A fit that is told to stop keeps what it has."""

import signal
import sys
import threading

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS

from .budget import set_length

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@HOOKS.register_module()
class FitStopHook(Hook):
    """End the training with a checkpoint on Ctrl-C or SIGTERM.

    The step that runs is finished, and what comes at the end of a training
    follows: evaluation and saving. The same signal once more ends the program
    as usual. Of several processes each would stop at a step of its own, which
    hangs: there the signals keep their meaning.

    Attributes:
        received (int, optional): Number of the signal; None if none came.
    """

    # after the budget of time, which sets the length too, before saving
    priority = 'LOW'

    def __init__(self) -> None:
        self.received: int | None = None
        self.earlier: dict = {}
        self.steps = 0

    def before_train(self, runner) -> None:
        """Listen for the signals that stop a fit."""
        if get_world_size() == 1 and threading.current_thread() is threading.main_thread():
            self.earlier = {number: signal.signal(number, self._receive) for number in SIGNALS}

    def after_train_iter(
        self, runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Make the step the last one if it is to be."""
        if self.received is not None:
            set_length(runner, runner.iter + 1)

    def after_train(self, runner) -> None:
        """Keep how far it came."""
        self.steps = runner.iter

    def release(self) -> None:
        """Give the signals back their meaning, however the training ended."""
        for number, handler in self.earlier.items():
            signal.signal(number, handler)
        self.earlier = {}

    def exit_if_stopped(self, message: str) -> None:
        """End the program as one that a signal has ended.

        Args:
            message (str): What is left, and what to do.

        Raises:
            SystemExit: With 128 and the number of the signal, if one came.
        """
        if self.received is not None:
            print(f'Stopped after {self.steps} steps. {message}', file=sys.stderr)
            raise SystemExit(128 + self.received)

    def _receive(self, number: int, frame) -> None:
        self.received = number
        self.release()
        print_log('Stopping after this step; what there is gets saved.', 'current')
