"""The same network with another number of parameters."""

import copy
import math
from collections.abc import Sequence

import torch
from mmengine.registry import MODELS

from .networks import SingleStageINRN


def scale_to(net_cfg: dict, shape: Sequence[int], parameters: int) -> dict:
    """Choose a network's widths so that it has so many parameters.

    All widths are multiplied by one factor, found by bisection, and rounded;
    depths, kernels, embeddings and grids stay.

    Args:
        net_cfg (dict): Config of a :class:`FittingNet`; left as it is.
        shape (Sequence[int]): Frames, height, width and channels.
        parameters (int): Wanted number, those that decoding needs.

    Returns:
        dict: The config, of the number nearest to the wanted one.

    Raises:
        ValueError: If even a width of 1 has more than the double, or the
            network has no width that could be changed.
    """
    if parameters < 1:
        raise ValueError(f'A network cannot have {parameters} parameters.')
    low, high = 1 / 4096, 64.0
    for _ in range(24):
        middle = math.sqrt(low * high)
        if count(scaled(net_cfg, middle), shape) > parameters:
            high = middle
        else:
            low = middle
    found = min(
        (scaled(net_cfg, factor) for factor in (low, high)),
        key=lambda cfg: abs(count(cfg, shape) - parameters),
    )
    number = count(found, shape)
    if not parameters / 2 <= number <= 2 * parameters:
        raise ValueError(
            f'{net_cfg["type"]} cannot be scaled to {parameters:,} parameters '
            f'for {shape[1]} x {shape[2]} pixels, the nearest is {number:,}: '
            'ask for another number, or shrink its fixed parts, such as '
            'grids, in the config.'
        )
    return found


def count(net_cfg: dict, shape: Sequence[int]) -> int:
    """Count what decoding needs; no memory is taken for it.

    Args:
        net_cfg (dict): Config of a :class:`FittingNet`.
        shape (Sequence[int]): Frames, height, width and channels.

    Returns:
        int: Number of parameters.
    """
    with torch.device('meta'):
        return MODELS.build(dict(net_cfg, shape=shape)).num_parameters


def scaled(net_cfg: dict, factor: float) -> dict:
    """Multiply all widths in a network's config.

    Args:
        net_cfg (dict): Config of a :class:`FittingNet`; left as it is.
        factor (float): Factor of the widths, which are rounded and at least 1.

    Returns:
        dict: The config.

    Raises:
        ValueError: If this network's widths are not known here.
    """
    cfg = copy.deepcopy(dict(net_cfg))

    def width(value: float) -> int:
        return max(round(value * factor), 1)

    if cfg['type'] == 'SingleStageINRN':
        kind = cfg.get('kind', 'frame')
        arch = cfg.get('arch') or ('pixel' if kind == 'pixel' else 'interleaved')
        if isinstance(arch, str):
            arch = SingleStageINRN.arch_settings[arch]
        cfg['arch'] = arch = copy.deepcopy(dict(arch))
        for name in ('widths', 'hidden', 'grid_channels'):
            value = arch.get(name)
            if isinstance(value, (list, tuple)):
                arch[name] = [n and width(n) for n in value]
            elif value:
                arch[name] = width(value)
        if kind == 'frame':
            cfg['stem_width'] = width(cfg.get('stem_width', 512))
        for grids in [*cfg.get('time_grids', ()), cfg.get('grids') or {}]:
            channels = grids.get('channels')
            if isinstance(channels, (list, tuple)):
                grids['channels'] = [width(n) for n in channels]
            elif channels:
                grids['channels'] = width(channels)
        return cfg
    if cfg['type'] in ('SIREN', 'FINER', 'FourierMLP'):
        cfg['width'] = width(cfg.get('width', 256))
        return cfg
    if cfg['type'] == 'HNeRV':
        cfg['width'] = width(cfg.get('width', 68))
        cfg['min_width'] = width(cfg.get('min_width', 12))
        return cfg
    if cfg['type'] == 'NeRV':
        arch = cfg.get('arch', 's')
        named = MODELS.get('NeRV').arch_settings
        cfg['arch'] = width(named.get(arch, arch))
        for name, default in (('min_width', 96), ('stem_width', 512)):
            cfg[name] = width(cfg.get(name, default))
        return cfg
    raise ValueError(
        f'The widths of {cfg["type"]} are not known: set its '
        'size in the config instead of --parameters.'
    )
