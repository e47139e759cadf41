"""Bilinear sampling of feature maps in the bins of boxes."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

# Sampled values that are held at once: 64 MB of float32.
VALUES = 1 << 24


def sample_bilinear(maps: Tensor, batch: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Interpolate maps at points, as mmcv's and torchvision's RoIAlign do.

    Points more than one pixel outside give 0; others are moved to the border.

    Args:
        maps (Tensor): Shape (B, C, H, W).
        batch (Tensor): Which map each box is of, int64 of shape (R, ).
        y (Tensor): Rows of the points, shape (R, P).
        x (Tensor): Columns, shape (R, P).

    Returns:
        Tensor: Shape (R, P, C), differentiable in maps and points.
    """
    height, width = maps.shape[-2:]
    inside = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    y0, y1, dy = _neighbours(y, height)
    x0, x1, dx = _neighbours(x, width)
    pixels = maps.permute(0, 2, 3, 1)
    batch = batch[:, None]
    upper = pixels[batch, y0, x0] * (1 - dx) + pixels[batch, y0, x1] * dx
    lower = pixels[batch, y1, x0] * (1 - dx) + pixels[batch, y1, x1] * dx
    return (upper * (1 - dy) + lower * dy) * inside[..., None]


def _neighbours(at: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Find the pixels on both sides of points and the way to the second."""
    at = at.clamp(0, size - 1)
    low = at.detach().floor().long()
    return low, (low + 1).clamp(max=size - 1), (at - low)[..., None]


@dataclass
class Bins:
    """Boxes on a feature map, cut into bins that are sampled on a grid.

    Args:
        rois (Tensor): Index of the image and corners, shape (R, 5).
        size (tuple[int, int]): Bins of a box, down and across.
        scale (float): Size of the map over that of the image.
        sampling_ratio (int): Samples of a bin in each direction; as many as
            the bin has pixels if it is 0.
        aligned (bool): Whether pixel centres lie at halves (RoIAlign's
            ``aligned``); if not, boxes are at least one pixel wide.
    """

    rois: Tensor
    size: tuple[int, int]
    scale: float
    sampling_ratio: int
    aligned: bool

    def __post_init__(self) -> None:
        corners = self.rois[:, 1:] * self.scale - (0.5 if self.aligned else 0.0)
        self.batch = self.rois[:, 0].long()
        # rows first
        self.start = corners[:, [1, 0]]
        self.extent = corners[:, [3, 2]] - self.start
        if not self.aligned:
            self.extent = self.extent.clamp(min=1)
        self.bin = self.extent / self.extent.new_tensor(self.size)
        grid = torch.full_like(self.bin, float(self.sampling_ratio))
        if self.sampling_ratio <= 0:
            grid = self.bin.ceil().clamp(min=0)
        self.grid = grid.long()

    def split(self, channels: int) -> Iterator[tuple[Tensor, tuple[int, int]]]:
        """Sort the boxes into groups of one grid that fit into memory.

        Args:
            channels (int): Channels of the map that is sampled.

        Yields:
            tuple[Tensor, tuple[int, int]]: Indices of boxes and their grid.
        """
        for grid in torch.unique(self.grid, dim=0).tolist():
            chosen = (self.grid == self.grid.new_tensor(grid)).all(1).nonzero()[:, 0]
            values = self.size[0] * self.size[1] * max(grid[0] * grid[1], 1) * channels
            for part in chosen.split(max(1, VALUES // values)):
                yield part, (grid[0], grid[1])

    def place(
        self, part: Tensor, grid: tuple[int, int], shift: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compute where boxes of one grid are sampled.

        Args:
            part (Tensor): Indices of the boxes, shape (P, ).
            grid (tuple[int, int]): Samples of each bin, down and across.
            shift (Tensor, optional): By how many pixels each bin is moved, down
                and across, shape (P, 2, bins down, bins across). Defaults to
                None.

        Returns:
            tuple[Tensor, Tensor]: Rows and columns, each of shape
            (P, bins down, bins across, samples down, samples across).
        """
        found = []
        for axis in range(2):
            start, step = self.start[part, axis], self.bin[part, axis]
            bins = torch.arange(self.size[axis], device=step.device)
            samples = torch.arange(grid[axis], device=step.device) + 0.5
            at = start[:, None, None] + bins[:, None] * step[:, None, None]
            at = at + samples * step[:, None, None] / max(grid[axis], 1)
            shape = [len(part), 1, 1, 1, 1]
            shape[1 + axis], shape[3 + axis] = self.size[axis], grid[axis]
            at = at.reshape(shape)
            if shift is not None:
                at = at + shift[:, axis, :, :, None, None]
            found.append(at)
        y, x = torch.broadcast_tensors(*found)
        return y, x
