"""Networks as they are exported: bytes in, results out."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .candidates import DenseCandidates
from .pixels import PixelInput
from .regions import RegionHeads


class ExportedNetwork(nn.Module):
    """A network with its input and its results, without anything that depends on data.

    Attributes:
        task (str): ``'detection'``, ``'instances'`` or ``'classification'``.
        outputs (list[str]): Names of what :meth:`forward` returns.
    """

    task = ''
    outputs: Sequence[str] = ()


class ExportedDetector(ExportedNetwork):
    """A detector.

    Args:
        model (nn.Module): A detector of mmdet, with a ``bbox_head`` or with ``rpn_head`` and
            ``roi_head``.
        any_size (bool): Whether images of any size are taken. Defaults to False.

    Raises:
        ValueError: If it predicts in a way that is not known.
    """

    def __init__(self, model: Any, any_size: bool = False) -> None:
        super().__init__()
        self.pixels = PixelInput(model.data_preprocessor)
        self.backbone = model.backbone
        self.neck = model.neck if model.with_neck else nn.Identity()
        self.most = 0
        if hasattr(model, 'roi_head'):
            self.heads: nn.Module = RegionHeads(model.rpn_head, model.roi_head, any_size)
        else:
            self.heads = DenseCandidates(model.bbox_head, any_size)
            # YOLOX keeps all
            self.most = self.heads.settings.get('max_per_img', 300)
        masks = bool(getattr(self.heads, 'mask_heads', None))
        self.task = 'instances' if masks else 'detection'
        self.outputs = ['boxes', 'scores', 'labels'] + ['masks'] * masks

    def forward(self, images: Tensor, shape: Tensor) -> tuple[Tensor, ...]:
        """Detect.

        Args:
            images (Tensor): ``(N, H, W, 3)``, BGR of 0 to 255.
            shape (Tensor): ``(2, )``, height and width of the images within.

        Returns:
            tuple[Tensor, ...]: Boxes ``(N, K, 4)`` of x1, y1, x2, y2 in pixels of
            ``images``, scores ``(N, K)``, 0 where there is no object, labels
            ``(N, K)``, -1 there, and masks ``(N, K, h, w)`` of shares within
            the boxes, of a network that has them.
        """
        features = self.neck(self.backbone(self.pixels(images, shape)))
        found = self.heads(features, shape)
        if self.most:
            settings = self.heads.settings
            found = [candidates.best(settings['nms'], 0.0, self.most) for candidates in found]
        return tuple(torch.stack(x) for x in zip(*found))


class ExportedClassifier(ExportedNetwork):
    """A classifier.

    Args:
        model (nn.Module): A classifier of mmpretrain, whose ``forward`` gives logits.
    """

    task = 'classification'
    outputs = ('scores',)

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.pixels = PixelInput(model.data_preprocessor)
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Compute the share of each class, ``(N, C)``, of images ``(N, H, W, 3)``."""
        logits = self.model(self.pixels(images), mode='tensor')
        return (logits[-1] if isinstance(logits, (tuple, list)) else logits).softmax(1)


def make_exported(model: Any, any_size: bool = False) -> ExportedNetwork:
    """Make the network that is exported of a model.

    Args:
        model (nn.Module): A detector of mmdet or a classifier of mmpretrain,
            in evaluation mode; changed: norms of an INRN are folded.
        any_size (bool): Whether a detector takes images of any size.
            Defaults to False.

    Returns:
        ExportedNetwork: With the same weights.

    Raises:
        ValueError: If the model is of another kind, or predicts in a way
            that is not known.
    """
    for module in list(model.modules()):
        if hasattr(module, 'switch_to_deploy'):
            module.switch_to_deploy()
    if hasattr(model, 'bbox_head') or (hasattr(model, 'roi_head') and hasattr(model, 'rpn_head')):
        return ExportedDetector(model, any_size)
    if type(model).__name__ == 'ImageClassifier':
        return ExportedClassifier(model)
    raise ValueError(
        f'{type(model).__name__} cannot be exported: detectors of mmdet with a bbox_head or with '
        "rpn_head and roi_head, and mmpretrain's ImageClassifier can."
    )
