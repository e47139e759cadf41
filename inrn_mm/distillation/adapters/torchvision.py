"""Teachers of torchvision."""

from mmengine.registry import MODELS
from torch import nn
from torch.hub import load_state_dict_from_url

from .adapted import IMAGENET, AdaptedModel, need, unknown, unreachable
from .stages import find_stages


@MODELS.register_module()
class TorchvisionModel(AdaptedModel):
    """A classifier of torchvision, with the mean and std of its weights.

    Args:
        name (str): Its name; ``'resnet50.IMAGENET1K_V1'`` names its weights,
            too.
        data_preprocessor (dict, optional): What replaces entries of its own.
            Defaults to None.

    Raises:
        ValueError: If torchvision has no such classifier or weights.
    """

    def __init__(self, name: str, data_preprocessor: dict | None = None) -> None:
        published = f'torchvision::{name}'
        models = need('torchvision.models', published)
        known = models.list_models(module=models)
        name, _, tag = name.partition('.')
        if name not in known:
            raise unknown(name, 'torchvision.models', known)
        weights = models.get_model_weights(name)
        if tag and tag not in weights.__members__:
            raise ValueError(
                f"torchvision's {name} has no weights '{tag}': choose one of "
                f'{list(weights.__members__)}.'
            )
        self.weights = weights[tag] if tag else weights.DEFAULT
        net = models.get_model(name, weights=None)
        linear = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
        if linear:  # which layer gives the classes, as find_logits asks for it
            net.num_labels = linear[-1].out_features
        own = self.weights.transforms()
        scaled = {key: [255 * x for x in getattr(own, key)] for key in ('mean', 'std')}
        super().__init__(
            net, find_stages(net, (224, 224)), {**IMAGENET, **scaled}, data_preprocessor, published
        )

    def published_state(self) -> dict:
        """Fetch the weights, into torch's hub folder."""
        try:
            return load_state_dict_from_url(
                self.weights.url, map_location='cpu', check_hash=True, weights_only=True
            )
        except Exception as error:  # of urllib, or of a damaged download
            raise unreachable(self.published, error) from error
