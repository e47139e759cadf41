"""Where mixed precision is switched off."""

import torch
from torch import Tensor


def full_precision(like: Tensor) -> torch.autocast:
    """Open a ``with`` block without autocast.

    Args:
        like (Tensor): A tensor on the device in question; autocast knows no ``meta``.
    """
    device = 'cpu' if like.is_meta else like.device.type
    return torch.autocast(device, enabled=False)
