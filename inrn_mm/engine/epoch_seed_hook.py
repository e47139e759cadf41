"""Make a resumed training repeat the uninterrupted one."""
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import set_random_seed


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed all random generators from the run's seed and the epoch.

    mmengine restores the seed on resume, but not how far the generators had
    come, so flips, proposal sampling and DropPath would differ from those of
    a run without the interruption. Iteration-based loops have one epoch.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner) -> None:
        """Seed; ranks differ."""
        set_random_seed(runner.seed + runner.epoch, diff_rank_seed=True)
