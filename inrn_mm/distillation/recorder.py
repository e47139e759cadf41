"""Recording what flows through the named layers of a network."""

import copy
import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .layouts import Layout, Places, Size, places_in_call
from .taps import Tap, TapError


class Features(dict[Tap, list[Tensor]]):
    """The tensors of taps, one for each call.

    Attributes:
        places (dict[Tap, list[list[Places]]]): For each call of a tap that
            gives tokens, where these may lie, see :class:`Places`.
        levels (dict[Tap, int]): The index of taps that it does not pick an
            item for, since they give one tensor: a level of its tokens.
        size (tuple[int, int]): Height and width of the images.
        share (tuple[float, float]): Share of the height and width of all
            maps that is no padding added for this network.
    """

    def __init__(self, taps: Sequence[Tap] = (), size: Size = (0, 0)) -> None:
        super().__init__((tap, []) for tap in taps)
        self.places: dict[Tap, list[list[Places]]] = {tap: [] for tap in taps}
        self.levels: dict[Tap, int] = {}
        self.size = size
        self.share: tuple[float, ...] = (1.0, 1.0)

    def detach(self) -> 'Features':
        """Return the same without gradient."""
        detached = copy.copy(self)
        detached.update((tap, [x.detach() for x in calls]) for tap, calls in self.items())
        return detached

    def maps(self, tap: Tap, layout: Layout) -> list[Tensor]:
        """Lay out what a tap gave.

        Args:
            tap (Tap): The tap.
            layout (Layout): How its tensors are laid out.

        Returns:
            list[Tensor]: One or, for tokens of several levels, more for each
            call, without added padding.
        """
        maps = [
            x
            for feature, places in zip(self[tap], self.places[tap])
            for x in layout.maps(feature, places, self.size, tap)
        ]
        return [self._cropped(x) if x.dim() == 4 else x for x in maps]

    def _cropped(self, x: Tensor) -> Tensor:
        if self.share == (1.0, 1.0):
            return x
        # a place counts whose beginning is in the image
        height, width = (math.ceil(n * s - 1e-6) for n, s in zip(x.shape[-2:], self.share))
        return x[..., :height, :width]


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
        clone (Collection[Tap]): Taps whose tensor a later layer overwrites in
            place: the network goes on with a copy. Defaults to none.
        grids (Collection[str]): Paths of modules whose maps have the places
            of later tokens. Defaults to none.

    Attributes:
        features (Features): The tensors, one for each call (the one call of
            taps that name one, when the block has ended).
        counts (Counter): How often each tap's module was called.
        without_grad (set[Tap]): Taps that were recorded where autograd was
            switched off only. Of others, such calls are left out where
            autograd is on around them: a sampler that looks at scores (PISA)
            is no part of the loss.
    """

    def __init__(
        self,
        model: nn.Module,
        taps: Sequence[Tap],
        num_calls: dict[Tap, int] | None = None,
        clone: Collection[Tap] = (),
        grids: Collection[str] = (),
    ) -> None:
        self.model = model
        self.taps = list(dict.fromkeys(taps))
        self.num_calls = num_calls
        self.clone = clone
        self.grids = grids
        self.features = Features()
        self._versions: dict[Tap, list[int]] = {}
        self._handles: list = []

    def __enter__(self) -> 'Recorder':
        self.features = Features(self.taps)
        self._versions = {tap: [] for tap in self.taps}
        self._with_grad: dict[Tap, list[bool]] = {tap: [] for tap in self.taps}
        self._maps: dict[str, Places] = {}
        self.counts: Counter[Tap] = Counter()
        self.without_grad: set[Tap] = set()
        for path in self.grids:
            module = self.model.get_submodule(path)
            handle = module.register_forward_hook(
                lambda _, args, out, path=path: self._see_map(path, out)
            )
            self._handles.append(handle)
        for tap in self.taps:
            module = self.model.get_submodule(tap.path)
            if tap.source == 'input':
                handle = module.register_forward_pre_hook(
                    lambda _, args, kwargs, tap=tap: self._record_input(tap, args, kwargs),
                    with_kwargs=True,
                )
            else:
                handle = module.register_forward_hook(
                    lambda _, args, kwargs, out, tap=tap: self._record(
                        tap, out, tap.index, (out, *args, *kwargs.values())
                    ),
                    with_kwargs=True,
                )
            self._handles.append(handle)
        return self

    def __exit__(self, exc_type, exc, traceback) -> bool:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if exc_type not in (None, ForwardStopped):
            return False
        for tap, with_grad in self._with_grad.items():
            if any(with_grad):
                self._keep(tap, [i for i, on in enumerate(with_grad) if on])
            elif with_grad:
                self.without_grad.add(tap)
            if tap.call is not None and with_grad:
                self._keep_call(tap, tap.call)
        return True

    def _keep(self, tap: Tap, calls: list[int]) -> None:
        several: tuple[dict, ...] = (self.features, self.features.places, self._versions)
        for records in several:
            records[tap] = [records[tap][i] for i in calls]

    def _keep_call(self, tap: Tap, call: int) -> None:
        count = len(self.features[tap])
        if not -count <= call < count:
            raise TapError(
                f"The layer '{tap}' does not exist: '{tap.path}' is called {count} times."
            )
        self._keep(tap, [call])

    def _see_map(self, path: str, out: Any) -> None:
        if isinstance(out, Tensor) and out.dim() == 4:
            self._maps.pop(path, None)  # the latest is the last
            self._maps[path] = Places([tuple(out.shape[-2:])], path)

    def _record_input(self, tap: Tap, args: tuple, kwargs: dict) -> tuple | None:
        position = tap.index or 0
        if not -len(args) <= position < len(args):
            raise TapError(
                f"The layer '{tap}' does not exist: '{tap.path}' is called "
                f'with {len(args)} positional inputs; name one of them, '
                'counted from 0, or another layer.'
            )
        value = args[position]
        changed = self._record(tap, value, None, (value, *args, *kwargs.values()))
        if changed is None:
            return None
        args = list(args)
        args[position] = changed
        return tuple(args), kwargs

    def _record(self, tap: Tap, value: Any, index: int | None, call: tuple) -> Any:
        """Keep a tensor; return what the network goes on with, if it changes."""
        feature = tap.pick(value)
        self.features[tap].append(feature)
        if index is not None and isinstance(value, Tensor):
            self.features.levels[tap] = index
        places = []
        if feature.dim() == 3:
            places = [*places_in_call(call), *reversed(self._maps.values())]
        self.features.places[tap].append(places)
        self._with_grad[tap].append(torch.is_grad_enabled())
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
        index = index or 0
        if tap.item is not None and isinstance(items[index], (tuple, list)):
            inner = list(items[index])
            inner[tap.item] = feature.clone()
            items[index] = type(items[index])(inner)
        else:
            items[index] = feature.clone()
        return type(value)(items)

    def overwritten(self) -> list[Tap]:
        """List taps whose recorded tensor was changed in place afterwards."""
        return [
            tap
            for tap, features in self.features.items()
            if any(f._version != v for f, v in zip(features, self._versions[tap]))
        ]
