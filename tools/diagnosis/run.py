"""Ask everything that tells why a distillation does not help."""

import argparse
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device

from inrn_mm.datasets.checks.paths import check_data_paths
from inrn_mm.distillation import KnowledgeDistiller
from inrn_mm.distillation.description import build_distiller
from inrn_mm.engine.checkpoints.reading import load_state, load_weights
from inrn_mm.engine.distilled_config import count_samples
from inrn_mm.engine.launch import data_explained
from inrn_mm.engine.run_config import load_config
from inrn_mm.utils.config_types import init_scope, is_distiller
from tools.diagnosis.predictions import (
    Predictor,
    build_evaluator,
    predict_all,
    predict_as_student,
    predict_as_teacher,
    quiet,
    score,
    validation_loader,
    why_not_predict,
)
from tools.diagnosis.training import diagnose_training, training_batches
from tools.diagnosis.verdict import conclude

Track = Callable[[Iterable, int, str], Iterable]


def diagnose(args: argparse.Namespace, track: Track) -> dict[str, Any]:
    """Diagnose the distillation of a config.

    Args:
        args (Namespace): What :func:`load_config` reads, ``checkpoint`` of the
            student, ``num_batches`` and ``no_metrics``.
        track (Callable): Shows the progress of an iterable of a length, with a
            text.

    Returns:
        dict: ``student`` and ``teachers`` with their metrics or the reason why
        there are none, ``pairs`` with the figures of each pair of layers, and
        the sentences of the ``verdict``.

    Raises:
        ValueError: If the config distils nothing, or has no training batches.
    """
    cfg = load_config(args)
    if not is_distiller(cfg.get('model')):
        raise ValueError(
            f'{args.config} distils nothing: give --teacher and --method, or a distilled config.'
        )
    init_scope(cfg)
    loaders = ['train_dataloader', *(['val_dataloader'] if cfg.get('val_dataloader') else [])]
    check_data_paths(cfg, loaders)
    count_samples(cfg)
    with data_explained(cfg, loaders):
        with quiet():
            batches, count = training_batches(cfg, args.num_batches)
        model = _load_model(cfg, args)
        report = _compare_predictions(model, cfg, args, track)
        report['pairs'] = diagnose_training(
            model, track(batches, count, 'features and gradients'), count
        )
    report.update(config=args.config, checkpoint=args.checkpoint, num_batches=count)
    report['verdict'] = conclude(report)
    return report


def _load_model(cfg: Config, args: argparse.Namespace) -> KnowledgeDistiller:
    """Build the distiller as training begins, or with the weights of a checkpoint."""
    with quiet():
        model = build_distiller(cfg).to(get_device())
        if args.checkpoint is None:
            model.init_weights()
        else:
            state = load_state(args.checkpoint, allow_pickle=args.allow_pickle)
            # a plain student's has no connectors
            load_weights(model, state, args.checkpoint, optional=('distill_losses.',))
            for name in model.teachers:
                model.load_teacher(name)
    return model


def _compare_predictions(
    model: KnowledgeDistiller, cfg: Config, args: argparse.Namespace, track: Track
) -> dict[str, Any]:
    """Score the student and its teachers on the validation set."""
    reason = ''
    if args.no_metrics:
        reason = '--no-metrics was given'
    elif args.checkpoint is None:
        reason = 'no checkpoint of the student was given'
    student = dict(metrics=None, reason=reason)
    teachers = {
        name: dict(metrics=None, reason='', agreement=None, random_weights=teacher.digest is None)
        for name, teacher in model.teachers.items()
    }
    report: dict[str, Any] = dict(student=student, teachers=teachers)
    if not cfg.get('val_dataloader') or not cfg.get('val_evaluator'):
        for entry in (student, *teachers.values()):
            entry['reason'] = 'the config has no val_dataloader with a val_evaluator'
        return report
    with quiet():
        loader = validation_loader(cfg)
    with_metrics = not args.no_metrics
    predictors = {'student': Predictor(lambda batch: predict_as_student(model, batch))}
    for name, teacher in model.teachers.items():
        class_map = _class_map(cfg, name)
        teachers[name]['reason'] = why_not_predict(model, teacher, class_map)
        if not teachers[name]['reason']:
            predictors[name] = Predictor(
                lambda batch, t=teacher, m=class_map: predict_as_teacher(model, t, batch, m),
                optional=True,
            )
    if with_metrics:
        with quiet():
            for one in predictors.values():
                one.evaluator = build_evaluator(cfg, loader)
    count = len(loader) if with_metrics else min(args.num_batches, len(loader))
    model.eval()
    predict_all(predictors, track(islice(iter(loader), count), count, 'predictions'))
    for name, one in predictors.items():
        entry = student if name == 'student' else teachers[name]
        entry['reason'] = entry['reason'] or one.failure
        if one.evaluator is not None and not entry['reason']:
            entry['metrics'] = score(one.evaluator, len(loader.dataset))
        if name != 'student':
            entry['agreement'] = one.agreement.report()
    return report


def _class_map(cfg: Config, name: str) -> list[int] | None:
    """Find the number at a teacher of each class of the student."""
    found = cfg.model.get('class_map')
    found = found.get(name) if isinstance(found, dict) else found
    return None if found is None else list(found)
