"""Batches of images without labels, beside those of the training."""

from collections.abc import Iterator

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from ...utils.unwrap import unwrap


@HOOKS.register_module()
class UnlabeledHook(Hook):
    """Give a distiller a batch of ``unlabeled_dataloader`` in each iteration.

    ``tools/train.py`` adds it to a config that has this dataloader. The task
    loss is that of the labelled batch alone, the distillation that of both.

    Raises:
        ValueError: If the model is no distiller, or none of its losses
            compares images without annotations.
    """

    def before_train(self, runner) -> None:
        """Build the dataloader."""
        model = unwrap(runner.model)
        if not hasattr(model, 'bound'):
            raise ValueError(
                f'unlabeled_dataloader is for a distiller, and {type(model).__name__} is none: '
                'give a teacher, or leave it out.'
            )
        if not any(bound.takes_unlabeled for bound in model.bound):
            raise ValueError(
                'All losses of the distillation read annotations, and unlabeled_dataloader has '
                "none: add one of features, such as method='pkd', or leave it out."
            )
        loader = runner.build_dataloader(runner.cfg.unlabeled_dataloader, seed=runner.seed)
        self._batches = _endless(loader)

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Lay the next batch ready."""
        unwrap(runner.model).unlabeled = next(self._batches)


def _endless(loader) -> Iterator[dict]:
    """Go through a dataloader again and again, shuffled anew each time."""
    epoch = 0
    while True:
        for sampler in (loader.sampler, getattr(loader.batch_sampler, 'sampler', None)):
            set_epoch = getattr(sampler, 'set_epoch', None)
            if set_epoch is not None:
                set_epoch(epoch)
        yield from loader
        epoch += 1
