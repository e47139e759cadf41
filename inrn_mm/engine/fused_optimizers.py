"""Optimizers in one kernel, where torch has it."""

import torch
from mmengine.registry import OPTIMIZERS


class _Fused(torch.optim.Optimizer):
    """Asks the optimizer for its fused form; the values differ by rounding.

    The plain optimizers go through memory a dozen times, which on a CPU can be most
    of a training step. ``fused=True`` on a CPU takes torch 2.4.
    """

    def __init__(self, params, **kwargs) -> None:
        params = list(params)  # read a second time below
        try:
            super().__init__(params, fused=True, **kwargs)
        except RuntimeError:  # not on this device
            super().__init__(params, **kwargs)


@OPTIMIZERS.register_module()
class FusedAdam(_Fused, torch.optim.Adam):
    """Adam with ``fused=True`` where torch has that, and plain Adam elsewhere.

    Args:
        params: Parameters or groups of them.
        **kwargs: As those of :class:`torch.optim.Adam`.
    """


@OPTIMIZERS.register_module()
class FusedAdamW(_Fused, torch.optim.AdamW):
    """AdamW with ``fused=True`` where torch has that, and plain elsewhere.

    Args:
        params: Parameters or groups of them.
        **kwargs: As those of :class:`torch.optim.AdamW`.
    """
