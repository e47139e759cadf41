"""Teachers of timm."""

import math
from typing import Any

from mmengine.registry import MODELS
from torch import nn

from .adapted import AdaptedModel, need, unknown, unreachable

# by which transformers take images of other sizes than those they were made for
_ANY_SIZE: tuple[dict, ...] = (dict(dynamic_img_size=True), dict(strict_img_size=False), {})


@MODELS.register_module()
class TimmModel(AdaptedModel):
    """A network of timm, with the mean, std and size of its ``pretrained_cfg``.

    The stages are those of its ``feature_info``; a ViT's are its blocks.

    Args:
        name (str): Its name, with the tag of its weights or without one.
        data_preprocessor (dict, optional): What replaces entries of its own.
            Defaults to None.

    Raises:
        ValueError: If timm is not installed or has no such network.
    """

    def __init__(self, name: str, data_preprocessor: dict | None = None) -> None:
        timm = need('timm', f'timm::{name}')
        if not timm.is_model(name):
            raise unknown(name, 'timm', timm.list_models())
        self.name = name
        net = _create(timm, name)
        cfg = net.pretrained_cfg
        scaled = {key: [255 * x for x in cfg[key]] for key in ('mean', 'std')}
        super().__init__(
            net,
            [info['module'] for info in getattr(net, 'feature_info', ())],
            dict(scaled, pad_size_divisor=_patch(net)),
            data_preprocessor,
            published=f'timm::{name}',
        )

    def published_state(self) -> dict:
        """Fetch the weights, into timm's own cache."""
        try:
            return _create(need('timm', self.published), self.name, pretrained=True).state_dict()
        except Exception as error:  # of the hub's client, which has many
            raise unreachable(self.published, error) from error


def _create(timm: Any, name: str, pretrained: bool = False) -> nn.Module:
    for options in _ANY_SIZE:
        try:
            return timm.create_model(name, pretrained=pretrained, **options)
        except TypeError:
            if not options:
                raise
    raise AssertionError


def _patch(net: nn.Module) -> int:
    """Find the side of a transformer's patches, which images are padded to."""
    patch = getattr(getattr(net, 'patch_embed', None), 'patch_size', 1)
    side = math.lcm(*patch) if isinstance(patch, (tuple, list)) else int(patch)
    # patches that overlap (PVT) need no whole number
    strides = [info['reduction'] for info in getattr(net, 'feature_info', ())]
    return side if side in strides[:1] else 1
