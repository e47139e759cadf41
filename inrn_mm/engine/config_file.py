"""Config files, read with a sentence for each of their mistakes."""

import importlib.util
import os
import os.path as osp

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.hub import get_config

# libraries whose networks are named as 'timm::resnet50', without a config file
NETWORKS = ('timm', 'torchvision', 'hf', 'onnx')
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
SECTIONS = (
    *('model', 'optim_wrapper', 'default_hooks', 'unlabeled_dataloader', *LOADERS),
    *('train_cfg', 'val_cfg', 'test_cfg', 'env_cfg', 'custom_imports'),
    *('auto_scale_lr', 'randomness'),
)


def names_network(name: object) -> bool:
    """Tell whether this is the name of another library's network, ``'timm::resnet50'``.

    Args:
        name (object): What was given as a config.
    """
    library, colons, _ = name.partition('::') if isinstance(name, str) else ('', '', '')
    return bool(colons) and library in NETWORKS


def read_config(name: str, options: dict | None = None) -> Config:
    """Read a config file.

    Args:
        name (str): Its path, or ``'mmdet::path/below/configs.py'`` of one in
            an installed package.
        options (dict, optional): What to change in it, of ``--cfg-options``.
            Defaults to None.

    Returns:
        Config: Its content.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it or a file it is based on cannot be read, the options
            do not fit it, or a part is no dict.
    """
    package, colons, _ = name.partition('::')
    if colons and importlib.util.find_spec(package or '?') is None:
        # mmengine would let pip install whatever has that name
        raise ValueError(
            f"There is no package '{package}' for the config '{name}': correct the name, "
            "as in 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', or install it."
        )
    if not colons and not osp.isfile(name):
        raise FileNotFoundError(
            f'The config {name} does not exist: give the path of a config file, '
            "or of one in a package as 'mmdet::path/below/configs.py'."
        )
    try:
        cfg = get_config(name) if colons else Config.fromfile(name)
    except Exception as error:  # a config file is code
        if colons and isinstance(error, (FileNotFoundError, ValueError)):
            raise FileNotFoundError(
                f"The package '{package}' has no config '{name.partition('::')[2]}': look "
                f'below its .mim/configs.'
            ) from error
        raise ValueError(f'The config {name} cannot be read: {_reason(error)}') from error
    change_config(cfg, name, options or {})
    check_sections(cfg, name)
    return cfg


def change_config(cfg: Config, name: str, options: dict) -> None:
    """Change entries of a config.

    Args:
        cfg (Config): Changed in place.
        name (str): Where it is from, named in errors.
        options (dict): Keys with dots, and values.

    Raises:
        ValueError: If they do not fit it.
    """
    try:
        cfg.merge_from_dict(options)
    except Exception as error:  # any, of options that do not fit the config
        raise ValueError(
            f'--cfg-options {_assignments(options)} do not fit '
            f'{name} ({type(error).__name__}: {error}).'
        ) from error


def check_sections(cfg: Config, source: str) -> None:
    """Refuse parts of a config that are no dicts.

    Args:
        cfg (Config): The config.
        source (str): Where it is from, named in errors.

    Raises:
        ValueError: If one is another thing, the model has no type, or a number
            is none with which a training ends well.
    """
    for name in SECTIONS:
        value = cfg.get(name)
        if value is not None and not isinstance(value, dict):
            raise ValueError(
                f'{name} of {source} is {value!r}: give a dict, as in {name}=dict(type=...).'
            )
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if hook is not None and not isinstance(hook, (dict, Hook)):
            raise ValueError(f'default_hooks.{name} of {source} is {hook!r}: give a dict, or None.')
    model = cfg.get('model')
    if model is not None and not model.get('type'):
        raise ValueError(f'The model of {source} has no type: give the name of its class.')
    hooks = cfg.get('custom_hooks')
    if hooks is not None and not (
        isinstance(hooks, (list, tuple)) and all(isinstance(hook, (dict, Hook)) for hook in hooks)
    ):
        raise ValueError(f'custom_hooks of {source} is {hooks!r}: give a list of dicts.')
    _check_numbers(cfg, source)


def _check_numbers(cfg: Config, source: str) -> None:
    """Refuse what mmengine finds out in the first step or at the first validation."""
    clip = (cfg.get('optim_wrapper') or {}).get('clip_grad') or {}
    found = {
        'train_cfg.val_interval': (cfg.get('train_cfg') or {}).get('val_interval', 1) or 'zero',
        'optim_wrapper.clip_grad.max_norm': clip.get('max_norm', 1),
    }
    for name, value in found.items():
        if not isinstance(value, (int, float)):
            raise ValueError(f'{name} of {source} is {value}: give a number above 0.')
    path = cfg.get('load_from')
    if path is not None and not isinstance(path, (str, os.PathLike)):
        raise ValueError(f'load_from of {source} is {path!r}: give the path of a checkpoint.')


def _reason(error: Exception) -> str:
    """Tell what is wrong with a config file, in a line."""
    if isinstance(error, UnicodeDecodeError):
        return f'it is not UTF-8 (byte {error.start}): save it as that.'
    if isinstance(error, SyntaxError):
        return f'line {error.lineno}: {error.msg}.'
    if isinstance(error, ImportError) and isinstance(error.__cause__, ImportError):
        error = error.__cause__  # mmengine's text is a list of sys.path
    lines = str(error).strip().splitlines()
    return f'{type(error).__name__}: {lines[0] if lines else "no reason given"}'


def _assignments(options: dict) -> str:
    return ' '.join(f'{key}={value}' for key, value in options.items())
