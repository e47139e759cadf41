"""Running a network once on a blank image, to see what its layers give."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from .layouts import Layout, Size, find_layout, follows
from .recorder import Features, ForwardStopped, Recorder
from .taps import Tap, TapError

# of networks that name no size: ImageNet's and CIFAR's
USUAL_SIZES = ((224, 224), (32, 32))


@dataclass
class Probe:
    """What a network did with one image.

    Args:
        net (nn.Module): The network.
        channels (int): Channels of the image.
        features (Features): What each tap gave.
        num_calls (dict[Tap, int]): How often each tap's module was called.
        clone (list[Tap]): Taps that a later layer overwrites in place.
        grids (set[str]): Modules whose maps tell the places of tokens, of
            the layouts that were asked for.
    """

    net: nn.Module
    channels: int
    features: Features
    num_calls: dict[Tap, int]
    clone: list[Tap]
    grids: set[str] = field(default_factory=set)
    _twice: 'Probe | None' = None

    @property
    def size(self) -> Size:
        """Height and width of the image."""
        return self.features.size

    def layout(self, tap: Tap, own_images: bool = True) -> Layout:
        """Find how a tap's tensors become maps, see :func:`find_layout`.

        What the first image leaves open, another of twice the size decides.
        """
        features = self.features
        layout = find_layout(
            tap,
            features[tap][0],
            features.places[tap][0],
            features.size,
            self.net,
            own_images,
            features.levels.get(tap),
        )
        if layout.source:
            self.grids.add(layout.source)
        if layout.unsure and not self._follows(layout, tap):
            raise TapError(
                f"The layer '{tap}' of {type(self.net).__name__} gives the shape "
                f'{tuple(features[tap][0].shape)}, which does not follow the size of the image: '
                'name a layer that gives a map.'
            )
        return layout

    def _follows(self, layout: Layout, tap: Tap) -> bool:
        if self._twice is None:
            size = tuple(2 * side for side in self.size)
            try:
                self._twice = probe_blank(self.net, list(self.features), [size], [self.channels])
            except TapUnreached:  # a network of one size
                self._twice = self
        if self._twice is self:
            return True
        other = self._twice.features
        return follows(
            layout, self.features[tap][0], other[tap][0], other.places[tap][0], other.size
        )


@torch.no_grad()
def probe(net: nn.Module, taps: Sequence[Tap], inputs: Tensor, data_samples: list | None) -> Probe:
    """Run a network on a small batch and look at its taps.

    The run ends when all taps have fired and a part of the network begins
    that has none: detection heads are slow on a blank image.

    Args:
        net (nn.Module): The network; its mode and random state stay.
        taps (Sequence[Tap]): The taps.
        inputs (Tensor): A batch ``(N, C, H, W)``.
        data_samples (list, optional): Its data samples.

    Returns:
        Probe: What was seen.

    Raises:
        TapError: If a tap is not reached, with the cause.
    """
    failure = None
    recorder = Recorder(net, taps, grids=[name for name, _ in net.named_modules() if name])

    def stop(*_) -> None:
        if all(recorder.features.values()):
            raise ForwardStopped

    tapped = {tap.path.split('.')[0] for tap in taps}
    handles = [
        child.register_forward_pre_hook(stop)
        for name, child in net.named_children()
        if name not in tapped and '' not in tapped
    ]
    try:
        with evaluating(net), recorder:
            run(net, inputs, data_samples)
    except TapError:
        raise
    except Exception as error:  # heads may not take a blank image
        failure = error
    finally:
        for handle in handles:
            handle.remove()
    silent = [str(tap) for tap in taps if not recorder.features[tap]]
    if silent:
        cause = f': it ends in {type(failure).__name__} ({failure})' if failure else ''
        raise TapUnreached(
            f'The forward of {type(net).__name__} on images of shape {tuple(inputs.shape)} does '
            f"not reach the layer '{silent[0]}'{cause}."
        ) from failure
    recorder.features.size = tuple(inputs.shape[-2:])
    return Probe(
        net, inputs.shape[1], recorder.features, dict(recorder.counts), recorder.overwritten()
    )


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Put a network into eval mode for a while, and leave the random state.

    Args:
        net (nn.Module): The network; the modes of its modules come back.
    """
    training = {module: module.training for module in net.modules()}
    nn.Module.train(net, False)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for module, mode in training.items():
            module.training = mode


@torch.no_grad()
def run_until(net: nn.Module, path: str, sizes: Iterable[Size], channels: Iterable[int]) -> Any:
    """Run a network on a blank image up to one of its modules.

    Args:
        net (nn.Module): The network.
        path (str): Path of the module.
        sizes (Iterable[tuple[int, int]]): Heights and widths to try.
        channels (Iterable[int]): Numbers of channels to try.

    Returns:
        object: What the module gives; None if no image leads to it.
    """
    found: list = []

    def stop(_, args, out) -> None:
        found.append(out)
        raise ForwardStopped

    like = next(iter(net.parameters()), torch.zeros(()))
    channels = list(dict.fromkeys(channels))
    handle = net.get_submodule(path).register_forward_hook(stop)
    try:
        for size in dict.fromkeys(sizes):
            for number in channels:
                with evaluating(net), suppress(Exception):  # of another size or number
                    run(net, like.new_zeros(1, number, *size), blank_samples(size))
                if found:
                    return found[0]
    finally:
        handle.remove()
    return None


