"""The weight of a distillation loss over the training."""

import math
import re
from collections.abc import Sequence

from mmengine.logging import MessageHub

from ..utils.checks import check_number, check_whole


class WeightSchedule:
    """Factor on a loss weight as a function of the training's progress.

    It has no state: the factor follows from the iteration (or epoch) alone,
    so that a resumed run goes on exactly where it was.

    Args:
        warmup (int): The factor rises linearly from 0 to 1 over so many first
            iterations or epochs. Defaults to 0.
        decay (Sequence[int], optional): ``(begin, end)`` between which the
            factor falls from 1 to ``final``. Defaults to None, no decay.
        decay_type (str): ``'linear'`` or ``'cosine'``. Defaults to
            ``'cosine'``.
        final (float): Factor at the end of the decay. Defaults to 0.
        stop (int, optional): Iteration or epoch from which the factor is 0.
            Defaults to None.
        by_epoch (bool): Count epochs instead of iterations; not under an
            ``IterBasedTrainLoop``, which has none. Defaults to False.

    Raises:
        ValueError: If a setting is out of range.

    Examples:
        >>> schedule = WeightSchedule(warmup=4, stop=10)
        >>> [schedule.factor(i) for i in (0, 1, 4, 9, 10)]
        [0.25, 0.5, 1.0, 1.0, 0.0]
    """

    def __init__(
        self,
        warmup: int = 0,
        decay: Sequence[int] | None = None,
        decay_type: str = 'cosine',
        final: float = 0.0,
        stop: int | None = None,
        by_epoch: bool = False,
    ) -> None:
        if decay_type not in ('linear', 'cosine'):
            raise ValueError(f"Unknown decay_type '{decay_type}': choose 'linear' or 'cosine'.")
        check_whole('warmup', warmup)
        check_number('final', final, least=0)
        if stop is not None:
            check_whole('stop', stop)
        if decay is not None:
            for value in decay:
                check_whole('decay', value)
            if len(decay) != 2 or decay[0] >= decay[1]:
                raise ValueError(f'decay must be (begin, end) with begin < end, got {decay}.')
        self.warmup = warmup
        self.decay = decay
        self.decay_type = decay_type
        self.final = final
        self.stop = stop
        self.by_epoch = by_epoch

    @property
    def constant(self) -> bool:
        """Whether the factor is always 1."""
        return not self.warmup and self.decay is None and self.stop is None

    def factor(self, step: int) -> float:
        """Compute the factor at an iteration or epoch, counted from 0."""
        if self.stop is not None and step >= self.stop:
            return 0.0
        # the first step already learns a little
        factor = min(1.0, (step + 1) / (self.warmup + 1)) if self.warmup else 1.0
        if self.decay is not None:
            begin, end = self.decay
            progress = min(max((step - begin) / (end - begin), 0.0), 1.0)
            if self.decay_type == 'cosine':
                progress = (1 - math.cos(math.pi * progress)) / 2
            factor *= 1 + (self.final - 1) * progress
        return factor

    def current(self) -> float:
        """Compute the factor at the running iteration (0 outside of a runner).

        Raises:
            ValueError: If epochs are counted under a loop of iterations.
        """
        hub = MessageHub.get_current_instance()
        if self.by_epoch and not self.constant and _counts_iterations(hub):
            raise ValueError(
                'A schedule with by_epoch=True would never advance: an '
                'IterBasedTrainLoop stays in epoch 0; give the schedule in '
                'iterations, without by_epoch.'
            )
        key = 'epoch' if self.by_epoch else 'iter'
        return self.factor(hub.get_info(key, 0))


def _counts_iterations(hub: MessageHub) -> bool:
    """Tell whether the running loop is one of iterations.

    Its single epoch might also be that of an epoch-based loop, and the length
    of the dataloader is not known here; the config tells them apart.
    """
    if hub.get_info('max_epochs') != 1:
        return False
    loop = re.search(
        r'^train_cfg = dict\(.*?^(?=\w|\Z)', hub.get_info('cfg', '') + '\n', re.M | re.S
    )
    return loop is not None and re.search(r'by_epoch=False|IterBased', loop.group()) is not None
