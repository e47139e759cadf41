"""Pixels of a network at any size, and the coordinates that they are at."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .networks import FittingNet

CHUNK = 2**18  # pixels that a network of pixels computes at a time
Size = tuple[int, ...]


def coordinates(net: FittingNet, frames: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Compute the coordinates of pixels and of the halo around them.

    Args:
        net (FittingNet): A network of pixels.
        frames (Tensor): Frame numbers, shape ``(B,)``.
        rows (Tensor): Shape ``(B, h)``, evenly spaced, in pixels of the
            training size; 0 is the middle of the first.
        columns (Tensor): Shape ``(B, w)``.

    Returns:
        Tensor: Shape ``(B, h + 2 halo, w + 2 halo, D)``, in [-1, 1] for
        pixels inside the frame.
    """
    height, width = net.shape[1:3]
    y = _axis(rows, height, net.halo)
    x = _axis(columns, width, net.halo)
    y, x = torch.broadcast_tensors(y[:, :, None], x[:, None])
    axes = [x, y]
    if net.num_coordinates == 3:
        t = 2 * net.times(frames) - 1
        axes.append(t[:, None, None].expand_as(x))
    return torch.stack(axes, -1)


def render(
    net: FittingNet, frame: Tensor, rows: Tensor, columns: Tensor, chunk: int = CHUNK
) -> Tensor:
    """Compute pixels of a network of pixels, in strips.

    Args:
        net (FittingNet): The network.
        frame (Tensor): Frame number, shape ``(1,)``.
        rows (Tensor): Shape ``(h,)``, see :func:`coordinates`.
        columns (Tensor): Shape ``(w,)``.
        chunk (int): Pixels of a strip, about. Defaults to 262144.

    Returns:
        Tensor: Shape ``(1, C, h, w)``.
    """
    columns = columns.to(frame.device)[None]
    height = max(chunk // (columns.shape[1] + 2 * net.halo), 1)
    # a thin strip would be computed mostly for its halo
    height = max(height - 2 * net.halo, net.halo, 1)
    strips = (strip.to(frame.device)[None] for strip in rows.split(height))
    parts = [trim(net(coordinates(net, frame, strip, columns)), net.halo) for strip in strips]
    return torch.cat(parts, 2)


def render_frame(
    net: FittingNet, number: Tensor, size: Size, crop: tuple[int, ...], chunk: int = CHUNK
) -> Tensor:
    """Compute a frame, or a part of it, at any size.

    Args:
        net (FittingNet): The network.
        number (Tensor): Frame number, shape ``(1,)``, perhaps between frames.
        size (tuple[int, int]): Height and width.
        crop (tuple[int, ...]): Top, left, height and width, in pixels of
            ``size``.
        chunk (int): See :func:`render`.

    Returns:
        Tensor: Shape ``(1, C, *crop[2:])``, not clamped.
    """
    top, left, height, width = crop
    native = net.shape[1:3]
    if net.kind == 'frame':
        frame = _resized(net(net.times(number)), size)
    elif not net.halo:
        rows = _positions(top, height, size[0], native[0])
        columns = _positions(left, width, size[1], native[1])
        return render(net, number, rows, columns, chunk)
    elif any(want % have for want, have in zip(size, native)):
        scales = [math.ceil(want / have) for want, have in zip(size, native)]
        larger = tuple(s * side for s, side in zip(scales, native))
        whole = render_frame(net, number, larger, (0, 0, *larger), chunk)
        frame = _resized(whole, size)
    else:
        return _interleave(net, number, size, crop, chunk)
    return frame[:, :, top : top + height, left : left + width]


def trim(x: Tensor, halo: int) -> Tensor:
    """Cut the halo off.

    Args:
        x (Tensor): Shape ``(B, C, H, W)``.
        halo (int): Pixels on each side.

    Returns:
        Tensor: A view.
    """
    return x[:, :, halo:-halo, halo:-halo] if halo else x


def _interleave(
    net: FittingNet, number: Tensor, size: Size, crop: tuple[int, ...], chunk: int
) -> Tensor:
    """Interleave renderings whose spacing is the training size's."""
    top, left, height, width = crop
    native = net.shape[1:3]
    scales = [want // have for want, have in zip(size, native)]
    rows = _positions(top, height, size[0], native[0])
    columns = _positions(left, width, size[1], native[1])
    out = torch.empty(1, net.shape[3], height, width, device=number.device)
    for y in range(min(scales[0], height)):
        for x in range(min(scales[1], width)):
            out[:, :, y :: scales[0], x :: scales[1]] = render(
                net, number, rows[y :: scales[0]], columns[x :: scales[1]], chunk
            )
    return out


def _axis(pixels: Tensor, side: int, halo: int) -> Tensor:
    """Turn pixel numbers ``(B, n)``, and ``halo`` more on each side, into
    coordinates in which the frame spans [-1, 1]."""
    pixels = pixels.float()
    if halo:
        reach = torch.arange(1, halo + 1, device=pixels.device)
        pixels = torch.cat([pixels[:, :1] - reach.flip(0), pixels, pixels[:, -1:] + reach], 1)
    return (2 * pixels + 1) / side - 1


def _positions(start: int, number: int, size: int, native: int) -> Tensor:
    """Find the middles of pixels of another size, in pixels of the native one."""
    pixels = torch.arange(start, start + number, dtype=torch.float64)
    return ((pixels + 0.5) * native / size - 0.5).float()


def _resized(x: Tensor, size: Size) -> Tensor:
    if x.shape[2:] == size:
        return x
    return F.interpolate(x.float(), size, mode='bicubic', antialias=True)
