"""Networks of other libraries as teachers, by name."""

from ...engine.config_file import NETWORKS, names_network
from .adapted import AdaptedModel
from .hf import HFModel
from .onnx import ONNXModel
from .timm import TimmModel
from .torchvision import TorchvisionModel

__all__ = [
    'AdaptedModel',
    'HFModel',
    'ONNXModel',
    'TimmModel',
    'TorchvisionModel',
    'adapted_config',
]

_KINDS = dict(zip(NETWORKS, (TimmModel, TorchvisionModel, HFModel, ONNXModel)))


def adapted_config(model: str) -> dict | None:
    """Write the model config of a network that is named after its library.

    Args:
        model (str): ``'timm::vit_small_patch14_dinov2.lvd142m'``,
            ``'torchvision::resnet101'``, ``'hf::facebook/dinov2-small'`` or
            ``'onnx::detector.onnx'``.

    Returns:
        dict | None: The config; None for other names.
    """
    if not names_network(model):
        return None
    library, _, name = model.partition('::')
    return dict(type=_KINDS[library], name=name)
