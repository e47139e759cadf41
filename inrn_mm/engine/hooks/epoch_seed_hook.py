"""Make a resumed training repeat the uninterrupted one."""

import random

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import IterBasedTrainLoop, Runner, set_random_seed


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed all random generators from the run's seed and the epoch.

    mmengine restores the seed on resume, but not how far the generators had
    come, so flips, proposal sampling and DropPath would differ from those of
    a run without the interruption. Loops of iterations have one epoch: there
    each iteration is seeded, from before its batch is loaded.

    Only this process is seeded. The workers of a dataloader, where the
    augmentations run, are seeded by mmengine when they start: augmentations
    are repeated without workers, or with workers that start anew in each epoch
    (``persistent_workers=False``).
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the generators; ranks differ."""
        if _by_iteration(runner):
            # making an iterator, which a resumed run does later, draws a
            # number: not from our generators
            runner.train_dataloader.generator = torch.Generator()
            _seed(runner.seed, runner.iter)
        else:
            set_random_seed(runner.seed + runner.epoch, diff_rank_seed=True)

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Seed the next iteration."""
        if _by_iteration(runner):
            _seed(runner.seed, runner.iter + 1)

    def after_val(self, runner: Runner) -> None:
        """Seed the next iteration again: the validation may draw, too."""
        if _by_iteration(runner):
            _seed(runner.seed, runner.iter)


def _by_iteration(runner: Runner) -> bool:
    # the property would build a loop that is not run
    return isinstance(runner._train_loop, IterBasedTrainLoop)


def _seed(seed: int, iteration: int) -> None:
    """Make the seed as mmengine does, in microseconds and unlike any other rank's."""
    words = np.random.SeedSequence((seed, iteration, get_rank()))
    seed = int(words.generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    # torch.manual_seed would spend more on devices that are not there
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(seed)
