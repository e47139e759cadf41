"""Masks of point-wise spatial attention (PSANet), with the signatures of ``mmcv._ext``."""

import torch
from torch import Tensor

COLLECT = 0  # psa_type; 1 is to distribute


def _find_shifts(size: int, mask: int, half: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Find which entry of a mask around one pixel stands for another, along one axis.

    Returns:
        tuple[Tensor, Tensor]: Index in the mask, and whether it is inside, by
        the other pixel and the one in the middle, shape (size, size).
    """
    at = torch.arange(size, device=device)
    shift = at[:, None] - at + half
    inside = (shift >= 0) & (shift < mask)
    return shift.clamp(0, mask - 1), inside


def psamask_forward(
    input: Tensor,
    output: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Lay the mask around each pixel over the whole map (Zhao et al. 2018, Fig. 3).

    Args:
        input (Tensor): The masks, shape (B, h_mask * w_mask, H, W).
        output (Tensor): Filled, zero outside the masks, shape (B, H * W, H, W):
            of the other pixel and the one in the middle, or turned around.
        psa_type (int): 0 to collect, 1 to distribute, which is turned around.
        num_ (int): B.
        h_feature (int): H, like ``w_feature`` is W.
        h_mask (int): Height of a mask, like ``w_mask`` its width.
        half_h_mask (int): Rows above its middle, like ``half_w_mask`` on its left.
    """
    output.copy_(_spread(input, psa_type, (h_mask, w_mask), (half_h_mask, half_w_mask)))


def _spread(masks: Tensor, psa_type: int, size: tuple[int, int], half: tuple[int, int]) -> Tensor:
    """Do the work of :func:`psamask_forward`, differentiably."""
    count, _, height, width = masks.shape
    down, above = _find_shifts(height, size[0], half[0], masks.device)
    across, beside = _find_shifts(width, size[1], half[1], masks.device)
    rows = torch.arange(height, device=masks.device)[:, None]
    columns = torch.arange(width, device=masks.device)
    masks = masks.unflatten(1, size)
    found = masks[:, down[:, None, :, None], across[None, :, None, :], rows, columns]
    inside = above[:, None, :, None] & beside[None, :, None, :]
    found = (found * inside).reshape(count, height * width, height * width)
    if psa_type != COLLECT:
        found = found.transpose(1, 2)
    return found.reshape(count, height * width, height, width)


def psamask_backward(
    grad_output: Tensor,
    grad_input: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Compute the gradient of :func:`psamask_forward`.

    Args:
        grad_output (Tensor): Gradient of ``output``.
        grad_input (Tensor): Filled, of the shape of ``input``.
        psa_type (int): As there, like all that is not named here.
    """
    masks = torch.zeros_like(grad_input, requires_grad=True)
    with torch.enable_grad():
        output = _spread(masks, psa_type, (h_mask, w_mask), (half_h_mask, half_w_mask))
        grad_input.copy_(torch.autograd.grad(output, masks, grad_output)[0])
