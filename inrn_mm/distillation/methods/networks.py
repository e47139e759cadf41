"""A network as methods see it: its stages and levels, with their strides."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from torch import nn

from ..heads import Logits, find_logits
from ..layouts import Size
from ..probe import USUAL_SIZES, TapUnreached, likely_channels, named_sizes, probe_blank, run_until
from ..taps import Layer, Tap, TapError, list_stages

# the larger one tells strides of 64 and 128 apart, which only necks have;
# networks of a fixed size are asked for theirs
SMALL, LARGE = (64, 64), (128, 128)
# what backbones of transformers call their blocks
_BLOCKS = ('layers', 'blocks')


@dataclass(frozen=True)
class Place:
    """A layer that gives maps of the image.

    Args:
        layer (int | str): Its name, as :meth:`Tap.parse` reads it.
        stride (float): Pixels of the image along one side of a place.
        channels (int): Their number.
    """

    layer: Layer
    stride: float
    channels: int


@dataclass
class Network:
    """What a method can compare of a network.

    Args:
        net (nn.Module): The network, as it is built.
        role (str): What it is called in messages, ``'student'`` or
            ``'teacher'``. Defaults to ``'student'``.
        class_map (Sequence[int], optional): For each class of the student its
            number in this network, -1 for none. Defaults to None, the same
            classes.
    """

    net: nn.Module
    role: str = 'student'
    class_map: Sequence[int] | None = None
    _sizes: list[Size] = field(init=False, repr=False)
    _channels: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        preprocessor = getattr(self.net, 'data_preprocessor', None)
        divisor = int(getattr(preprocessor, 'pad_size_divisor', None) or 1)
        small = tuple(math.ceil(side / divisor) * divisor for side in SMALL)  # whole patches
        self._sizes = [small, *named_sizes(self.net), *USUAL_SIZES]
        self._channels = list(likely_channels(self.net))

    @property
    def name(self) -> str:
        """The network's class."""
        return type(self.net).__name__

    @property
    def task(self) -> str:
        """``'two-stage'``, ``'dense'``, ``'segmentation'``,
        ``'classification'`` or, without a head, ``'features'``."""
        kinds = dict(roi_head='two-stage', bbox_head='dense', decode_head='segmentation')
        found = (kind for head, kind in kinds.items() if self._has(head))
        return next(found, 'classification' if self.embedding else 'features')

    @property
    def is_small(self) -> bool:
        """Whether the network is made for small images, such as CIFAR's: its
        first stage has a place for each pixel."""
        return bool(self.stages) and self.stages[0].stride < 2

    @cached_property
    def stages(self) -> list[Place]:
        """Stages of the backbone that give maps, from shallow to deep; of a
        transformer that gives vectors, its blocks."""
        numbers = list_stages(self.net)
        if numbers is None:
            path = 'backbone'
            numbers = list(range(self._count(path))) if self._has(path) else []
        places = self._places(numbers)
        if places or not numbers:
            return places
        path = 'backbone.' if self._has('backbone') else ''
        backbone = self.net.get_submodule(path.rstrip('.'))
        blocks = next((name for name in _BLOCKS if hasattr(backbone, name)), None)
        if blocks is None:
            return []
        return self._places([f'{path}{blocks}.{i}' for i in range(len(getattr(backbone, blocks)))])

    @cached_property
    def levels(self) -> list[Place]:
        """Levels of the neck that give maps, from shallow to deep."""
        if not self._has('neck'):
            return []
        layers = [f'neck[{i}]' for i in range(self._count('neck'))]
        return self._places(layers, [LARGE, *self._sizes])

    @cached_property
    def logits(self) -> Logits | None:
        """The class logits; None if they are not known."""
        return find_logits(self.net)

    @property
    def embedding(self) -> str | None:
        """The layer of the vector that a classifier's logits are made of."""
        if self.logits is None or self.logits.kind != 'classification':
            return None
        return f'{self.logits.layers[0]}:input'

    def runs_once(self, path: str) -> bool:
        """Tell whether a module runs once in the block that it is in.

        Args:
            path (str): Path of the module.
        """
        calls: list[int] = []
        handle = self.net.get_submodule(path).register_forward_pre_hook(lambda *_: calls.append(1))
        run_until(self.net, path.rpartition('.')[0], self._sizes, self._channels)
        handle.remove()
        return len(calls) == 1

    def _has(self, path: str) -> bool:
        return isinstance(getattr(self.net, path, None), nn.Module)

    def _count(self, path: str) -> int:
        out = run_until(self.net, path, self._sizes, self._channels)
        return len(out) if isinstance(out, (tuple, list)) else int(out is not None)

    def _places(self, layers: Sequence[Layer], sizes: Sequence[Size] = ()) -> list[Place]:
        """Look at layers, and leave out those that give no maps."""
        taps = [Tap.parse(layer, self.net) for layer in layers]
        try:
            seen = probe_blank(self.net, taps, sizes or self._sizes, self._channels)
        except TapUnreached:
            return []
        places = []
        for layer, tap in zip(layers, taps):
            try:
                maps = seen.features.maps(tap, seen.layout(tap))
            except TapError:
                continue
            if len(maps) == 1 and maps[0].dim() == 4:
                stride = seen.size[0] / maps[0].shape[2]
                places.append(Place(layer, stride, maps[0].shape[1]))
        return places
