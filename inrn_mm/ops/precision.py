"""Half precision for kernels that have none."""

import torch
from torch import Tensor


def widen(tensor: Tensor) -> Tensor:
    """Convert what is no float32 or float64 to float32.

    This is what torchvision's own autocast wrappers do: several of its kernels
    exist in float32 and float64 only, and coordinates beyond 256 have no
    fraction left in bfloat16.

    Args:
        tensor (Tensor): Any type and shape.

    Returns:
        Tensor: The same values.
    """
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
