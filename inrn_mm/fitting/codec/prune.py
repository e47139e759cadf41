"""Set the smallest weights to zero, and train on without them."""

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import Tensor, nn

from ..loops import fitter_of


@HOOKS.register_module()
class MagnitudePruneHook(Hook):
    """Prune the fitted network's weights by magnitude, then fine-tune.

    NeRV's way to a smaller file: of all weight matrices and kernels together,
    the share with the smallest magnitudes becomes zero and stays zero for the
    rest of the training. The compact file's entropy coder then spends little
    on them. A resumed training goes on with the same zeros.

    Args:
        ratio (float): Share of the weights to remove, below 1.
            Defaults to 0.4.
        start (float): Share of the training after which to prune.
            Defaults to 0.75.

    Raises:
        ValueError: If a share is not between 0 and 1.
    """

    # before the checkpoint is saved and after the optimizer's step
    priority = 'ABOVE_NORMAL'

    def __init__(self, ratio: float = 0.4, start: float = 0.75) -> None:
        for name, value in (('ratio', ratio), ('start', start)):
            if not 0 <= value < 1:
                raise ValueError(f'{name} is a share from 0 to below 1, not {value}.')
        self.ratio = ratio
        self.start = start
        self.masks: dict[str, Tensor] = {}

    def before_train(self, runner) -> None:
        """Take the zeros of a resumed training."""
        self.masks = {}
        if runner.message_hub.runtime_info.get('pruned') is not None:
            self._keep_zeros(runner)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Prune when it is time, and undo the step of pruned weights."""
        if not self.masks:
            if runner.iter + 1 < self.start * runner.max_iters:
                return
            prune(fitter_of(runner).net, self.ratio)
            runner.message_hub.update_info('pruned', self.ratio)
            self._keep_zeros(runner)
        weights = _weights(fitter_of(runner).net)
        with torch.no_grad():
            torch._foreach_mul_(list(weights.values()), [self.masks[name] for name in weights])

    def _keep_zeros(self, runner) -> None:
        self.masks = {
            name: (value != 0).to(value) for name, value in _weights(fitter_of(runner).net).items()
        }


def prune(net: nn.Module, ratio: float) -> None:
    """Set the smallest weights of all matrices and kernels to zero.

    Args:
        net (nn.Module): Changed in place.
        ratio (float): Share of these weights.
    """
    weights = list(_weights(net).values())
    if not weights:
        return
    magnitudes = torch.cat([value.detach().abs().flatten() for value in weights])
    count = int(ratio * magnitudes.numel())
    if not count:
        return
    threshold = magnitudes.kthvalue(count).values
    with torch.no_grad():
        for value in weights:
            value[value.abs() <= threshold] = 0


def sparsity(net: nn.Module) -> float:
    """Measure the share of the weights of matrices and kernels that are zero."""
    weights: list[Tensor] = list(_weights(net).values())
    zeros = sum((value == 0).sum().item() for value in weights)
    return zeros / max(sum(value.numel() for value in weights), 1)


def _weights(net: nn.Module) -> dict[str, nn.Parameter]:
    state = net.decoder_state() if hasattr(net, 'decoder_state') else {}
    return {
        name: value
        for name, value in net.named_parameters()
        if value.dim() > 1 and (not state or name in state)
    }
