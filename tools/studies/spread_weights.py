"""Random weights whose predictions differ, as those of a trained network do."""

import torch
from torch import nn

# of what a layer gives, by its name: mean and standard deviation
_LAST = {'cls': (-2.0, 1.5), 'obj': (0.0, 1.0), 'reg': (0.0, 0.3), 'centerness': (0.0, 1.0)}


def spread_weights(
    model: nn.Module, images: torch.Tensor, samples: list | None = None, seed: int = 0
) -> None:
    """Draw weights and scale them layer by layer on images.

    Fresh heads of detectors give all places the same score, so that there is
    nothing to compare; here scores and boxes are spread.

    Args:
        model (nn.Module): Changed in place, in evaluation mode.
        images (Tensor): ``(N, 3, H, W)``, normalised.
        samples (list, optional): Their data samples, which two-stage detectors want.
            Defaults to None.
        seed (int): Defaults to 0.
    """
    generator = torch.Generator().manual_seed(seed)
    layers = {m: n for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    seen: set[nn.Module] = set()

    def scale(module: nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor | None:
        if module in seen:
            return None
        seen.add(module)
        name = layers[module]
        last = name.rpartition('.')[2] if '.' in name else name
        is_last = 'head' in name and 'convs' not in name and 'fcs' not in name
        mean, deviation = (0.0, 1.0)
        if is_last:
            ends = [value for key, value in _LAST.items() if key in last or key in name]
            mean, deviation = ends[0] if ends else (mean, deviation)
        if module.bias is not None:
            output = output - module.bias.view(1, -1, *[1] * (output.dim() - 2))
        factor = deviation / max(float(output.std()), 1e-6)
        module.weight.mul_(factor)
        if module.bias is None:
            return output * factor
        module.bias.fill_(mean)
        return output * factor + mean

    with torch.no_grad():
        for module in layers:
            module.weight.normal_(generator=generator)
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.8, 1.2, generator=generator)
        handles = [module.register_forward_hook(scale) for module in layers]
        model.eval()(images, samples, mode='tensor')
        for handle in handles:
            handle.remove()
