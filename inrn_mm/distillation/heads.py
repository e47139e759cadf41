"""Where the class logits of a network are."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

# linear layers and convolutions end heads
_LAST = (nn.Linear, nn.Conv2d)


@dataclass(frozen=True)
class Logits:
    """The class logits of a network.

    Args:
        kind (str): ``'classification'``; ``'two-stage'``, of regions, with one
            layer or, of a cascade, one for each stage; ``'dense'``, of all
            places, one layer for each level; ``'queries'``, of a transformer's
            decoder; or ``'segmentation'``, of all pixels.
        layers (tuple[str]): Their layers.
        num_classes (int): Number of classes, without the background.
        sigmoid (bool): Whether each class is scored on its own. Defaults to
            False, a softmax.
        strides (tuple[int]): Pixels between two places of each level.
            Defaults to none.
        anchors (int): How many boxes are scored at a place. Defaults to 1.
        labels (tuple[str]): Layers that are fed the label of each row, one for
            each of the logits. Defaults to none, where data samples have them
            or rows have no label.
        boxes (tuple[str]): Layers of the boxes, one for each of the logits,
            where they are distributions (GFL) or queries. Defaults to none.
    """

    kind: str
    layers: tuple[str, ...]
    num_classes: int
    sigmoid: bool = False
    strides: tuple[int, ...] = ()
    anchors: int = 1
    labels: tuple[str, ...] = ()
    boxes: tuple[str, ...] = ()


def find_logits(net: nn.Module) -> Logits | None:
    """Find the class logits of a network.

    Args:
        net (nn.Module): A classifier of mmpretrain, detector of mmdet or
            segmentor of mmsegmentation, or another of their build.

    Returns:
        Logits | None: Where they are; None if it has none, or a head that
        scores otherwise (corners, YOLOv3).
    """
    if _module(net, 'roi_head') is not None:
        return _of_regions(net.roi_head)
    if _module(net, 'bbox_head') is not None:
        return _of_queries(net) if hasattr(net, 'num_queries') else _of_places(net.bbox_head)
    if _module(net, 'decode_head') is not None:
        return _of_pixels(net.decode_head)
    return _of_images(net)


def _module(net: nn.Module, name: str) -> nn.Module | None:
    found = getattr(net, name, None)
    return found if isinstance(found, nn.Module) else None


def _of_images(net: nn.Module) -> Logits | None:
    if _module(net, 'head') is not None:
        path, last = 'head', None
    else:  # timm's and Hugging Face's classifiers, in a model of ours or mmpretrain's
        path, inner = 'model', _module(net, 'model')
        last = _classifier(inner) if inner is not None else None
        if last is None:
            return None
    linear = [
        (name, layer)
        for name, layer in net.get_submodule(path).named_modules(prefix=path)
        if isinstance(layer, nn.Linear) and last in (None, layer)
    ]
    if not linear:
        return None
    name, layer = linear[-1]
    return Logits('classification', (name,), layer.out_features)


def _classifier(net: nn.Module) -> nn.Module | None:
    """Find the layer that gives the classes of a network of timm or Hugging Face."""
    if hasattr(net, 'get_classifier'):
        return net.get_classifier()
    found = [
        layer
        for layer in net.modules()
        if isinstance(layer, nn.Linear) and layer.out_features == getattr(net, 'num_labels', 0)
    ]
    return found[-1] if found else None


def _of_regions(roi_head: nn.Module) -> Logits | None:
    heads = roi_head.bbox_head
    several = isinstance(heads, nn.ModuleList)
    paths = [f'.{i}' for i in range(len(heads))] if several else ['']
    first = heads[0] if several else heads
    # Sparse R-CNN's regions are its own queries
    if _module(first, 'fc_cls') is None or hasattr(roi_head, 'proposal_feature_channel'):
        return None
    path = 'roi_head.bbox_head{}.fc_cls'
    return Logits(
        'two-stage',
        tuple(path.format(part) for part in paths),
        first.num_classes,
        sigmoid=bool(getattr(first.loss_cls, 'use_sigmoid', False)),
        labels=tuple(f'roi_head.bbox_head{part}.loss_cls:input[1]' for part in paths),
    )


def _of_places(head: nn.Module) -> Logits | None:
    strides = _strides(head)
    anchors = getattr(head, 'num_base_priors', 1)
    if not strides or not hasattr(head, 'cls_out_channels') or not isinstance(anchors, int):
        return None
    levels = range(len(strides))
    distributions = hasattr(head, 'reg_max') and hasattr(head, 'loss_dfl')
    return Logits(
        'dense',
        tuple(f'bbox_head[0][{i}]' for i in levels),
        head.num_classes,
        sigmoid=head.cls_out_channels == head.num_classes,
        strides=strides,
        anchors=anchors,
        boxes=tuple(f'bbox_head[1][{i}]' for i in levels) if distributions else (),
    )


def _strides(head: nn.Module) -> tuple[int, ...]:
    found: Sequence = getattr(getattr(head, 'prior_generator', None), 'strides', None) or ()
    found = found or getattr(head, 'strides', ())
    return tuple(int(x[0] if isinstance(x, (tuple, list)) else x) for x in found)


def _of_queries(net: nn.Module) -> Logits | None:
    head = net.bbox_head
    if not hasattr(head, 'assigner') and not hasattr(head, 'loss_cls'):
        return None
    sigmoid = bool(getattr(head.loss_cls, 'use_sigmoid', False))
    return Logits('queries', ('bbox_head[0]',), head.num_classes, sigmoid, boxes=('bbox_head[1]',))


def _of_pixels(head: nn.Module) -> Logits | None:
    path = 'decode_head'
    if isinstance(head, nn.ModuleList):  # a cascade: the last decides
        head, path = head[-1], f'{path}.{len(head) - 1}'
    if not isinstance(getattr(head, 'conv_seg', None), _LAST):
        return None
    return Logits('segmentation', (f'{path}.conv_seg',), head.num_classes)
