"""How much memory a training step takes, found without running it."""
import copy
from typing import Dict

import torch
from torch import Tensor, nn

from .signal import free_memory


def check_memory(fitter: nn.Module, batch_size: int) -> None:
    """See :meth:`SignalFitter.check_memory`."""
    needed = step_memory(fitter, batch_size)
    free = free_memory(fitter.device)
    if needed <= free:
        return
    _, height, width, _ = fitter.signal.shape
    if fitter.net.kind == 'frame':
        advice = ('fit a smaller size (model.signal.size=[H,W]), or a pixel '
                  'network such as SIREN on tiles (model.tile=256)')
    elif fitter.tile is None:
        advice = 'train on tiles (model.tile=256)'
    else:
        advice = f'train on smaller tiles than model.tile={fitter.tile}'
    raise MemoryError(
        f'A training step of {type(fitter.net).__name__} on {width} x '
        f'{height} pixels takes about {needed / 2**30:.1f} GiB and '
        f'{free / 2**30:.1f} GiB are free: {advice}, or a smaller batch.')


def step_memory(fitter: nn.Module, batch_size: int) -> int:
    """Bytes of what a step keeps for the backward pass, and of the optimiser.

    The step runs on tensors without data, which takes milliseconds.

    Args:
        fitter (SignalFitter): Left as it is.
        batch_size (int): Items of the step.
    """
    count, height, width, channels = fitter.signal.shape
    net = copy.deepcopy(fitter.net).to('meta')
    sizes: Dict[int, int] = {}
    kept = []  # so that no address is used twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept.append(tensor)
        sizes[storage._cdata] = storage.nbytes()
        return tensor

    if fitter.tile is not None:
        height, width = (min(fitter.tile, side) for side in (height, width))
    target = torch.empty(batch_size, channels, height, width, device='meta')
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        if net.kind == 'frame':
            times = torch.empty(batch_size, device='meta')
            pred = net(times, target) if net.needs_target else net(times)
        else:
            halo = 2 * net.halo
            pred = net(
                torch.empty(
                    batch_size,
                    height + halo,
                    width + halo,
                    net.num_coordinates,
                    device='meta'))[:, :, :height, :width]
        losses = fitter.loss(pred, target)
    # the values themselves, gradients and Adam's two moments
    weights = 4 * sum(p.numel() * p.element_size() for p in net.parameters())
    del losses
    return sum(sizes.values()) + weights
