"""From a student's config to that of its distillation, by three names."""

import argparse
from collections.abc import Sequence
from inspect import signature

from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS

from ..utils.config_types import init_scope, is_distiller

DISTILLER = 'KnowledgeDistiller'


def split_options(args: argparse.Namespace) -> tuple[dict, dict]:
    """Tell the options of a distillation by flags from those of the student.

    Args:
        args (Namespace): With ``cfg_options``, and maybe ``teacher`` and
            ``method``.

    Returns:
        tuple[dict, dict]: Options of the student's config, and of the
        distilled one: ``model.method.weight`` and all else that begins with
        an argument of :class:`KnowledgeDistiller`.
    """
    options = args.cfg_options or {}
    if not _asked_for(args):
        return options, {}
    own = set(signature(MODELS.get(DISTILLER).__init__).parameters) - {'data_preprocessor'}
    later = {
        key: value
        for key, value in options.items()
        if key.startswith('model.') and key.split('.')[1] in own
    }
    return {key: value for key, value in options.items() if key not in later}, later


def distil(cfg: Config, args: argparse.Namespace) -> None:
    """Make a student's config that of its distillation, as the flags say.

    Args:
        cfg (Config): Changed in place: its model becomes the student; of a
            config that is distilled already, teacher and method change.
        args (Namespace): Maybe with ``teacher``, a list of the teacher's config
            and, if given, its checkpoint, and ``method``, a list of names.

    Raises:
        ValueError: If there is no teacher, or too much of one.
    """
    if not _asked_for(args):
        return
    teacher, methods = args.teacher or [], args.method
    if len(teacher) > 2:
        raise ValueError(
            f'--teacher takes a config and a checkpoint, got {" ".join(teacher)}: put --teacher '
            'behind the config, or name a single teacher.'
        )
    distilled = is_distiller(cfg.get('model'))
    if not teacher and not distilled:
        raise ValueError(
            f'--method {" ".join(methods)} needs a teacher: give its config by --teacher, such as '
            'mmdet::retinanet/retinanet_r101_fpn_2x_coco.py.'
        )
    if not distilled:
        cfg.model = dict(type=DISTILLER, student=cfg.model)
        methods = methods or ['auto']
    if teacher:
        cfg.model.teacher, cfg.model.teacher_checkpoint = (*teacher, None)[:2]
    if methods:
        cfg.model.pop('distill_losses', None)
        cfg.model.method = _method(methods)


def count_samples(cfg: Config) -> None:
    """Tell CRD the size of the training set, unless the config does.

    Args:
        cfg (Config): Changed in place.
    """
    method = cfg.model.get('method') if is_distiller(cfg.get('model')) else None
    several = list(method) if isinstance(method, (list, tuple)) else [method]
    methods: list[dict] = [
        dict(type=each) if isinstance(each, str) else each for each in several if each
    ]
    missing = [each for each in methods if each.get('type') == 'crd' and 'num_samples' not in each]
    if missing:
        init_scope(cfg)
        for each in missing:
            each['num_samples'] = len(DATASETS.build(cfg.train_dataloader.dataset))
        cfg.model.method = methods


def name_distillation(name: str, args: argparse.Namespace) -> str:
    """Name the work_dir of a run, apart from that of the student alone.

    Args:
        name (str): That of the config.
        args (Namespace): Maybe with ``teacher`` and ``method``.
    """
    return '_'.join([name, *(args.method or ['auto'])]) if _asked_for(args) else name


def _asked_for(args: argparse.Namespace) -> bool:
    return bool(getattr(args, 'teacher', None) or getattr(args, 'method', None))


def _method(names: Sequence[str]) -> dict | list[dict]:
    """Write methods so that options can change their settings."""
    methods = [dict(type=name) for name in names]
    return methods[0] if len(methods) == 1 else methods
