"""What a compact file may build, measured by what it holds.

The header is believed only after its network was built without data, on the
meta device, and its weights were counted against the bytes of the file.
"""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules import module as hooks

from ..memory import need_memory
from ..networks.base import FittingNet
from ..signal import MAX_VALUES
from .allowed import build_net

# Weights for each byte of a file: at 99.9 % of zeros they take a half.
WEIGHTS_PER_BYTE = 1024
# Encoders, which no file holds, and networks of zeros.
SPARE_WEIGHTS = 2**22
MAX_TENSORS = 2**13
MAX_FRAMES, MAX_SIDE = 2**24, 2**18
# Names and types of a header's entries.
HEADER: dict[str, Any] = dict(
    net=dict,
    shape=list,
    max=(int, float),
    fps=(int, float),
    bits=int,
    rows=bool,
    kinds=str,
    layout=int,
)


def check_header(header: dict, bits: tuple[int, ...], kinds: str) -> None:
    """Refuse a header whose entries are not of the kind that they must be.

    Args:
        header (dict): The header of a file.
        bits (tuple[int]): Numbers of bits that there are.
        kinds (str): Letters that there are.

    Raises:
        ValueError: Naming the entry.
    """
    for name, kind in HEADER.items():
        if not isinstance(header.get(name), kind):
            raise ValueError(f'its header has no {name} of the right kind')
    shape, limits = header['shape'], (MAX_FRAMES, MAX_SIDE, MAX_SIDE)
    whole = len(shape) == 4 and all(type(number) is int for number in shape)
    if not (
        whole
        and all(1 <= number <= most for number, most in zip(shape, limits))
        and shape[3] in (1, 3, 4)
    ):
        raise ValueError(f'its header has the shape {shape}')
    if header['max'] not in MAX_VALUES or not 0 < header['fps'] < math.inf:
        raise ValueError(f'its header has values to {header["max"]} at {header["fps"]} frames/s')
    if header['bits'] not in bits or not set(header['kinds']) <= set(kinds):
        raise ValueError(f'its header has {header["bits"]} bits of the kinds {header["kinds"]}')


def build_within(net_cfg: dict, source: str | Path, size: int) -> FittingNet:
    """Build a network without data that a file of a size can hold.

    Args:
        net_cfg (dict): Its config.
        source (str | Path): The file, named in errors.
        size (int): Bytes of the file.

    Returns:
        FittingNet: On the meta device.

    Raises:
        ValueError: If it has more tensors or weights.
        MemoryError: If they do not fit into the memory.
    """
    with torch.device('meta'), _counted(SPARE_WEIGHTS + WEIGHTS_PER_BYTE * size) as count:
        net = build_net(net_cfg, source)
    need_memory(8 * count[0], f'Opening {source}', 'decode it on a larger machine')
    return net


@contextlib.contextmanager
def _counted(most: int) -> Iterator[list[int]]:
    """Stop the building of a network once it has too many weights."""
    count = [0, 0]

    def add(module, name: str, value: torch.Tensor | None) -> None:
        if value is not None:
            count[0] += value.numel()
            count[1] += 1
        if count[0] > most or count[1] > MAX_TENSORS:
            raise ValueError('its network has more weights than the file can hold')

    handles = [
        hooks.register_module_parameter_registration_hook(add),
        hooks.register_module_buffer_registration_hook(add),
    ]
    try:
        yield count
    finally:
        for handle in handles:
            handle.remove()
