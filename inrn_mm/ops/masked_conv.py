"""The two halves of masked convolutions, with the signatures of ``mmcv._ext``."""

import torch
from torch import Tensor
from torch.nn import functional


def masked_im2col_forward(
    im: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    col: Tensor,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Collect the neighbourhoods of chosen places.

    Args:
        im (Tensor): One map, shape (1, C, H, W).
        mask_h_idx (Tensor): Rows of the places, int64 of shape (M, ).
        mask_w_idx (Tensor): Their columns.
        col (Tensor): Filled, shape (C * kernel_h * kernel_w, M).
        kernel_h (int): Height of the neighbourhood, like ``kernel_w`` its width.
        pad_h (int): Zeros above and below, like ``pad_w`` at the sides.
    """
    padded = functional.pad(im[0], (pad_w, pad_w, pad_h, pad_h))
    rows = mask_h_idx + torch.arange(kernel_h, device=im.device)[:, None]
    columns = mask_w_idx + torch.arange(kernel_w, device=im.device)[:, None]
    col.copy_(padded[:, rows[:, None], columns[None]].flatten(0, 2))


def masked_col2im_forward(
    col: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    im: Tensor,
    height: int,
    width: int,
    channels: int,
) -> None:
    """Put values back to their places.

    Args:
        col (Tensor): Shape (channels, M).
        mask_h_idx (Tensor): Rows of the places, int64 of shape (M, ).
        mask_w_idx (Tensor): Their columns.
        im (Tensor): One map, shape (1, channels, height, width); changed at
            those places alone.
        height (int): Height of the map; ``width`` likewise.
        channels (int): Channels of the map.
    """
    im[0, :, mask_h_idx, mask_w_idx] = col.to(im.dtype)
