"""Parameters, FLOPs and activations of a network, without data on disk.

One multiply-add counts as one FLOP, as in mmengine, fvcore and the papers of
this field. Norms, resizing and average pooling are counted; activation
functions, residual additions, max-pooling and NMS are not. "Activations" are
the elements that convolutions and matrix products put out.
"""

import torch
from mmengine.analysis import ActivationAnalyzer, FlopAnalyzer
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..utils.config_types import init_scope, model_package
from .config_file import read_config

Counts = dict[str, float]


class Classifier(nn.Module):
    """A backbone, global average pooling and a linear layer.

    Args:
        backbone (nn.Module): With ``out_channels``.
        num_classes (int): Number of classes. Defaults to 1000.
    """

    def __init__(self, backbone: nn.Module, num_classes: int = 1000) -> None:
        super().__init__()
        self.backbone = backbone
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(backbone.out_channels[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Compute logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        return self.fc(self.pool(self.backbone(x)[-1]).flatten(1))


def count(model: nn.Module, *inputs: Tensor) -> Counts:
    """Count one forward of a network.

    Args:
        model (nn.Module): Set to eval mode.
        *inputs (Tensor): Arguments of its forward; batch size 1.

    Returns:
        dict: ``params``, ``flops`` and ``activations``.
    """
    flops, activations = _analyzers(model, inputs)
    return dict(
        params=sum(p.numel() for p in model.parameters()),
        flops=flops.total(),
        activations=activations.total(),
    )


def count_without_data(model: nn.Module, *inputs: Tensor) -> Counts:
    """Count, as :func:`count` does, a network and inputs on the meta device.

    Nothing is computed, so that large frames cost no time. mmengine's counters
    do not serve: they trace the network, which meta tensors do not allow.

    Args:
        model (nn.Module): On the meta device.
        *inputs (Tensor): Arguments of its forward, there too.

    Returns:
        dict: ``params``, ``flops`` and ``activations``.
    """
    sizes = []
    hooks = [
        layer.register_forward_hook(lambda layer, args, output: sizes.append(output.numel()))
        for layer in model.modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*inputs)
    for hook in hooks:
        hook.remove()
    return dict(
        params=sum(p.numel() for p in model.parameters()),
        flops=counter.get_total_flops() / 2,  # it counts both operations
        activations=sum(sizes),
    )


def count_config(config: str, shape: tuple[int, int] | None = None) -> dict[str, Counts]:
    """Count a config's model and the parts of it.

    Detectors run on random images and weights, a two-stage detector's heads
    on as many random proposals as its ``test_cfg`` lets through. A distiller
    counts as its student.

    Args:
        config (str): Config file.
        shape (tuple[int, int], optional): Height and width of the image.
            Defaults to None: (800, 1280) for mmdet, (224, 224) otherwise.

    Returns:
        dict: Counts of each top-level module by its name, and of all of them
        as ``'whole model'``.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it cannot be read.
    """
    cfg = read_config(config)
    init_scope(cfg)
    detector = model_package(cfg) == 'mmdet'
    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    shape = shape or ((800, 1280) if detector else (224, 224))
    model.eval()
    whole = _Tensors(model, _detector_samples(shape) if detector else None)
    flops, activations = _analyzers(whole, (torch.rand(1, 3, *shape),))
    parts = {
        name: dict(
            params=sum(p.numel() for p in part.parameters()),
            flops=_inclusive(flops.by_module(), f'model.{name}'),
            activations=_inclusive(activations.by_module(), f'model.{name}'),
        )
        for name, part in model.named_children()
        if name not in ('data_preprocessor', 'distill_losses')
    }
    parts['whole model'] = dict(
        params=sum(part['params'] for part in parts.values()),
        flops=flops.total(),
        activations=activations.total(),
    )
    return parts


def _detector_samples(shape: tuple[int, int]) -> list:
    """Describe an image to a detector: one of this height and width, unscaled."""
    from mmdet.structures import DetDataSample

    shapes = dict.fromkeys(('img_shape', 'ori_shape', 'pad_shape', 'batch_input_shape'), shape)
    return [DetDataSample(metainfo=dict(shapes, scale_factor=(1.0, 1.0)))]


class _Tensors(nn.Module):
    """A model in the mode in which it returns plain tensors."""

    def __init__(self, model: nn.Module, samples: list | None) -> None:
        super().__init__()
        self.model = model
        self.samples = samples

    def forward(self, inputs: Tensor) -> object:
        return self.model(inputs, self.samples, mode='tensor')


def _analyzers(model: nn.Module, inputs: tuple) -> tuple[FlopAnalyzer, ActivationAnalyzer]:
    model.eval()
    analyzers = FlopAnalyzer(model, inputs), ActivationAnalyzer(model, inputs)
    for analyzer in analyzers:
        analyzer.unsupported_ops_warnings(False)
        analyzer.uncalled_modules_warnings(False)
        analyzer.tracer_warnings('none')
    return analyzers


def _inclusive(counts: dict[str, float], name: str) -> float:
    """Read a module's count, or sum its children's.

    A RoI head is never called itself, only its children are.
    """
    if counts.get(name, 0) > 0:
        return counts[name]
    children = [
        key for key in counts if key.startswith(f'{name}.') and '.' not in key[len(name) + 1 :]
    ]
    return sum(_inclusive(counts, child) for child in children)
