"""The network inside of what mmengine wraps it in."""

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn


def unwrap(model: nn.Module) -> nn.Module:
    """Find the network in wrappers of DDP and of test-time augmentation.

    Args:
        model (nn.Module): A runner's model.

    Returns:
        nn.Module: The network itself.
    """
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model
