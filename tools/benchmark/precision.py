"""Optimizer wrappers of the precision that is asked for."""

import argparse

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from inrn_mm.engine.cpu_amp import CPUAmpOptimWrapper


def wrap(optimizer: torch.optim.Optimizer, args: argparse.Namespace) -> OptimWrapper:
    """Build the optimizer wrapper of a training with ``args.amp``.

    Args:
        optimizer (Optimizer): Wrapped.
        args (Namespace): ``amp`` (None, ``'float16'`` or ``'bfloat16'``) and
            ``device``.

    Raises:
        ValueError: If float16 is asked for on a CPU.
    """
    if not args.amp:
        return OptimWrapper(optimizer)
    if torch.device(args.device).type != 'cpu':
        return AmpOptimWrapper(optimizer=optimizer, dtype=args.amp)
    if args.amp != 'bfloat16':
        raise ValueError(f'--amp {args.amp} needs a GPU; a CPU trains in bfloat16.')
    return CPUAmpOptimWrapper(optimizer)
