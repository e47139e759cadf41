"""Distillers of other packages, with the networks and losses of ours."""

import copy
import importlib
import sys
import types

from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from inrn_mm.distillation import StageMSELoss


class _Stub(types.ModuleType):
    """A module in which every name is a class that does nothing."""

    __all__: list = []
    __path__: list = []

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return type(name, (), {})


def import_mmrazor() -> None:
    """Import mmrazor 1.0.0, beside a torch that is newer than it knows.

    Its quantisation, which no distiller needs, fails to import with most
    versions of torch and is replaced in this process.

    Raises:
        ImportError: If it is not installed or does not go with the installed
            mm stack.
    """
    name = 'mmrazor.structures.quantization'
    if name in sys.modules:
        return
    sys.modules[name] = _Stub(name)
    try:
        importlib.import_module('mmrazor.models')
    except (ImportError, AssertionError) as error:
        del sys.modules[name]
        raise ImportError(
            f'mmrazor cannot be imported ({error}): pip install --no-deps '
            'mmrazor==1.0.0, beside torch 2.1, mmcv 2.1.0 and the original '
            'mm packages; or leave it out of --peers.'
        ) from error


def mmrazor(ours: BaseModel, cfg: dict) -> BaseModel:
    """Build ``SingleTeacherDistill`` with our networks, connectors and loss.

    Args:
        ours (KnowledgeDistiller): With :class:`StageMSELoss` alone, on maps
            of the same sizes. The teacher gets the student's images as they
            are, for mmrazor converts nothing.
        cfg (dict): Its config.

    Raises:
        ImportError: See :func:`import_mmrazor`.
        ValueError: If there are other losses.
    """
    if not all(type(loss) is StageMSELoss for loss in ours.distill_losses):
        raise ValueError(
            "'mmrazor' is timed with StageMSELoss alone: choose "
            'such a config, or leave it out of --peers.'
        )
    import_mmrazor()
    from mmrazor.registry import MODELS as RAZOR_MODELS

    distiller, convs = _razor_distiller(ours)
    # its parts are looked up in the default scope
    with DefaultScope.overwrite_default_scope('mmrazor'):
        model = RAZOR_MODELS.build(
            dict(
                type='SingleTeacherDistill',
                architecture=plain_student(ours.student),
                teacher=copy.deepcopy(ours.teacher.net),
                distiller=distiller,
            )
        )
    for name, conv in convs.items():
        model.distiller.connectors[name].conv_module.conv.load_state_dict(conv.state_dict())
    return model


def _razor_distiller(ours: BaseModel) -> tuple[dict, dict[str, nn.Module]]:
    """Write a distiller's losses as mmrazor's config, with the convolutions to copy."""
    recorders: dict[str, dict] = dict(student={}, teacher={})
    connectors, losses, mappings = {}, {}, {}
    convs = {}
    for k, bound in enumerate(ours.bound):
        weights = bound.loss.current_weights()
        for i, taps in enumerate(bound.taps):
            name = f'loss_{k}_{i}'
            conv = bound.loss.align[i].conv
            convs[name] = conv
            connectors[name] = dict(
                type='ConvModuleConnector',
                in_channel=conv.in_channels,
                out_channel=conv.out_channels,
                act_cfg=None,
            )
            losses[name] = dict(
                type='L2Loss', normalize=False, div_element=True, loss_weight=float(weights[i])
            )
            mapping = {}
            for side, argument, tap in zip(recorders, ('s_feature', 't_feature'), taps):
                recorders[side][tap.path] = dict(type='ModuleOutputs', source=tap.path)
                mapping[argument] = dict(
                    recorder=tap.path, from_student=side == 'student', data_idx=tap.index
                )
            mapping['s_feature']['connector'] = name
            mappings[name] = mapping
    distiller = dict(
        type='ConfigurableDistiller',
        student_recorders=recorders['student'],
        teacher_recorders=recorders['teacher'],
        connectors=connectors,
        distill_losses=losses,
        loss_forward_mappings=mappings,
    )
    return distiller, convs


def mmdet_ld(ours: BaseModel, cfg: dict) -> BaseModel:
    """Build ``KnowledgeDistillationSingleStageDetector`` of mmdet's LD configs.

    Args:
        ours (KnowledgeDistiller): Between two GFL detectors. Its losses play
            no part: LD compares the distributions of the boxes' sides.
        cfg (dict): Its config.

    Raises:
        ValueError: If the detectors are others.
    """
    student, teacher = ours.student, ours.teacher.net
    if any(type(net).__name__ != 'GFL' for net in (student, teacher)):
        raise ValueError(
            "'mmdet-ld' is timed between GFL detectors: choose "
            'configs/distill/gfl_*, or leave it out of --peers.'
        )
    student_cfg = cfg['student']
    cfg = copy.deepcopy(dict(student_cfg))
    cfg['bbox_head'].update(
        type='LDHead', loss_ld=dict(type='KnowledgeDistillationKLDivLoss', loss_weight=0.25, T=10)
    )
    model = MODELS.build(
        dict(
            cfg,
            type='mmdet.KnowledgeDistillationSingleStageDetector',
            # any; ours takes its place
            teacher_config=dict(model=copy.deepcopy(dict(student_cfg))),
        )
    )
    model.load_state_dict(plain_student(student).state_dict())
    model.teacher_model = copy.deepcopy(teacher)
    return model


def plain_student(student: BaseModel) -> BaseModel:
    """Copy a student without our connectors, which the distiller keeps in it.

    Args:
        student (BaseModel): The student of a :class:`KnowledgeDistiller`.
    """
    student = copy.deepcopy(student)
    del student.distill_losses
    return student


PEERS = {'mmrazor': mmrazor, 'mmdet-ld': mmdet_ld}
