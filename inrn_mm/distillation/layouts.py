"""Tensors of all kinds as maps of the image's places."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .taps import Tap, TapError

Size = tuple[int, ...]  # height and width
_SHAPES = (torch.int32, torch.int64)
# attributes that count the class and register tokens of mmpretrain and timm
_COUNTERS = ('num_extra_tokens', 'num_prefix_tokens')


@dataclass(frozen=True)
class Places:
    """Where the tokens of a layer may lie.

    Args:
        levels (list[tuple[int, int]]): Height and width of each map whose
            places they are.
        source (str): Path of the module that gave such a map; empty for
            shapes in the call that gave the tokens.
    """

    levels: list[Size]
    source: str = ''

    @property
    def number(self) -> int:
        """How many places there are."""
        return sum(height * width for height, width in self.levels)


@dataclass(frozen=True)
class Layout:
    """How the tensors of a layer become maps ``(N, C, h, w)``.

    Args:
        kind (str): ``'as is'``, ``'channels last'`` ``(N, h, w, C)`` or
            ``'tokens'`` ``(N, L, C)``.
        unsure (bool): Whether the tensor of one image may as well be no map.
            Defaults to False.
        extra (int): Class and register tokens in front of the places.
        source (str, optional): Where the places of the tokens are from, see
            :class:`Places`. Defaults to None, the size of the image.
        patch (int): Without a source, side of the square patches of the
            image. Defaults to 0.
        level (int, optional): The one level that is wanted of several.
            Defaults to None, all.
    """

    kind: str = 'as is'
    unsure: bool = False
    extra: int = 0
    source: str | None = None
    patch: int = 0
    level: int | None = None

    def maps(self, x: Tensor, places: Sequence[Places], size: Size, layer: Any) -> list[Tensor]:
        """Lay a tensor out.

        Args:
            x (Tensor): What the layer gave.
            places (Sequence[Places]): Where its tokens may lie.
            size (tuple[int, int]): Height and width of the image.
            layer (object): The layer, for messages.

        Returns:
            list[Tensor]: ``(N, C, h, w)`` of each level; a tensor as it is.

        Raises:
            TapError: If the tokens of this image are not those places.
        """
        if self.kind == 'as is':
            return [x]
        if self.kind == 'channels last':
            return [x.permute(0, 3, 1, 2)]
        levels = self.levels(x.shape[1], places, size)
        if levels is None:
            raise TapError(
                f"The {x.shape[1]} tokens of the layer '{layer}' are no grid of an image of "
                f'{size[0]} x {size[1]}; name a layer that gives a map, or choose another size.'
            )
        tokens = x[:, self.extra :].transpose(1, 2)
        maps = [
            part.unflatten(2, level)
            for part, level in zip(tokens.split([h * w for h, w in levels], 2), levels)
        ]
        if self.level is None:
            return maps
        if not -len(maps) <= self.level < len(maps):
            raise TapError(f"The layer '{layer}' does not exist: there are {len(maps)} levels.")
        return [maps[self.level]]

    def levels(self, length: int, places: Sequence[Places], size: Size) -> list[Size] | None:
        """Find the shapes of the maps that so many tokens are; None if there are none."""
        patches = length - self.extra
        if self.source is None:
            # what is left at the edges is cut off or padded
            rounded = [
                tuple((side + more) // self.patch for side in size) for more in (0, self.patch - 1)
            ]
            return next(([grid] for grid in rounded if grid[0] * grid[1] == patches), None)
        return next(
            (p.levels for p in places if p.source == self.source and p.number == patches), None
        )


def find_layout(
    tap: Tap,
    x: Tensor,
    places: Sequence[Places],
    size: Size,
    net: nn.Module,
    own_images: bool = True,
    level: int | None = None,
) -> Layout:
    """Find how a layer's tensor is laid out, on a probe image.

    Args:
        tap (Tap): The layer.
        x (Tensor): What it gave for one image.
        places (Sequence[Places]): Where its tokens may lie.
        size (tuple[int, int]): Height and width of the image.
        net (nn.Module): The network, which says how many tokens are no
            places.
        own_images (bool): Whether the first axis has the images, and not
            regions of them. Defaults to True.
        level (int, optional): The level that is wanted of several.
            Defaults to None, all.

    Returns:
        Layout: The layout; vectors stay as they are.

    Raises:
        TapError: If the tensor is no map of the image.
    """
    shape = tuple(x.shape)
    if len(shape) == 4 and own_images and shape[0] != 1 and _fits(shape[2:], size):
        return Layout(unsure=True)  # windows of the image, or a layer each
    if len(shape) in (3, 4) and own_images and shape[0] != 1:
        reason = f'its first axis has {shape[0]} items for one image'
    elif len(shape) == 4:
        if _fits(shape[2:], size):
            return Layout()
        if _fits(shape[1:3], size):
            return Layout('channels last')
        if 1 in shape[2:] or (size[0] % shape[2] == 0 and size[1] % shape[3] == 0):
            return Layout(unsure=True)  # pooled along an axis, or of two strides
        reason = f'{shape[2]} x {shape[3]} are no places of it'
    elif len(shape) == 3:
        for extra in dict.fromkeys((count_extra(net, tap.path), 0)):
            patches = shape[1] - extra
            for source in (p.source for p in places if p.number == patches):
                return Layout('tokens', True, extra, source, level=level)
            for patch in range(1, min(size) + 1):
                if size[0] * size[1] == patches * patch**2 and not any(x % patch for x in size):
                    return Layout('tokens', True, extra, patch=patch)
        reason = f'its {shape[1]} items are neither the places of a map nor of several'
    else:
        return Layout()
    raise TapError(
        f"The layer '{tap}' of {type(net).__name__} gives the shape {shape}, which is no map of "
        f'an image of {size[0]} x {size[1]}: {reason}; name a layer that gives a map.'
    )


def follows(layout: Layout, before: Tensor, x: Tensor, places: Sequence, size: Size) -> bool:
    """Tell whether a layout also holds for an image of another size.

    Queries and classes are as many for any image.

    Args:
        layout (Layout): The layout.
        before (Tensor): What the layer gave for the first image.
        x (Tensor): What it gives for the other.
        places (Sequence[Places]): Where its tokens may lie.
        size (tuple[int, int]): Height and width of the other image.
    """
    if before.shape == x.shape:
        return False
    return layout.kind != 'tokens' or layout.levels(x.shape[1], places, size) is not None


def places_in_call(values: Sequence) -> Iterator[Places]:
    """Find shapes of maps among what a module gets and returns.

    mmdet's deformable encoders get ``spatial_shapes``, stages and blocks of
    Swin and PVT get or return ``hw_shape``.
    """
    for value in values:
        if isinstance(value, Tensor):
            if value.dim() == 2 and value.shape[1] == 2 and value.dtype in _SHAPES:
                yield Places([tuple(level) for level in value.tolist()])
        elif _is_size(value):
            yield Places([tuple(value)])
        elif isinstance(value, (tuple, list)) and value:
            if all(map(_is_size, value)):
                yield Places([tuple(level) for level in value])
            else:
                yield from places_in_call([x for x in value if _is_size(x)])


def count_extra(net: nn.Module, path: str) -> int:
    """Count the class and register tokens of the transformer around a layer.

    Args:
        net (nn.Module): The network.
        path (str): Path of the layer.

    Returns:
        int: What the nearest module around it says or holds; 0 if none does.
    """
    names = path.split('.') if path else []
    for depth in range(len(names), -1, -1):
        module = net.get_submodule('.'.join(names[:depth]))
        for counter in _COUNTERS:
            if isinstance(getattr(module, counter, None), int):
                return getattr(module, counter)
        held = [
            p.shape[1]
            for name, p in module.named_parameters()
            if 'token' in name.rpartition('.')[2] and 'mask' not in name and p.dim() == 3
        ]
        if held:
            return sum(held)
    return 0


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, (tuple, list, torch.Size))
        and len(value) == 2
        and all(isinstance(x, int) and not isinstance(x, bool) and x > 0 for x in value)
    )


def _fits(grid: Sequence[int], size: Size) -> bool:
    """Tell whether a grid has the image's aspect ratio, up to rounding."""
    height, width = grid
    return (
        abs(height - size[0] * width / size[1]) < 1 or abs(width - size[1] * height / size[0]) < 1
    )
