"""Disks that fill and processes that are killed while checkpoints are saved."""

import errno
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import save_checkpoint
from torch import nn

from inrn_mm.engine import AtomicCheckpointHook, find_last_checkpoint, load_state

from .injection import Fault


class Saver(SimpleNamespace):
    """As much of a runner as the hook needs, and its next epoch."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            work_dir=str(folder),
            message_hub=MessageHub.get_instance(str(folder)),
            logger=MMLogger.get_instance('faults'),
            model=nn.Linear(50, 50),
            epoch=0,
            iter=0,
        )
        self.hook = AtomicCheckpointHook(
            interval=1, max_keep_ckpts=1, save_best='score', rule='greater'
        )
        self.hook.before_train(self)

    def save_checkpoint(self, out_dir, filename, *_, backend_args=None, **__) -> None:
        state = dict(
            state_dict=self.model.state_dict(),
            meta=dict(epoch=self.epoch, iter=self.iter),
            message_hub={},
        )
        save_checkpoint(state, os.path.join(out_dir, filename), backend_args=backend_args)

    def step(self) -> None:
        """An epoch, which is better than those before."""
        self.hook.after_train_epoch(self)
        self.epoch += 1
        self.hook.after_val_epoch(self, dict(score=self.epoch))


def intact(folder: Path, epochs: int) -> bool:
    """Whether the run can go on, and has a best checkpoint."""
    found = find_last_checkpoint(folder)
    best = list(folder.glob('best_*.pth'))
    return (
        load_state(found)['meta']['epoch'] >= epochs - 1
        and bool(best)
        and all(load_state(path)['state_dict'] for path in best)
    )


def disks(count: int, rng: random.Random, folder: Path) -> Iterator[Fault]:
    """A call of the system fails at any moment of an epoch's saving."""
    numbers = [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS]
    for i in range(count):
        chosen = rng.choice(['fsync', 'replace'])

        def fail(i: int = i, moment: int = rng.randrange(3), name: str = chosen) -> bool:
            own = folder / str(i)
            saver = Saver(own)
            saver.step()
            saver.step()
            original, calls, number = getattr(os, name), [], numbers[i % len(numbers)]

            def broken(*args):
                calls.append(1)
                if len(calls) > moment:
                    raise OSError(number, os.strerror(number))
                return original(*args)

            try:
                with mock.patch.object(os, name, broken):
                    saver.step()
            finally:
                assert not list(own.glob('.*.part')), 'a part of a file is left'
                assert intact(own, 2), 'no whole checkpoint is left'
            return False  # it was to be said

        yield 'a full or broken disk', fail


def kills(count: int, rng: random.Random, folder: Path) -> Iterator[Fault]:
    """SIGKILL at any moment of saving, epoch after epoch."""
    for i in range(count):

        def kill(i: int = i, delay: float = rng.uniform(0, 0.1)) -> bool:
            own = folder / str(i)
            saver = Saver(own)
            saver.step()
            torch.set_num_threads(1)
            child = os.fork()
            if child == 0:
                while True:
                    saver.step()
            time.sleep(delay)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            if not intact(own, 1):
                return False
            Saver(own).step()  # the next start cleans up
            return not list(own.glob('.*.part'))

        yield 'SIGKILL while saving', kill
