"""What opening a compact file may build: nothing but fitting networks."""

import inspect
from pathlib import Path
from typing import Any

from mmengine.registry import MODELS

from ..networks.base import FittingNet

# Types that a network's config may name inside. With the networks themselves,
# which are looked up among the registered classes only, this is all that
# opening a file can build: it never imports a module or runs code of the file.
INNER_TYPES = frozenset(
    {
        'BN',
        'BN2d',
        'ELU',
        'GELU',
        'GN',
        'Identity',
        'IN',
        'LN',
        'LN2d',
        'LeakyReLU',
        'Mish',
        'PReLU',
        'ReLU',
        'ReLU6',
        'SiLU',
        'Sigmoid',
        'Swish',
        'Tanh',
    }
)
# Names that dicts inside the config may have: arguments of those types, of an
# arch, and of learned grids. mmengine's own, such as ``_scope_``, which
# imports a package, are not among them.
INNER_NAMES = frozenset(
    {
        'type',
        *('inplace', 'approximate', 'negative_slope', 'alpha', 'num_parameters', 'init'),
        *('num_groups', 'eps', 'momentum', 'affine', 'track_running_stats', 'requires_grad'),
        *('widths', 'grid_channels', 'hidden', 'orders', 'blocks'),
        *('sizes', 'channels', 'std', 'stage', 'every', 'scale'),
    }
)


def build_net(net_cfg: dict, source: str | Path) -> FittingNet:
    """Build a network from a config that nobody vouches for.

    Args:
        net_cfg (dict): The config.
        source (str | Path): Where it is from, named in errors.

    Returns:
        FittingNet: The network, with random weights.

    Raises:
        ValueError: See :func:`check_types`.
    """
    cls = check_types(net_cfg, source)
    # not MODELS.build, which has a meaning for more than the class's arguments
    return cls(**{name: value for name, value in net_cfg.items() if name != 'type'})


def check_types(net_cfg: dict, source: str | Path) -> type[FittingNet]:
    """Refuse a config that builds anything but a fitting network.

    Args:
        net_cfg (dict): The config.
        source (str | Path): Where it is from, named in errors.

    Returns:
        type[FittingNet]: The network's class.

    Raises:
        ValueError: If its type is no registered :class:`FittingNet`, an
            argument is none of that class's, or a type or a name inside is
            not of :data:`INNER_TYPES` and :data:`INNER_NAMES`.
    """
    name = net_cfg.get('type') if isinstance(net_cfg, dict) else net_cfg
    # not MODELS.get, which imports the module of a dotted name
    found = MODELS.module_dict.get(name) if isinstance(name, str) else None
    if not (isinstance(found, type) and issubclass(found, FittingNet)):
        raise ValueError(
            f"{source} holds a network of type '{name}', which "
            'is no fitting network of this inrn_mm.'
        )
    inner = list(net_cfg.values())
    unknown = (
        _not_of(set(net_cfg) - {'type'}, set(inspect.signature(found).parameters))
        or _not_of(_inner_names(inner), INNER_NAMES)
        or _not_of(_inner_types(inner), INNER_TYPES)
    )
    if unknown:
        raise ValueError(
            f'{source} asks for {unknown} inside its network, which this '
            'inrn_mm does not build from a compact file.'
        )
    return found


def _not_of(asked: set[str], known: set[str] | frozenset[str]) -> str | None:
    """Find the first that is not known."""
    return min(asked - known, default=None)


def _dicts(value: Any) -> list[dict]:
    """List all dicts in a value, however deep."""
    inner = value.values() if isinstance(value, dict) else value
    found = [value] if isinstance(value, dict) else []
    if isinstance(value, (dict, list, tuple)):
        found += [below for item in inner for below in _dicts(item)]
    return found


def _inner_names(value: object) -> set[str]:
    return {str(name) for item in _dicts(value) for name in item}


def _inner_types(value: object) -> set[str]:
    return {str(item['type']) for item in _dicts(value) if 'type' in item}
