"""How much memory a training step takes, found without running it."""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def free_memory(device: str | torch.device = 'cpu') -> int:
    """Count the bytes that can still be allocated on a device.

    Args:
        device (str | torch.device): Defaults to ``'cpu'``.

    Returns:
        int: Bytes.
    """
    device = torch.device(device)
    if device.type == 'cuda':
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    import psutil

    return psutil.virtual_memory().available


def need_memory(
    needed: int, what: str, advice: str, devices: Sequence[str | torch.device] = ('cpu',)
) -> None:
    """Refuse what does not fit into the memory.

    Args:
        needed (int): Bytes that it takes.
        what (str): What takes them, the beginning of a sentence.
        advice (str): What to do.
        devices (Sequence[str | torch.device]): Where it is to fit, all of
            them. Defaults to the main memory alone.

    Raises:
        MemoryError: If less is free.
    """
    free = min(free_memory(device) for device in devices)
    if needed > free:
        raise MemoryError(
            f'{what} takes about {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free: '
            f'{advice}.'
        )


def check_memory(fitter: nn.Module, batch_size: int) -> None:
    """Refuse a training step that cannot fit into the memory.

    Args:
        fitter (SignalFitter): The fitter to be trained.
        batch_size (int): Items of a step.

    Raises:
        MemoryError: If more is needed than is free.
    """
    _, height, width, _ = fitter.signal.shape
    if fitter.net.kind == 'frame':
        advice = (
            'give a smaller --size, or a pixel network such as SIREN, '
            'on tiles (--cfg-options model.tile=256)'
        )
    elif fitter.tile is None:
        advice = 'train on tiles (--cfg-options model.tile=256)'
    else:
        advice = f'train on smaller tiles (--cfg-options model.tile={max(fitter.tile // 2, 1)})'
    if batch_size > 1:
        advice += ', or a smaller batch (train_dataloader.batch_size=1)'
    need_memory(
        step_memory(fitter, batch_size),
        f'A training step of {type(fitter.net).__name__} on {width} x {height} pixels',
        advice,
        [fitter.device],
    )


def check_decoding(
    fitter: nn.Module, size: Sequence[int] | None = None, crop: Sequence[int] | None = None
) -> None:
    """Refuse to decode frames that do not fit into the memory.

    Args:
        fitter (SignalFitter): The decoder.
        size (Sequence[int], optional): Height and width.
            Defaults to None, the signal's.
        crop (Sequence[int], optional): Top, left, height and width.
            Defaults to None, all.

    Raises:
        MemoryError: If one takes more than is free.
    """
    _, *native, channels = fitter.signal.shape
    size = list(size or native)
    shown = list(crop[2:] if crop else size)
    # the frame, and its copies as it is rounded to pixels
    floats, whole = 4 * math.prod(shown), 0
    if fitter.net.kind == 'frame' and size != native:
        whole = math.prod(size)
    elif fitter.net.halo and any(w % n for w, n in zip(size, native)):
        whole = math.prod(-(-w // n) * n for w, n in zip(size, native))
    needed = 4 * channels * max(floats, 3 * whole)
    # where all of it is made, a part does not take less
    height, width = size if whole else shown
    part = '' if whole else ', or a --crop'
    need_memory(
        needed,
        f'Decoding {width} x {height} pixels',
        f'give a smaller --size{part}',
        [fitter.device, 'cpu'],
    )


def step_memory(fitter: nn.Module, batch_size: int) -> int:
    """Count what a step keeps for the backward pass, and the optimiser, in bytes.

    The step runs on tensors without data, which takes milliseconds.

    Args:
        fitter (SignalFitter): Left as it is.
        batch_size (int): Items of the step.
    """
    count, height, width, channels = fitter.signal.shape
    net = copy.deepcopy(fitter.net).to('meta')
    sizes: dict[int, int] = {}
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
                    batch_size, height + halo, width + halo, net.num_coordinates, device='meta'
                )
            )[:, :, :height, :width]
        losses = fitter.loss(pred, target)
    # the values themselves, gradients and Adam's two moments
    weights = 4 * sum(p.numel() * p.element_size() for p in net.parameters())
    del losses
    return sum(sizes.values()) + weights
