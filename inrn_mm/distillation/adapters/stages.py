"""Finding the stages of a network that does not name them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..layouts import Size
from ..probe import evaluating

# what they give has the same size for any image
_POOLS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)


@dataclass(frozen=True)
class _Call:
    """What a module made of the image.

    Args:
        order (int): When it ended.
        layer (str): The module, with the item of its output.
        places (int): Places or tokens that it gave.
        given (int): Places or tokens that it was given; pixels of the image at first.
    """

    order: int
    layer: str
    places: int
    given: int


def find_stages(net: nn.Module, size: Size) -> list[str]:
    """Find the layers after which the map of an image gets smaller.

    The network runs once on a blank image. From its parts, in the order in which
    they run, those that shrink the map by more than two are replaced by their own
    parts; of what is left the last of each size is a stage. A transformer that keeps its
    tokens has its blocks as stages.

    Args:
        net (nn.Module): A network of images ``(N, 3, H, W)``.
        size (tuple[int, int]): Height and width of the image.

    Returns:
        list[str]: Their names, from shallow to deep.
    """
    calls = _watch(net, size)
    trunk = list(_parts(net, '', calls))
    last = {call.places: call for call in trunk}
    # what is pooled comes after the deepest map
    stages = [call for places, call in last.items() if 4 <= places < size[0] * size[1]]
    if len(stages) > 1 and stages[-1].places * 4 <= stages[0].places:
        return [call.layer for call in stages]
    return _blocks(net, calls) or [call.layer for call in stages]


def _watch(net: nn.Module, size: Size) -> dict[str, _Call]:
    """Run the network and note the modules that ran once and gave maps or tokens."""
    calls: dict[str, _Call] = {}
    again: set[str] = set()
    handles = []

    def note(path: str, args: tuple, kwargs: dict, out: Any) -> None:
        found = _first_map(out)
        if path in calls:
            again.add(path)
        if found is not None:
            x, index = found
            given = next(filter(None, map(_first_map, (*args, *kwargs.values()))), None)
            layer = path if index is None else f'{path}[{index}]'
            calls[path] = _Call(len(calls), layer, _places(x), _places(given[0] if given else x))

    for path, module in net.named_modules():
        if path and not isinstance(module, _POOLS):
            hook = lambda _, args, kwargs, out, path=path: note(path, args, kwargs, out)  # noqa: E731
            handles.append(module.register_forward_hook(hook, with_kwargs=True))
    try:
        with evaluating(net), torch.no_grad():
            net(next(net.parameters()).new_zeros(1, 3, *size))
    finally:
        for handle in handles:
            handle.remove()
    return {path: call for path, call in calls.items() if path not in again}


def _first_map(value: Any) -> tuple[Tensor, int | None] | None:
    if isinstance(value, Tensor):
        return (value, None) if value.dim() in (3, 4) and value.shape[0] == 1 else None
    if isinstance(value, dict):  # Hugging Face's outputs
        value = list(value.values())
    if isinstance(value, (tuple, list)) and value and isinstance(value[0], Tensor):
        return (value[0], 0) if value[0].dim() in (3, 4) and value[0].shape[0] == 1 else None
    return None


def _places(x: Tensor) -> int:
    if x.dim() == 3:
        return x.shape[1]
    # channels come first or last: the sides of a square image's map are equal
    height, width = x.shape[2:] if x.shape[2] == x.shape[3] else x.shape[1:3]
    return height * width


def _parts(module: nn.Module, path: str, calls: dict[str, _Call]) -> Iterator[_Call]:
    """List the parts of a module that give maps, expanding those of several strides."""
    found = sorted(_called(module, path, calls), key=lambda item: item[1].order)
    for name, call in found:
        inner = module.get_submodule(name[len(path) :].lstrip('.'))
        if call.given > 4.5 * call.places and any(_called(inner, name, calls)):
            yield from _parts(inner, name, calls)
        else:
            yield call


def _called(module: nn.Module, path: str, calls: dict[str, _Call]) -> Iterator[tuple[str, _Call]]:
    """List the outermost modules inside that gave maps; lists of modules are never called."""
    for name, child in module.named_children():
        name = f'{path}.{name}'.lstrip('.')
        if name in calls:
            yield name, calls[name]
        else:
            yield from _called(child, name, calls)


def _blocks(net: nn.Module, calls: dict[str, _Call]) -> list[str]:
    """Find the outermost list of modules that all give the same number of tokens."""
    for path, module in sorted(net.named_modules(), key=lambda item: item[0].count('.')):
        if isinstance(module, (nn.ModuleList, nn.Sequential)) and len(module) > 1:
            names = [f'{path}.{name}'.lstrip('.') for name, _ in module.named_children()]
            inside = [calls[name] for name in names if name in calls]
            same = len({(call.places, call.given) for call in inside}) == 1
            if same and len(inside) == len(names):
                return [call.layer for call in inside]
    return []
