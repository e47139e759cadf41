"""Mixed precision without a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """bfloat16 on a CPU, where mmengine's ``AmpOptimWrapper`` refuses to run.

    bfloat16 has the range of float32, so that losses are not scaled. It is
    fast on CPUs with units for it (AVX512-BF16, AMX) and slow on others.

    Args:
        **kwargs: Arguments of :class:`mmengine.optim.OptimWrapper`.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Let the model compute in bfloat16.

        Args:
            model (nn.Module): The model in training.
        """
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield
