"""Every shipped config, and the metafiles about them."""
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

import inrn_mm  # noqa: F401

pytest.importorskip('mmdet')
ROOT = Path(__file__).parents[1]
DETECTORS = sorted((ROOT / 'configs' / 'inrn').glob('*.py'))
# schedules change nothing in the model, and these hold all students
MODEL_CONFIGS = [p for p in DETECTORS if p.name.endswith('_kd_coco.py')]


@pytest.mark.parametrize('path', DETECTORS, ids=lambda p: p.stem)
def test_config_fits_together(path):
    cfg = Config.fromfile(path)
    distilled = '_kd_' in path.name
    assert (cfg.model.type == 'KnowledgeDistiller') == distilled
    student = cfg.model.student if distilled else cfg.model
    assert student.type == {
        'faster': 'FasterRCNN',
        'mask': 'MaskRCNN'
    }[path.name.split('-')[0]]
    assert ('inrn' in path.name) == (student.backbone.type == 'INRN')
    if distilled:
        assert cfg.model.teacher_checkpoint.startswith('https://')
    assert 'inrn_mm' in cfg.custom_imports.imports
    metrics = cfg.val_evaluator.metric
    assert ('segm' in metrics) == path.name.startswith('mask')
    # the schedule's name is what it does
    if '_1x_' in path.name or '_2x_' in path.name:
        assert cfg.train_cfg.max_epochs == 12 * (1 + ('_2x_' in path.name))
        assert cfg.param_scheduler[1].end == cfg.train_cfg.max_epochs
    elif 'inrn' in path.name:
        assert cfg.train_cfg.max_epochs == 72


@pytest.fixture
def quick_init(monkeypatch):
    """Random numbers for a hundred million weights take their time."""
    for layer in (nn.Conv2d, nn.Linear, nn.ConvTranspose2d):
        monkeypatch.setattr(layer, 'reset_parameters', zero)


def zero(layer):
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


@pytest.mark.parametrize('path', MODEL_CONFIGS, ids=lambda p: p.stem)
def test_distilled_model_builds(path, quick_init):
    cfg = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    teacher = model.teacher.net
    assert teacher.backbone.depth == 101
    # caffe-style weights: BGR, std 1
    assert teacher.data_preprocessor.std.flatten().tolist() == [1, 1, 1]
    assert not model.teacher.inputs.is_identity
    assert len(model.loss_names[0]) == 4
    for align, width in zip(model.distill_losses[0].align,
                            (256, 512, 1024, 2048)):
        assert align.conv.out_channels == width


def test_coco_folder_comes_from_the_environment(monkeypatch):
    path = ROOT / 'configs/inrn/mask-rcnn_inrn-m_kd_coco.py'
    assert Config.fromfile(
        path).train_dataloader.dataset.data_root == 'data/coco'
    monkeypatch.setenv('INRN_COCO_ROOT', '/elsewhere')
    cfg = Config.fromfile(path)
    for loader in (cfg.train_dataloader, cfg.val_dataloader,
                   cfg.test_dataloader):
        assert loader.dataset.data_root == '/elsewhere'
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert evaluator.ann_file == \
            '/elsewhere/annotations/instances_val2017.json'


def test_metafile_lists_the_configs():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    listed = {}
    for file in index['Import']:
        meta = yaml.safe_load((ROOT / file).read_text())
        listed.update({m['Config']: m['Name'] for m in meta['Models']})
    assert listed == {
        str(p.relative_to(ROOT)): p.stem
        for p in DETECTORS
    }


def test_config_names_are_unique():
    """``mim`` finds a config by its name alone."""
    names = [p.name for p in (ROOT / 'configs').rglob('*.py')
             if '_base_' not in p.parts]
    assert len(names) == len(set(names))


def test_base_for_other_peoples_configs(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = 'inrn_mm::inrn/faster-rcnn_inrn-m_kd_coco.py'\n"
                    'train_dataloader = dict(batch_size=7)\n')
    cfg = Config.fromfile(path)
    assert cfg.train_dataloader.batch_size == 7
    assert cfg.model.student.backbone.type == 'INRN'


def test_classification_weights_initialise_the_detector(tmp_path,
                                                        monkeypatch):
    """The ImageNet variant: a classifier's checkpoint, prefix and all."""
    from inrn_mm.backbones import INRN
    source = INRN('m')
    torch.nn.init.constant_(source.stem[0].bn.bias, 0.3)
    torch.save(
        dict(state_dict={
            f'backbone.{k}': v
            for k, v in source.state_dict().items()
        }), tmp_path / 'cls.pth')
    monkeypatch.setenv('INRN_M_IN1K', str(tmp_path / 'cls.pth'))
    cfg = Config.fromfile(
        ROOT / 'configs/inrn/faster-rcnn_inrn-m-in1k_kd_1x_coco.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        backbone = MODELS.build(cfg.model.student.backbone)
    backbone.init_weights()
    for key, value in source.state_dict().items():
        assert torch.equal(backbone.state_dict()[key], value), key
