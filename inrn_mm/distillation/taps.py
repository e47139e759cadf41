"""Naming layers of a network and recording what flows through them."""

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Layer = int | str


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
    """

    path: str
    source: str = 'output'
    index: int | None = None
    call: int | None = None

    @classmethod
    def parse(cls, layer: Layer, model: nn.Module) -> 'Tap':
        """Read a layer as configs name it and check that it exists.

        Args:
            layer (int | str): A stage of the backbone (``2``, ``-1``), a
                module path (``'neck.fpn_convs.0'``), an item of a tuple
                output (``'backbone[2]'``) or an input (``'head.fc:input'``),
                and ``@`` for one of several calls: the sum before the last
                ReLU of a residual block is
                ``'backbone.layer3.5.relu:input@-1'``.
            model (nn.Module): The network that has it.

        Raises:
            ValueError: If there is no such layer; the nearest names are
                listed.
        """
        if isinstance(layer, int):
            return cls._parse_stage(layer, model)
        match = re.fullmatch(r'([\w.]+)(:input|:output)?(?:\[(-?\d+)\])?(?:@(-?\d+))?', layer)
        if match is None:
            raise ValueError(
                f"Cannot read the layer '{layer}': write a module path such "
                "as 'backbone.layer3', 'backbone[2]' for an item of a tuple "
                "output, or 'head.fc:input' for an input."
            )
        path, source, *numbers = match.groups()
        names = [name for name, _ in model.named_modules() if name]
        if path not in names:
            near = difflib.get_close_matches(path, names, n=5, cutoff=0.0)
            raise ValueError(
                f"{type(model).__name__} has no layer '{path}'; the nearest "
                f'names are {", ".join(near)}.'
            )
        return cls(
            path, (source or ':output')[1:], *(None if n is None else int(n) for n in numbers)
        )

    @classmethod
    def _parse_stage(cls, stage: int, model: nn.Module) -> 'Tap':
        backbone = getattr(model, 'backbone', None)
        if backbone is None:
            raise ValueError(
                f'{type(model).__name__} has no backbone, so stage {stage} '
                'means nothing; name a module path instead.'
            )
        # A ResNet names the modules of its stages: the forward can end there.
        layers = getattr(backbone, 'res_layers', None)
        if layers is not None:
            stages = list(range(len(layers)))
        else:
            indices = getattr(backbone, 'out_indices', None)
            if indices is None:
                return cls('backbone', index=stage)
            indices = [indices] if isinstance(indices, int) else indices
            stages = list(indices)
        if stage < 0:
            stage = stages[stage] if -len(stages) <= stage else stage
        if stage not in stages:
            raise ValueError(
                f'{type(backbone).__name__} gives no stage {stage}; it gives the stages {stages}.'
            )
        if layers is not None:
            return cls(f'backbone.{layers[stage]}')
        return cls('backbone', index=stages.index(stage))

    def __str__(self) -> str:
        source = ':input' if self.source == 'input' else ''
        index = '' if self.index is None else f'[{self.index}]'
        call = '' if self.call is None else f'@{self.call}'
        return f'{self.path}{source}{index}{call}'

    def pick(self, value: Any) -> Tensor:
        """Take this tap's tensor out of what a module got or returned.

        Args:
            value (object): The module's output; for ``source='input'`` the
                input at the tap's position.

        Returns:
            Tensor: The item of the tap's index, the only item, or the value
            itself.

        Raises:
            ValueError: If there is no such item, or it is no tensor.
        """
        if self.index is not None and self.source == 'output' and isinstance(value, (tuple, list)):
            if not -len(value) <= self.index < len(value):
                raise ValueError(
                    f"The layer '{self}' does not exist: '{self.path}' gives {len(value)} items."
                )
            value = value[self.index]
        elif isinstance(value, (tuple, list)) and len(value) == 1:
            value = value[0]
        if not isinstance(value, Tensor):
            what = (
                f"{len(value)} items; pick one, for example '{self.path}[0]'"
                if isinstance(value, (tuple, list))
                else f'{type(value).__name__}, not a tensor'
            )
            raise ValueError(f"The layer '{self}' gives {what}.")
        return value


class ForwardStopped(Exception):
    """Ends a forward pass whose taps are all recorded."""


class Recorder:
    """Records taps of a network while the ``with`` block runs.

    Hooks are on the modules only inside the block, so that copies of the
    network (EMA, pickles) never carry them.

    Args:
        model (nn.Module): The network.
        taps (Sequence[Tap]): What to record.
        num_calls (dict[Tap, int], optional): How often each tap fires in one
            forward; when all have, the forward is stopped by
            :class:`ForwardStopped`, which the block swallows.
            Defaults to None, run to the end.
        clone (Sequence[Tap]): Taps whose tensor a later layer overwrites in
            place: the network goes on with a copy. Defaults to none.

    Attributes:
        features (dict[Tap, list[Tensor]]): The tensors, one for each call
            (the one call of taps that name one, when the block has ended).
        counts (Counter): How often each tap's module was called.
        without_grad (set[Tap]): Taps that were recorded where autograd was
            switched off.
    """

    def __init__(
        self,
        model: nn.Module,
        taps: Sequence[Tap],
        num_calls: dict[Tap, int] | None = None,
        clone: Sequence[Tap] = (),
    ) -> None:
        self.model = model
        self.taps = list(dict.fromkeys(taps))
        self.num_calls = num_calls
        self.clone = clone
        self.features: dict[Tap, list[Tensor]] = {}
        self._versions: dict[Tap, list[int]] = {}
        self._handles: list = []

    def __enter__(self) -> 'Recorder':
        self.features = {tap: [] for tap in self.taps}
        self._versions = {tap: [] for tap in self.taps}
        self.counts = Counter()
        self.without_grad: set[Tap] = set()
        for tap in self.taps:
            module = self.model.get_submodule(tap.path)
            if tap.source == 'input':
                handle = module.register_forward_pre_hook(
                    lambda _, args, tap=tap: self._record(tap, args)
                )
            else:
                handle = module.register_forward_hook(
                    lambda _, args, out, tap=tap: self._record(tap, out)
                )
            self._handles.append(handle)
        return self

    def __exit__(self, exc_type, exc, traceback) -> bool:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if exc_type not in (None, ForwardStopped):
            return False
        for tap in self.taps:
            if tap.call is not None and self.features[tap]:
                self._keep_call(tap)
        return True

    def _keep_call(self, tap: Tap) -> None:
        count = self.counts[tap]
        if not -count <= tap.call < count:
            raise ValueError(
                f"The layer '{tap}' does not exist: '{tap.path}' is called {count} times."
            )
        for records in (self.features, self._versions):
            records[tap] = [records[tap][tap.call]]

    def _record(self, tap: Tap, value: Any) -> Any:
        position = tap.index
        if tap.source == 'input' and position is None:
            position = 0
        if tap.source == 'input' and not (-len(value) <= position < len(value)):
            raise ValueError(
                f"The layer '{tap}' does not exist: '{tap.path}' is called "
                f'with {len(value)} positional inputs; name one of them, '
                'counted from 0, or another layer.'
            )
        feature = tap.pick(value[position] if tap.source == 'input' else value)
        self.features[tap].append(feature)
        if not torch.is_grad_enabled():
            self.without_grad.add(tap)
        self._versions[tap].append(feature._version)
        self.counts[tap] += 1
        if self.num_calls is not None and all(
            self.counts[t] >= n for t, n in self.num_calls.items()
        ):
            raise ForwardStopped
        if tap not in self.clone:
            return None
        # what comes next may overwrite the copy
        if isinstance(value, Tensor):
            return feature.clone()
        items = list(value)
        items[position or 0] = feature.clone()
        return type(value)(items)

    def overwritten(self) -> list[Tap]:
        """Taps whose recorded tensor was changed in place afterwards."""
        return [
            tap
            for tap, features in self.features.items()
            if any(f._version != v for f, v in zip(features, self._versions[tap]))
        ]
