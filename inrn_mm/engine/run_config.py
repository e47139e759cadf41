"""Config files, read with a sentence for each of their mistakes."""

import argparse
import importlib.util
import os.path as osp

from mmengine.config import Config, ConfigDict
from mmengine.hooks import CheckpointHook, Hook
from mmengine.hub import get_config

from ..utils.config_types import is_distiller, type_name
from .checkpoints.reading import make_loading_safe
from .devices import check_devices
from .distilled_config import distil, name_distillation, split_options

HOOKS_ADDED = ('CheckpointFitHook', 'NonFiniteLossHook', 'DatasetCheckHook', 'EpochSeedHook')
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
SAVERS = ('CheckpointHook', 'mmengine.CheckpointHook', CheckpointHook)
SECTIONS = (
    *('model', 'optim_wrapper', 'default_hooks', *LOADERS),
    *('train_cfg', 'val_cfg', 'test_cfg', 'env_cfg', 'custom_imports'),
)


def load_config(args: argparse.Namespace) -> Config:
    """Load the config with what all tools change in it.

    Args:
        args (Namespace): With ``config``, ``work_dir``, ``cfg_options``,
            ``launcher`` and ``allow_pickle``; also ``teacher`` and ``method``,
            see :func:`distil`.

    Returns:
        Config: Ready for a runner. ``work_dir`` is, in this order, the
        argument, the config's or ``work_dirs/`` and the config's name.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it cannot be read, or a part is no dict.
    """
    check_devices()
    make_loading_safe(args.allow_pickle)
    options, distiller_options = split_options(args)
    cfg = read_config(args.config, options)
    distil(cfg, args)
    change_config(cfg, args.config, distiller_options)
    cfg.launcher = args.launcher
    if args.allow_pickle and is_distiller(cfg.get('model')):
        cfg.model.allow_pickle = True  # of the teacher's checkpoint
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(args.config))[0]
        cfg.work_dir = osp.join('work_dirs', name_distillation(name, args))
    for name in LOADERS:
        # torch refuses persistent_workers without workers, as left behind by
        # --cfg-options train_dataloader.num_workers=0
        if cfg.get(name) and not cfg[name].get('num_workers'):
            cfg[name].persistent_workers = False
    add_hooks(cfg)
    return cfg


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
        ValueError: If one is another thing, or the model has no type.
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


def add_hooks(cfg: Config) -> None:
    """Add this package's hooks, in a way that the dumped config runs too.

    Args:
        cfg (Config): Changed in place. Hooks that it has stay as they are, but
            for mmengine's CheckpointHook.
    """
    hooks = cfg.default_hooks = cfg.get('default_hooks') or ConfigDict()
    saver = hooks.setdefault('checkpoint', ConfigDict(type='CheckpointHook', interval=1))
    if isinstance(saver, dict) and saver.get('type') in SAVERS:
        saver['type'] = 'AtomicCheckpointHook'
    custom = list(cfg.get('custom_hooks') or [])
    present = {type_name(hook) for hook in custom}
    added = list(HOOKS_ADDED)
    if is_distiller(cfg.get('model')):
        added.append('TeacherCheckHook')
    cfg.custom_hooks = custom + [dict(type=hook) for hook in added if hook not in present]
    custom_imports = cfg.setdefault('custom_imports', ConfigDict(imports=[]))
    imports = custom_imports.imports
    imports = [imports] if isinstance(imports, str) else list(imports)
    if 'inrn_mm' not in imports:
        custom_imports.imports = [*imports, 'inrn_mm']


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
