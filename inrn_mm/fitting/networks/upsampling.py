"""From a small grid to a frame of any size by strides and a crop."""

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement

from torch import Tensor

Pair = tuple[int, int]
MAX_STAGES = 16  # whose strides are tried in all combinations


def choose_grid(
    size: Sequence[int],
    num_stages: int = 5,
    cells: float = 9 * 16,
    grid: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> tuple[Pair, tuple[int, ...]]:
    """Choose where an up-sampling network starts and its strides.

    The last two strides are 2, the others 1 to 5, those of 1 first, then
    falling. Among these, the choice wastes few pixels, which are computed
    and cropped, and starts near ``cells`` positions. 720 x 1280 gives NeRV's
    9 x 16 and 5, 2, 2, 2, 2; 720 x 1080 gives 10 x 15 and 3, 3, 2, 2, 2.

    Args:
        size (Sequence[int]): Height and width of the frames.
        num_stages (int): Number of strides. Defaults to 5.
        cells (float): Wanted positions of the grid. Defaults to 144.
        grid (Sequence[int], optional): The grid, where it is given with
            ``strides``. Defaults to None, chosen.
        strides (Sequence[int], optional): The strides.
            Defaults to None, chosen.

    Returns:
        tuple: The grid's height and width, and the strides.

    Raises:
        ValueError: If the grid and the strides given do not cover the size, or
            strides are to be chosen for too many stages.
    """
    height, width = size
    if strides is not None:
        return _given(height, width, grid, strides)
    if num_stages > MAX_STAGES:
        raise ValueError(
            f'Strides are chosen for at most {MAX_STAGES} stages, not for {num_stages}: give them.'
        )
    tail = (2,) * min(2, num_stages)
    best = None
    for head in combinations_with_replacement((1, 2, 3, 4, 5), num_stages - len(tail)):
        total = math.prod(head + tail)
        rows, columns = math.ceil(height / total), math.ceil(width / total)
        waste = rows * columns * total**2 / (height * width) - 1
        score = waste + 0.1 * abs(math.log2(rows * columns / cells))
        ones = sum(stride == 1 for stride in head)
        falling = sorted(head, reverse=True)
        order = falling[len(head) - ones :] + falling[: len(head) - ones]
        # equal scores: as many stages with a stride as there can be
        key = (round(score, 6), ones, max(head))
        if best is None or key < best[0]:
            best = key, (rows, columns), tuple(order) + tail
    return best[1], best[2]


def _given(
    height: int, width: int, grid: Sequence[int] | None, strides: Sequence[int]
) -> tuple[Pair, tuple[int, ...]]:
    """Check that strides, and a grid if there is one, cover a frame."""
    total = math.prod(strides)
    needed = math.ceil(height / total), math.ceil(width / total)
    rows, columns = grid or needed
    if rows < needed[0] or columns < needed[1]:
        raise ValueError(
            f'The grid {rows, columns} with the strides {tuple(strides)} covers '
            f'{rows * total} x {columns * total} pixels, less than '
            f'the {height} x {width} of a frame; the grid must be at '
            f'least {needed}.'
        )
    return (rows, columns), tuple(strides)


def crop(x: Tensor, size: Sequence[int]) -> Tensor:
    """Cut to a height and width, in the middle.

    Args:
        x (Tensor): ``(B, C, H, W)``.
        size (Sequence[int]): Height and width, not above those of ``x``.

    Returns:
        Tensor: A view ``(B, C, *size)``.
    """
    top = (x.shape[2] - size[0]) // 2
    left = (x.shape[3] - size[1]) // 2
    return x[:, :, top : top + size[0], left : left + size[1]]
