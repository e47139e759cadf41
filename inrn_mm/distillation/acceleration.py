"""Running a frozen network faster, as long as its features stay the same."""

import contextlib
import copy
import logging
from collections.abc import Callable, Iterator, Sequence

import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .taps import Tap

Features = dict[Tap, list[Tensor]]
Forward = Callable[[nn.Module], Features]


class Acceleration:
    """How the teacher's forward is made faster.

    Each option is tried on the first batch and kept if all features that are
    asked for stay what they were: their cosine with those of the plain
    network in float32 must reach ``min_cosine`` on all ranks. An option that
    fails is left out, with a warning.

    Args:
        fold_bn (bool): Fold batch norms into the convolutions before them;
            exact up to rounding. Layers that are tapped are left alone.
            Defaults to False.
        channels_last (bool): Keep channels last in memory; exact up to
            rounding. Defaults to False.
        dtype (str, optional): Run under autocast to ``'bfloat16'`` or
            ``'float16'``. Defaults to None, the type that the student's
            forward runs in.
        compile (bool | dict): Compile the parts between the tapped layers, by
            ``torch.compile`` with these arguments. The first batches of new
            sizes wait for the compiler. Defaults to False.
        min_cosine (float): The gate. Defaults to 0.999.

    Raises:
        ValueError: If the type is another one.
    """

    def __init__(
        self,
        fold_bn: bool = False,
        channels_last: bool = False,
        dtype: str | None = None,
        compile: bool | dict = False,
        min_cosine: float = 0.999,
    ) -> None:
        if dtype not in (None, 'bfloat16', 'float16'):
            raise ValueError(
                f"The teacher's dtype must be 'bfloat16', 'float16' or None, got {dtype!r}."
            )
        self.compile: dict = compile if isinstance(compile, dict) else {}
        self.min_cosine = min_cosine
        wanted = dict(
            fold_bn=fold_bn, channels_last=channels_last, dtype=dtype, compile=compile is not False
        )
        self.pending = [name for name, on in wanted.items() if on]
        self.active: list[str] = []
        self._dtype = dtype and getattr(torch, dtype)

    def fit(self, net: nn.Module, forward: Forward, taps: Sequence[Tap]) -> nn.Module:
        """Try the pending options on a batch.

        Args:
            net (nn.Module): The plain network; it stays as it is.
            forward (Callable): Runs a network on the batch and returns the
                features.
            taps (Sequence[Tap]): All that will ever be asked for.

        Returns:
            nn.Module: A network with the options that passed, or the plain
            one.
        """
        with torch.autocast(_device(net), enabled=False):
            plain = forward(net)
        pending, self.pending = self.pending, []
        for name in pending:
            trial = net
            if name != 'dtype':
                trial = getattr(self, f'_{name}')(copy.deepcopy(net), taps)
            self.active.append(name)
            try:
                fast = forward(trial)
            except Exception as error:  # a layer without such a kernel
                print_log(
                    f'The teacher does not run with {name} ({type(error).__name__}: {error}).',
                    'current',
                    logging.WARNING,
                )
                fast = {tap: [torch.zeros_like(x) for x in calls] for tap, calls in plain.items()}
            cosine = self._agreement(plain, fast)
            if cosine >= self.min_cosine:
                net = trial
                print_log(
                    f"The teacher's {name} is on: the cosine of its features "
                    f'with the plain ones is at least {cosine:.6f}.',
                    'current',
                )
            else:
                self.active.remove(name)
                print_log(
                    f"The teacher's {name} is off: the cosine of its "
                    f'features with the plain ones is {cosine:.6f}, below '
                    f'{self.min_cosine}.',
                    'current',
                    logging.WARNING,
                )
        return net

    @contextlib.contextmanager
    def context(self, net: nn.Module) -> Iterator[None]:
        """Set the type that the network runs in."""
        if 'dtype' not in self.active:
            yield
            return
        with torch.autocast(_device(net), self._dtype):
            yield

    def convert(self, inputs: Tensor) -> Tensor:
        """Put a batch ``(N, C, H, W)`` into the memory layout of the network."""
        if 'channels_last' in self.active and inputs.dim() == 4:
            return inputs.contiguous(memory_format=torch.channels_last)
        return inputs

    @staticmethod
    def _agreement(plain: Features, fast: Features) -> float:
        """Compute the smallest cosine of all features and ranks."""
        lowest = torch.stack(
            [_cosine(a, b) for tap in plain for a, b in zip(plain[tap], fast[tap])]
        ).min()
        all_reduce(lowest, 'min')
        return lowest.item()

    @staticmethod
    def _fold_bn(net: nn.Module, taps: Sequence[Tap]) -> nn.Module:
        from mmcv.cnn import fuse_conv_bn

        # mmcv's folding sees neither what is tapped nor bare norms
        hidden = {tap.path for tap in taps}
        hidden.update(
            path
            for path, module in net.named_modules()
            if isinstance(module, _BatchNorm)
            and (module.weight is None or module.running_mean is None)
        )
        kept = {}
        for path in hidden:
            module = net.get_submodule(path)
            if isinstance(module, (_BatchNorm, nn.Conv2d)):
                kept[path] = module
                _replace(net, path, nn.Identity())
        with torch.no_grad():
            fuse_conv_bn(net)
        for path, module in kept.items():
            _replace(net, path, module)
        net.eval()
        return net.requires_grad_(False)

    @staticmethod
    def _channels_last(net: nn.Module, taps: Sequence[Tap]) -> nn.Module:
        return net.to(memory_format=torch.channels_last)

    def _compile(self, net: nn.Module, taps: Sequence[Tap]) -> nn.Module:
        for module in _parts(net, {tap.path for tap in taps}):
            # not the module: hooks stay outside of what is compiled
            module.forward = torch.compile(module.forward, **self.compile)
        return net


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    """Compute the cosine of two features; -1 for NaN or different shapes."""
    if a.shape != b.shape:
        return a.new_tensor(-1.0, dtype=torch.float64)
    a, b = a.double().flatten(), b.double().flatten()
    norms = a.norm() * b.norm()
    # nothing but zeros on both sides agree
    cosine = torch.where(a.norm() + b.norm() > 0, a @ b / norms, 1.0)
    return cosine.nan_to_num(-1.0)


def _device(net: nn.Module) -> str:
    return next((p.device.type for p in net.parameters()), 'cpu')  # ONNX files have none


def _replace(net: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition('.')
    net.get_submodule(parent)._modules[name] = module


def _parts(net: nn.Module, tapped: set, path: str = '') -> Iterator[nn.Module]:
    """Find the largest modules that have no tapped module inside."""
    for name, child in net.named_children():
        inner = f'{path}{name}.'
        if any(tap.startswith(inner) for tap in tapped) or isinstance(
            child, (nn.ModuleList, nn.ModuleDict)
        ):
            yield from _parts(child, tapped, inner)
        elif any(True for _ in child.children()):
            yield child