class TapUnreached(TapError):
    """A layer that a forward did not come to."""


def probe_blank(
    net: nn.Module, taps: Sequence[Tap], sizes: Iterable[Size], channels: Iterable[int]
) -> Probe:
    """Probe a network on blank images, the first that it takes.

    Args:
        net (nn.Module): The network.
        taps (Sequence[Tap]): The taps.
        sizes (Iterable[tuple[int, int]]): Heights and widths to try.
        channels (Iterable[int]): Numbers of channels to try.

    Returns:
        Probe: What was seen.

    Raises:
        TapUnreached: If no image leads to all taps; with what went wrong on
            the first one.
    """
    errors = []
    like = next(iter(net.parameters()), torch.zeros(()))
    channels = list(dict.fromkeys(channels))
    for size in dict.fromkeys(sizes):
        for number in channels:
            image = like.new_zeros(1, number, *size)
            try:
                return probe(net, taps, image, blank_samples(size))
            except TapUnreached as error:
                errors.append(error)
    raise errors[0]


def blank_samples(size: Size) -> list[BaseDataElement]:
    """Make data samples of one image that fills its batch."""
    names = ('img_shape', 'ori_shape', 'pad_shape', 'batch_input_shape')
    meta = dict.fromkeys(names, size)
    return [BaseDataElement(metainfo=dict(meta, scale_factor=(1.0, 1.0)))]


def run(net: nn.Module, inputs: Tensor, data_samples: list | dict | None) -> Any:
    """Run a network, one of mmengine's kind in its ``'tensor'`` mode.

    Args:
        net (nn.Module): A ``BaseModel``, or any network of images.
        inputs (Tensor): Images ``(N, C, H, W)``.
        data_samples (list | dict, optional): Their data samples.
    """
    parameters = signature(net.forward).parameters
    kinds = {p.kind for p in parameters.values()}
    # what passes all on (mmpretrain's LoRAModel) passes these on
    if 'mode' in parameters or {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD} <= kinds:
        with head_called(net):
            return net(inputs, data_samples, mode='tensor')
    return net(inputs)


@contextmanager
def head_called(net: nn.Module) -> Iterator[None]:
    """Let the hooks of mmdet's one-stage heads see what these give.

    In ``'tensor'`` mode mmdet's detectors run ``bbox_head.forward``, past the
    hooks, and in ``'loss'`` mode the head itself.

    Args:
        net (nn.Module): The network.
    """
    head = getattr(net, 'bbox_head', None)
    if not isinstance(head, nn.Module) or 'forward' in vars(head):
        yield
        return

    def call(*args, **kwargs) -> Any:
        del head.forward
        try:
            return head(*args, **kwargs)
        finally:
            head.forward = call

    head.forward = call
    try:
        yield
    finally:
        del head.forward


def named_sizes(net: nn.Module) -> Iterator[Size]:
    """List sizes of images that parts of a network were made for.

    mmpretrain and timm keep them as ``img_size``, Hugging Face in its
    ``config``, torchvision as ``image_size``, timm also as the
    ``input_size`` of its ``pretrained_cfg``.
    """
    for module in net.modules():
        held = vars(module)
        config = held.get('config')
        pretrained = held.get('pretrained_cfg')
        values = [held.get('img_size'), held.get('image_size'), held.get('input_size')]
        values.append(getattr(config, 'image_size', None))
        values.append(pretrained.get('input_size') if isinstance(pretrained, dict) else None)
        for value in values:
            value = (value, value) if isinstance(value, int) else value
            sides = value[-2:] if isinstance(value, (tuple, list)) else ()
            if len(sides) == 2 and all(isinstance(x, int) and x >= 8 for x in sides):
                yield tuple(sides)


def needed_divisor(net: nn.Module, taps: Sequence[Tap], side: int, channels: int) -> int:
    """Find what the sides of a network's images must be multiples of.

    Necks that put an enlarged map on another want sizes that their
    training pipeline pads to, which no data preprocessor tells.

    Args:
        net (nn.Module): A network.
        taps (Sequence[Tap]): Layers that are wanted.
        side (int): Height and width of images that it takes.
        channels (int): Channels of the images.

    Returns:
        int: A power of two; 1 where none up to 128 helps.
    """
    for divisor in (1, 2, 4, 8, 16, 32, 64, 128):
        odd = side // divisor // 2 * 2 + 1
        try:
            probe_blank(net, taps, [(odd * divisor, (odd + 2) * divisor)], [channels])
        except TapUnreached:
            continue
        return divisor
    return 1


def likely_channels(net: nn.Module) -> Iterator[int]:
    """List numbers of channels that a network's images may have, three first."""
    yield 3
    first = next((m.in_channels for m in net.modules() if isinstance(m, nn.Conv2d)), None)
    if first is not None:
        yield first
        if first % 4 == 0:
            yield first // 4  # YOLOX' stem puts 2 x 2 pixels into one
    yield 1
