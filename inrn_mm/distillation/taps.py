"""Naming layers of a network and recording what flows through them."""

import difflib
import re
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

Layer = int | str


LAYER = re.compile(r'([\w.]+)(:input|:output)?(?:\[(-?\d+)\])?(?:\[(-?\d+)\])?(?:@(-?\d+))?')


class TapError(ValueError):
    """A layer that does not exist or gives no tensor."""


@dataclass(frozen=True)
class Tap:
    """One place in a network whose tensor is recorded.

    Args:
        path (str): Path of a module, ``'backbone.layer3'``.
        source (str): ``'output'`` or ``'input'`` of that module.
        index (int, optional): Item of a tuple output, or position of the
            input. Defaults to None.
        call (int, optional): Which call, of a module that is called several
            times in a forward. Defaults to None, all of them.
        item (int, optional): Item of the index's item, where that is a tuple or
            list again. Defaults to None.
    """

    path: str
    source: str = 'output'
    index: int | None = None
    call: int | None = None
    item: int | None = None

    @classmethod
    def parse(cls, layer: Layer, model: nn.Module) -> 'Tap':
        """Read a layer as configs name it and check that it exists.

        Args:
            layer (int | str): A stage of the backbone (``2``, ``-1``), a
                module path (``'neck.fpn_convs.0'``), an item of a tuple
                output (``'backbone[2]'``), of a list in it
                (``'bbox_head[0][2]'``), or an input (``'head.fc:input'``), and
                ``@`` for one of several calls: the sum before the last ReLU of
                a residual block is ``'backbone.layer3.5.relu:input@-1'``.
            model (nn.Module): The network that has it.

        Raises:
            TapError: If there is no such layer; the nearest names are
                listed.
        """
        if isinstance(layer, int):
            return cls._parse_stage(layer, model)
        match = isinstance(layer, str) and LAYER.fullmatch(layer)
        if not match:
            raise TapError(
                f"Cannot read the layer '{layer}': write a module path such "
                "as 'backbone.layer3', 'backbone[2]' for an item of a tuple "
                "output, or 'head.fc:input' for an input."
            )
        path, source, index, item, call = match.groups()
        # a module that several parts share has a name in each of them
        names = [name for name, _ in model.named_modules(remove_duplicate=False) if name]
        if path not in names:
            near = difflib.get_close_matches(path, names, n=5, cutoff=0.0)
            raise TapError(
                f"{type(model).__name__} has no layer '{path}'; the nearest "
                f'names are {", ".join(near)}.'
            )
        numbers = (None if n is None else int(n) for n in (index, call, item))
        return cls(path, (source or ':output')[1:], *numbers)

    @classmethod
    def _parse_stage(cls, stage: int, model: nn.Module) -> 'Tap':
        backbone, path = _backbone(model)
        layers = getattr(backbone, 'res_layers', None)
        stages = list_stages(model)
        if stages is None and path:
            return cls(path, index=stage)
        if stages is None:
            raise TapError(
                f'{type(model).__name__} has no backbone, so stage {stage} '
                'means nothing; name a module path instead.'
            )
        if stage < 0:
            stage = stages[stage] if -len(stages) <= stage else stage
        if stage not in stages:
            raise TapError(
                f'{type(backbone).__name__} gives no stage {stage}; it gives the stages {stages}.'
            )
        if layers is not None:
            return cls.parse(f'{path}.{layers[stage]}'.lstrip('.'), model)
        return cls(path, index=stages.index(stage))

    def __str__(self) -> str:
        source = ':input' if self.source == 'input' else ''
        index = ''.join(f'[{i}]' for i in (self.index, self.item) if i is not None)
        call = '' if self.call is None else f'@{self.call}'
        return f'{self.path}{source}{index}{call}'

    def pick(self, value: Any) -> Tensor:
        """Take this tap's tensor out of what a module got or returned.

        Args:
            value (object): The module's output; for ``source='input'`` the
                input at the tap's position.

        Returns:
            Tensor: The item of the tap's index and in it that of its item, the
            only item, or the value itself.

        Raises:
            TapError: If there is no such item, or it is no tensor.
        """
        indices = [self.index] if self.source == 'output' else []
        for index in (*indices, self.item):
            if index is None or not isinstance(value, (tuple, list)):
                continue
            if not -len(value) <= index < len(value):
                raise TapError(
                    f"The layer '{self}' does not exist: '{self.path}' gives {len(value)} items."
                )
            value = value[index]
        if isinstance(value, (tuple, list)) and len(value) == 1:
            value = value[0]
        if not isinstance(value, Tensor):
            what = (
                f"{len(value)} items; pick one, for example '{self.path}[0]'"
                if isinstance(value, (tuple, list))
                else f'{type(value).__name__}, not a tensor'
            )
            raise TapError(f"The layer '{self}' gives {what}.")
        return value


def list_stages(model: nn.Module) -> list[int] | None:
    """List the stages that a network's backbone gives.

    Args:
        model (nn.Module): The network, or a backbone.

    Returns:
        list[int] | None: Their numbers; None where the backbone does not say.
    """
    backbone, _ = _backbone(model)
    # A ResNet names the modules of its stages: the forward can end there.
    layers = getattr(backbone, 'res_layers', None)
    if layers is not None:
        return list(range(len(layers)))
    indices = getattr(backbone, 'out_indices', None)
    if indices is None:
        return None
    return [indices] if isinstance(indices, int) else list(indices)


def _backbone(model: nn.Module) -> tuple[nn.Module, str]:
    """Find the backbone and its path; a network without one may be one itself."""
    backbone = getattr(model, 'backbone', None)
    return (model, '') if backbone is None else (backbone, 'backbone')
