"""Devices for the processes of a training, and DDP without GPUs."""

import inspect
import os
import socket
from pathlib import Path

import torch
from mmengine.device import get_device
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS
from torch import nn
from torch.nn.parallel import DistributedDataParallel

# DDP that does not send buffers at each step: torch 2.13 renamed the argument
# and warns of the old name.
_NAMES = inspect.signature(DistributedDataParallel).parameters
OWN_BUFFERS = {
    'forward_sync_buffers' if 'forward_sync_buffers' in _NAMES else 'broadcast_buffers': False
}


def check_devices(processes: int = 1) -> str:
    """See that there is a device for every process of this machine.

    Args:
        processes (int): Number of processes to be started. Defaults to 1.

    Returns:
        str: ``'cpu'`` or the accelerator's name, e.g. ``'cuda'``.

    Raises:
        ValueError: If the number is below 1.
        RuntimeError: If there are too few, or if the machine has a GPU that
            torch cannot use and nobody said that the CPU is meant.
    """
    if processes < 1:
        raise ValueError(f'The number of GPUs must be 1 or more, not {processes}.')
    device = get_device()
    if device == 'cuda':
        found = torch.cuda.device_count()
        if processes > found:
            raise RuntimeError(
                f'{processes} GPUs were asked for and there '
                f'{"is" if found == 1 else "are"} {found}: ask for at most '
                f'{found}, or set CUDA_VISIBLE_DEVICES=-1 to use the CPU.'
            )
    if device != 'cpu':
        return device
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    wanted = Path('/dev/nvidia0').exists() if visible is None else visible.strip() not in ('', '-1')
    if wanted:
        why = (
            'it is a CPU-only build'
            if torch.version.cuda is None
            else 'no working NVIDIA driver or device was found'
        )
        raise RuntimeError(
            f'A GPU was asked for (CUDA_VISIBLE_DEVICES or /dev/nvidia0), but '
            f'PyTorch {torch.__version__} cannot use one: {why}. Repair that, '
            'or set CUDA_VISIBLE_DEVICES=-1 to use the CPU.'
        )
    cores = os.cpu_count() or 1
    if processes > cores:
        raise RuntimeError(
            f'{processes} GPUs were asked for and there is none, and '
            f'{processes} CPU processes are more than the {cores} cores here: '
            f'ask for at most {cores}.'
        )
    return device


def init_cpu_group(cfg) -> None:
    """Start gloo in place of mmengine's initialiser, which needs CUDA.

    mmengine makes no process group when there is one already, and wraps the
    model as ``cfg.model_wrapper_cfg`` says.

    Args:
        cfg (Config): Changed in place; nothing is done unless it asks for a
            launcher on a machine without accelerator.

    Raises:
        RuntimeError: If the launcher is not torch's.
    """
    if cfg.launcher == 'none' or get_device() != 'cpu':
        return
    if cfg.launcher != 'pytorch':
        raise RuntimeError(
            f'--launcher {cfg.launcher} needs GPUs and this node has none: '
            'use --launcher pytorch (tools/dist_train.sh) for CPU processes.'
        )
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    cfg.model_wrapper_cfg = dict(
        type='CPUDistributedDataParallel',
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )


def end_group(launcher: str) -> None:
    """Leave the process group together: a process that is still at work in it
    while another exits may be aborted.

    Args:
        launcher (str): Nothing is done if it is ``'none'``.
    """
    if launcher != 'none' and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


@MODEL_WRAPPERS.register_module()
class CPUDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's DDP for CPU processes; SyncBN, GPU-only, becomes BN.

    Args:
        module (nn.Module): The model.
        find_unused_parameters (bool): As in DDP. Defaults to False.
    """

    def __init__(self, module: nn.Module, find_unused_parameters: bool = False, **kwargs) -> None:
        kwargs.pop('device_ids', None)  # mmengine's default, a GPU
        super().__init__(
            revert_sync_batchnorm(module),
            find_unused_parameters=find_unused_parameters,
            **OWN_BUFFERS,
            **kwargs,
        )


def free_port() -> int:
    """Find a TCP port that nothing listens on now."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]
