"""Teachers of Hugging Face's transformers."""

from inspect import signature
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor

from ..probe import run_until
from .adapted import IMAGENET, AdaptedModel, need, unreachable
from .stages import find_stages


@MODELS.register_module()
class HFModel(AdaptedModel):
    """A vision network of Hugging Face, with the mean and std of its processor.

    Of a network of images and text (CLIP, SigLIP) it is the part that sees.

    Args:
        name (str): Its name at the hub, or the path of a folder with a
            ``config.json`` and, for training, ``model.safetensors``.
        data_preprocessor (dict, optional): What replaces entries of its own.
            Defaults to None.

    Raises:
        ConnectionError: If its config can be had neither from the hub nor its
            cache.
        ValueError: If transformers is not installed.
    """

    def __init__(self, name: str, data_preprocessor: dict | None = None) -> None:
        published = f'hf::{name}'
        hf = need('transformers', published)
        try:
            config = hf.AutoConfig.from_pretrained(name)
        except Exception as error:  # of the hub's client, which has many
            raise unreachable(published, error) from error
        config = getattr(config, 'vision_config', config)
        net = hf.AutoModel.from_config(config, dtype=torch.float32)
        self.name = name
        self.options: dict[str, Any] = {}
        if 'interpolate_pos_encoding' in signature(net.forward).parameters:
            self.options = dict(interpolate_pos_encoding=True)
        side = getattr(config, 'image_size', None)
        side = side[0] if isinstance(side, (tuple, list)) else side or 224
        patch = getattr(config, 'patch_size', 1)
        windows = [m for m in net.modules() if hasattr(m, 'set_shift_and_window_size')]
        states = [(m, (m.window_size, m.shift_size)) for m in windows]
        super().__init__(
            net,
            find_stages(net, (side, side)),
            dict(_normalization(hf, name), pad_size_divisor=patch if isinstance(patch, int) else 1),
            data_preprocessor,
            published,
        )
        self._windows = states
        self._count_extra(side, patch)

    def _count_extra(self, side: int, patch: int) -> None:
        """Count class and register tokens that no parameter of that name tells (CLIP)."""
        if self.res_layers and isinstance(patch, int):
            x = run_until(self, self.res_layers[0].partition('[')[0], [(side, side)], [3])
            x = x[0] if isinstance(x, (tuple, list)) else x
            if isinstance(x, Tensor) and x.dim() == 3:
                self.num_prefix_tokens = max(0, x.shape[1] - (side // patch) ** 2)

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
        """Run the network, see :meth:`AdaptedModel.forward`; a ViT's position embeddings are
        interpolated by its own means."""
        if mode != 'tensor':
            return super().forward(inputs, data_samples, mode)
        for module, state in self._windows:  # which Swin shrinks for good on a small image
            module.window_size, module.shift_size = state
        return self.model(inputs, **self.options)

    def published_state(self) -> dict:
        """Fetch the weights, into Hugging Face's own cache, or read those in the folder."""
        try:
            net, told = type(self.model).from_pretrained(
                self.name, use_safetensors=True, output_loading_info=True
            )
        except Exception as error:  # of the hub's client, which has many
            raise unreachable(self.published, error) from error
        missing = set(told['missing_keys'])
        return {k: v for k, v in net.float().state_dict().items() if k not in missing}


def _normalization(hf: Any, name: str) -> dict:
    """Read mean and std of a network's image processor; ImageNet's where it has none."""
    try:
        held, _ = hf.ImageProcessingMixin.get_image_processor_dict(name)
    except Exception:  # no such file, or no network
        held = {}
    found = {}
    for key, usual in IMAGENET.items():
        values = held.get(f'image_{key}')
        found[key] = [255 * x for x in values] if values else usual
    return found
