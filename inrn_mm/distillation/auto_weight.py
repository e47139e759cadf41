"""A weight that is found: a loss gets a share of the task's gradient."""

import re

import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from torch import Tensor, nn

from ..utils.checks import check_number, check_whole

ITERATIONS = 200
WINDOW = 20
# What a scale is changed by where a gradient is not finite or zero: float16
# has a range, and nothing is known of the size of an unweighted loss.
_STEP = 4.0
_BOUND = 60.0


class AutoWeight(nn.Module):
    """Scales of a loss's terms, found in the first iterations and then fixed.

    Each pair has its own: its term is scaled so that the norm of its gradient
    at the student's layer is that of the task's, times the share that is the
    loss's weight. While it is found, the loss has the scale found so far, so
    that its connectors learn; what is fixed is the geometric mean over about
    the last ``WINDOW`` iterations. All ranks have the same.

    The state is in the checkpoint, below ``distill_losses.``; a loss whose
    scales came with the weights of another training (``load_from``) keeps them.

    Args:
        share (float): Gradient of each term over that of the task.
        iterations (int): In how many iterations the scales are found, of those
            in which the loss is not idle.
        num_pairs (int): Number of terms.

    Attributes:
        text (str): What was asked for.

    Raises:
        ValueError: If the share or the number of iterations mean nothing.
    """

    log_scale: Tensor
    seen: Tensor
    steps: Tensor
    # what the host knows of the buffers, so that it need not ask the device
    _steps: int | None
    _scales: list[float] | None

    def __init__(self, share: float, iterations: int, num_pairs: int) -> None:
        super().__init__()
        check_number('the share of an automatic weight', share, above=0)
        check_whole('the iterations of an automatic weight', iterations, least=1)
        self.share = share
        self.iterations = iterations
        self.register_buffer('log_scale', torch.zeros(num_pairs))
        self.register_buffer('seen', torch.zeros(num_pairs))
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))
        self._forget()

    @classmethod
    def parse(cls, text: str, num_pairs: int) -> 'AutoWeight':
        """Read a weight as configs have it.

        Args:
            text (str): ``'auto:SHARE'`` or ``'auto:SHARE@ITERATIONS'``.
            num_pairs (int): Number of terms.

        Raises:
            ValueError: If it is none.
        """
        match = re.fullmatch(r'auto:([-+.\w]+?)(?:@(\d+))?', text)
        try:
            share = float(match[1]) if match else None
        except ValueError:
            share = None
        if match is None or share is None:
            raise ValueError(
                "weight must be a number, one for each pair, or 'auto:0.1' for a tenth of the "
                f"task's gradient ('auto:0.1@500' finds it in 500 iterations), got {text!r}."
            )
        return cls(share, int(match[2] or ITERATIONS), num_pairs)

    def __str__(self) -> str:
        return f'auto:{self.share:g}@{self.iterations}'

    @property
    def fixed(self) -> bool:
        """Whether the scales are found."""
        if self._steps is None:
            self._steps = int(self.steps)
        return self._steps >= self.iterations

    def scales(self) -> list[Tensor] | list[float]:
        """Return the factor on each term, 0 while nothing is known."""
        if not self.fixed:
            return list(self.log_scale.exp() * (self.seen > 0))
        if self._scales is None:
            self._scales = (self.log_scale.exp() * (self.seen > 0)).tolist()
        return self._scales

    def trial_scales(self) -> list[Tensor] | list[float]:
        """Return the factors that the next ratios are measured with."""
        return self.scales() if self.fixed else list(self.log_scale.exp())

    @torch.no_grad()
    def update(self, ratios: list[Tensor], weights: list[float], names: list[str]) -> None:
        """Learn from an iteration.

        Args:
            ratios (list[Tensor]): Gradient of each term over the task's, with
                its weight and its trial scale.
            weights (list[float]): These weights.
            names (list[str]): Names of the terms, for the log.

        Raises:
            ValueError: If the last iteration has come and a term or the task
                never had a gradient.
        """
        ratio = torch.stack(ratios).float().to(self.log_scale.device)
        sound = ratio.isfinite() & (ratio > 0)
        old = self.log_scale.float()
        target = old - (ratio / ratio.new_tensor(weights)).log()
        # of all ranks: the mean over those that can tell
        sums = torch.stack(
            [torch.where(sound, target, 0), sound.float(), (~ratio.isfinite()).float()]
        )
        all_reduce(sums)
        told = sums[1] > 0
        self.seen += told
        known = torch.lerp(
            old, sums[0] / sums[1].clamp(min=1), 1 / self.seen.clamp(1, WINDOW).float()
        )
        blind = old + torch.where(sums[2] > 0, -_STEP, _STEP) * (self.seen == 0)
        self.log_scale.copy_(torch.where(told, known, blind).clamp(-_BOUND, _BOUND))
        self.steps += 1
        self._steps = None if self._steps is None else self._steps + 1
        if self.fixed:
            self._tell(names)

    def _tell(self, names: list[str]) -> None:
        unseen = [name for name, seen in zip(names, self.seen.tolist()) if not seen]
        if unseen:
            raise ValueError(
                f"The weight '{self}' of {unseen[0]} cannot be found: in {self.iterations} "
                "iterations it or the task had no finite gradient at the student's layer; give "
                'a number, or a layer that the task trains.'
            )
        shown = ', '.join(f'{n} {self.share * x:.4g}' for n, x in zip(names, self.scales()))
        print_log(
            f"Weights from here on, for {self.share:g} of the task's gradient: {shown}.", 'current'
        )

    def _forget(self) -> None:
        self._steps = self._scales = None

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._forget()
