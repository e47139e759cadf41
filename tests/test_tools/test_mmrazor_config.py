"""MMRazor's configs as ours."""

import os
from pathlib import Path

import pytest
from mmengine.config import Config

from tools.studies.mmrazor_configs import convert, find_config, layer

pytest.importorskip('mmdet')
HEAD = """
_base_ = ['mmdet::_base_/datasets/coco_detection.py', 'mmdet::_base_/schedules/schedule_2x.py']
def out(source): return dict(type='ModuleOutputs', source=source)
def both(**kwargs): return dict(student_recorders=kwargs, teacher_recorders=kwargs)
def take(student, i=None, **kwargs):
    return dict(from_student=student, data_idx=i, **kwargs)
model = dict(
    type='mmrazor.FpnTeacherDistill',
    architecture=dict(cfg_path='mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'),
    teacher=dict(cfg_path='mmdet::retinanet/retinanet_r101_fpn_2x_coco.py'),
    teacher_ckpt='r101.pth',
    distiller=dict(
        type='ConfigurableDistiller', **both(fpn=out('neck'), fc=out('head')),
        {}
    ),
)
"""


def write(tmp_path, text):
    path = tmp_path / 'theirs.py'
    path.write_text(HEAD.replace('{}', text).replace('def out', 'def out'))
    return path


def converted(tmp_path, text):
    mine = tmp_path / 'mine.py'
    mine.write_text(convert(write(tmp_path, text)))
    return Config.fromfile(mine)


LEVELS = """
        distill_losses={f'loss_{i}': dict(type='ChannelWiseDivergence', tau=2, loss_weight=w)
                        for i, w in enumerate([10, 10, 5])},
        loss_forward_mappings={f'loss_{i}': dict(preds_S=take(True, i, recorder='fpn'),
                                                 preds_T=take(False, i, recorder='fpn'))
                               for i in range(3)},
"""
MASKED = """
        distill_losses=dict(loss=dict(type='MGDLoss', alpha_mgd=7e-5)),
        connectors=dict(c=dict(type='MGDConnector', student_channels=8, teacher_channels=8,
                               lambda_mgd=0.15, mask_on_channel=True)),
        loss_forward_mappings=dict(loss=dict(preds_S=take(True, 0, recorder='fpn', connector='c'),
                                             preds_T=take(False, 1, recorder='fpn'))),
"""


def test_student_teacher_and_pairs(tmp_path):
    cfg = converted(tmp_path, LEVELS)
    model = cfg.model
    assert model.type == 'KnowledgeDistiller' and model.student.type == 'RetinaNet'
    assert model.teacher == 'mmdet::retinanet/retinanet_r101_fpn_2x_coco.py'
    assert model.teacher_checkpoint == 'r101.pth'
    (loss,) = model.distill_losses
    assert loss == dict(
        type='ChannelWiseLoss',
        pairs=[(f'neck[{i}]', f'neck[{i}]') for i in range(3)],
        temperature=2,
        weight=[10, 10, 5],
    )
    # the schedule is theirs, the data are those of the student's own config
    assert cfg.train_cfg.max_epochs == 24 and cfg.train_dataloader.dataset.type == 'CocoDataset'
    assert 'inrn_mm' in cfg.custom_imports.imports


def test_settings_of_a_connector(tmp_path):
    (loss,) = converted(tmp_path, MASKED).model.distill_losses
    assert loss == dict(
        type='MaskedGenerativeLoss',
        pairs=[('neck[0]', 'neck[1]')],
        mask='channels',
        mask_ratio=0.15,
        weight=7e-5,
    )


@pytest.mark.parametrize(('text', 'message'), [
    (LEVELS.replace('ChannelWiseDivergence', 'ABLoss'), r'ABLoss \(loss_0\) has no'),
    (MASKED.replace('MGDConnector', 'Odd'), r'Odd \(loss\) has no counterpart here'),
], ids=['loss', 'connector'])  # yapf: disable
def test_what_has_no_counterpart(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        convert(write(tmp_path, text))


def test_a_config_of_another_kind(tmp_path):
    path = tmp_path / 'a.py'
    path.write_text("model = dict(type='RetinaNet')")
    with pytest.raises(ValueError, match='is no distillation of MMRazor'):
        convert(path)


def test_recorders():
    assert layer(dict(type='ModuleInputs', source='fc'), dict(data_idx=1, record_idx=0)) == (
        'fc:input[1]@0'
    )
    with pytest.raises(ValueError, match='MethodOutputs of a.b has no counterpart'):
        layer(dict(type='MethodOutputs', source='a.b'), {})


def test_names_of_before():
    name = 'faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py'
    assert find_config(f'mmdet::{name}') == 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
    with pytest.raises(FileNotFoundError, match='nor a similar one'):
        find_config('mmdet::faster_rcnn/gone.py')


def test_all_published_detectors(tmp_path):
    """With a clone of MMRazor, see docs/from_mmrazor.md."""
    folder = Path(os.environ.get('INRN_PUBLISHED_CODE', ''), 'mmrazor/configs/distill/mmdet')
    if not folder.is_dir():
        pytest.skip('INRN_PUBLISHED_CODE names no folder with a clone of mmrazor')
    for path in folder.glob('*/*.py'):
        mine = tmp_path / path.name
        mine.write_text(convert(path))
        assert Config.fromfile(mine).model.distill_losses
