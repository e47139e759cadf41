"""The config of a run, as the command line changes it."""

import argparse
import os.path as osp

from mmengine.config import Config, ConfigDict
from mmengine.hooks import CheckpointHook

from ..utils.config_types import is_distiller, type_name
from .checkpoints.reading import make_loading_safe
from .class_names import map_classes
from .config_file import LOADERS, change_config, read_config
from .devices import check_devices
from .distilled_config import distil, name_distillation, split_options
from .probing import add_probe

HOOKS_ADDED = ('CheckpointFitHook', 'NonFiniteLossHook', 'DatasetCheckHook', 'EpochSeedHook')
SAVERS = ('CheckpointHook', 'mmengine.CheckpointHook', CheckpointHook)


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
    map_classes(cfg)
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
    add_probe(cfg)
    return cfg


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
    if cfg.get('unlabeled_dataloader'):
        added.append('UnlabeledHook')
    cfg.custom_hooks = custom + [dict(type=hook) for hook in added if hook not in present]
    custom_imports = cfg.setdefault('custom_imports', ConfigDict(imports=[]))
    imports = custom_imports.imports
    imports = [imports] if isinstance(imports, str) else list(imports)
    if 'inrn_mm' not in imports:
        custom_imports.imports = [*imports, 'inrn_mm']
