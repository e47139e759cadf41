"""Every shipped config, and the metafiles and pages about them."""

import re
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

import inrn_mm  # noqa: F401
from inrn_mm.distillation.configs import model_config, published_weights
from inrn_mm.distillation.losses import OverhaulLoss
from inrn_mm.engine.config_file import read_config

pytest.importorskip('mmdet')
ROOT = Path(__file__).parents[1]
DETECTORS = sorted((ROOT / 'configs' / 'inrn').glob('*.py'))
DISTILLED = sorted((ROOT / 'configs' / 'distill').glob('*-from-*.py'))
# schedules change nothing in the model, and these hold all students
MODEL_CONFIGS = [p for p in DETECTORS if p.name.endswith('_kd_coco.py')]


@pytest.mark.parametrize('path', DETECTORS, ids=lambda p: p.stem)
def test_config_fits_together(path):
    cfg = Config.fromfile(path)
    distilled = '_kd_' in path.name
    assert (cfg.model.type == 'KnowledgeDistiller') == distilled
    student = cfg.model.student if distilled else cfg.model
    assert student.type == {'faster': 'FasterRCNN', 'mask': 'MaskRCNN'}[path.name.split('-')[0]]
    assert ('inrn' in path.name) == (student.backbone.type == 'INRN')
    if distilled:
        assert published_weights(cfg.model.teacher).startswith('https://')
        assert cfg.model.method == 'inrn'
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
    assert len(model.bound[0].names) == 4
    for align, width in zip(model.distill_losses[0].align, (256, 512, 1024, 2048)):
        assert align.conv.out_channels == width


METHODS = dict(
    kd='LogitKDLoss',
    dkd='DecoupledKDLoss',
    dist='DISTLoss',
    fitnet='FitNetLoss',
    at='AttentionTransferLoss',
    ofd='OverhaulLoss',
    review='ReviewLoss',
    pkd='PearsonLoss',
    cwd='ChannelWiseLoss',
    mgd='MaskedGenerativeLoss',
    fgd='FocalGlobalLoss',
    fbkd='AttentionGuidedLoss',
    ld='LocalizationLoss',
)


@cache
def parsed(path):
    """Parsing takes a second: once for each file, not to be changed."""
    return Config.fromfile(path)


@pytest.mark.parametrize('path', DISTILLED, ids=lambda p: p.stem)
def test_comparison_differs_in_the_method_only(path):
    cfg = parsed(path)
    detector, networks, method, _ = path.stem.split('_')
    student = networks.replace('-from-r101', '')
    if 'rcnn' in detector:
        alone = parsed(ROOT / f'configs/inrn/{detector}_{student}_coco.py')
        for key in ('train_dataloader', 'val_evaluator', 'train_cfg', 'param_scheduler'):
            assert cfg[key] == alone[key], key
    else:
        alone = read_config(f'mmdet::{detector}/{detector}_{student}_fpn_1x_coco.py')
        assert cfg.train_dataloader.dataset.data_root == 'data/coco'
        assert cfg.train_cfg.max_epochs == alone.train_cfg.max_epochs
    model = cfg.model
    assert model.method == method
    assert '_r101_' in (model.get('teacher_checkpoint') or published_weights(model.teacher))
    assert model.student.backbone == alone.model.backbone
    assert model.student.type == alone.model.type
    assert 'inrn_mm' in cfg.custom_imports.imports
    assert cfg.optim_wrapper.optimizer.lr == alone.optim_wrapper.optimizer.lr
    # sums over the map, which have large gradients at first
    if method in ('ofd', 'mgd', 'fgd'):
        assert cfg.optim_wrapper.clip_grad.max_norm == 35


def narrow(cfg):
    """The same layers with an eighth of the channels."""
    backbone = cfg.backbone
    if backbone.type == 'ResNet':
        backbone.base_channels = 8
        cfg.neck.in_channels = [32, 64, 128, 256]
    else:
        backbone.arch = dict(widths=[8, 16, 32, 64], depths=[2, 2, 8, 2])
        cfg.neck.in_channels = [8, 16, 32, 64]
    if 'roi_head' in cfg:
        cfg.roi_head.bbox_head.fc_out_channels = 32
    return cfg


@cache
def narrow_teacher(config):
    return narrow(model_config(config))


@pytest.mark.parametrize('path', DISTILLED, ids=lambda p: p.stem)
def test_layers_of_a_method_exist(path, quick_init):
    cfg = deepcopy(parsed(path).model)
    cfg.teacher = narrow_teacher(cfg.teacher)
    cfg.student = narrow(cfg.student)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg)
    (loss,) = model.distill_losses
    assert type(loss).__name__ == METHODS[cfg.method]
    assert cfg.teacher.backbone.depth == 101
    if isinstance(loss, OverhaulLoss):
        # the norms named exist and fit the features
        loss.attach_teacher([None] * 4, model.teacher.net)
        assert [s.index for s, _ in model.bound[0].taps] == [None] * 4
    assert len(model.bound[0].names) == len(loss.pairs)


def test_heads_that_begin_as_the_teachers():
    """FGD's inheriting strategy."""
    model = parsed(ROOT / 'configs/distill' / 'faster-rcnn_r50-from-r101_fgd_coco.py').model
    student = model.student
    for name, part in (
        ('neck', student.neck),
        ('rpn_head', student.rpn_head),
        ('roi_head.bbox_head', student.roi_head.bbox_head),
    ):
        assert part.init_cfg == dict(
            type='Pretrained', checkpoint=model.teacher_checkpoint, prefix=f'{name}.'
        )
    assert 'resnet50' in student.backbone.init_cfg.checkpoint


def test_coco_folder_comes_from_the_environment(monkeypatch):
    path = ROOT / 'configs/inrn/mask-rcnn_inrn-m_kd_coco.py'
    assert Config.fromfile(path).train_dataloader.dataset.data_root == 'data/coco'
    monkeypatch.setenv('INRN_COCO_ROOT', '/elsewhere')
    cfg = Config.fromfile(path)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.data_root == '/elsewhere'
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert evaluator.ann_file == '/elsewhere/annotations/instances_val2017.json'


def test_metafiles_say_what_has_weights():
    """As mmengine and mim read them, which want all of these keys."""
    from mmengine.config.utils import _get_cfg_metainfo

    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert set(index['Import']) == {
        str(p.relative_to(ROOT)) for p in (ROOT / 'configs').rglob('metafile.yml')
    }
    models = []
    for file in index['Import']:
        meta = yaml.safe_load((ROOT / file).read_text())
        assert {m['In Collection'] for m in meta['Models']} == {
            c['Name'] for c in meta['Collections']
        }
        models += meta['Models']
    assert len({m['Name'] for m in models}) == len(models) > 0
    for model in models:
        path = ROOT / model['Config']
        assert path.is_file() and path.stem == model['Name']
        assert all(result['Metrics'] for result in model['Results'])
        name = model['Config'].removeprefix('configs/')
        assert _get_cfg_metainfo(str(ROOT / 'inrn_mm'), name) == model
        assert published_weights(f'inrn_mm::{name}') == model['Weights']


FOLDERS = ('inrn', 'distill', 'classification', 'fitting')


@pytest.mark.parametrize('folder', FOLDERS)
def test_readme_of_a_folder_names_its_configs(folder):
    """Each config by its name, or by the pattern that a row stands for."""
    page = (ROOT / 'configs' / folder / 'README.md').read_text()
    named = set()
    for text in re.findall(r'`([^`\n]+)`', page):
        named |= {name.removesuffix('.py') for name in braces(text)}
    names = {p.stem for p in (ROOT / 'configs' / folder).glob('*.py')}
    assert not names - named, 'not in the README'
    # what looks like a config is one
    like = {n for n in named if re.fullmatch(r'[a-z0-9.-]+(_[a-z0-9.-]+)*', n)}
    like = {n for n in like if n.endswith(('_coco', '_cifar100', '_imagenet', '_image', '_video'))}
    assert not like - names, 'not in the folder'


@pytest.mark.parametrize('folder', FOLDERS)
def test_figures_of_a_folder_are_those_of_the_docs(folder):
    """Or of the zoo, which the metafile has; nothing is measured in a README."""
    page = (ROOT / 'configs' / folder / 'README.md').read_text()
    sources = ''.join(p.read_text() for p in (ROOT / 'docs').glob('*.md'))
    sources += (ROOT / 'README.md').read_text()
    sources += (ROOT / 'configs/inrn/metafile.yml').read_text()
    rows = [line for line in page.splitlines() if line.startswith('| ')]
    figures = re.findall(r'\d+(?:\.\d+)? ± [\d.]+|\d+\.\d+', '\n'.join(rows))
    missing = [f for f in figures if not re.search(rf'(?<![\d.]){re.escape(f)}(?![\d.])', sources)]
    assert not missing
    for target in re.findall(r'\]\((?!http)([^)#]+)', page):
        assert (ROOT / 'configs' / folder / target).exists(), target


def braces(text):
    """Expand {a,b} as a shell does."""
    match = re.search(r'\{([^{}]*)\}', text)
    if match is None:
        return [text]
    words = match[1].split(',')
    return [x for w in words for x in braces(text[: match.start()] + w + text[match.end() :])]


def test_bases_are_in_their_rooms():
    base = ROOT / 'configs' / '_base_'
    rooms = {p.name for p in base.iterdir() if p.is_dir() and any(p.glob('*.py'))}
    assert rooms == {'datasets', 'models', 'schedules'}
    assert all(p.name.endswith('runtime.py') for p in base.glob('*.py'))
    assert [p for p in (ROOT / 'configs').rglob('_base_') if any(p.rglob('*.py'))] == [base]


def test_config_names_are_unique():
    """``mim`` finds a config by its name alone."""
    names = [p.name for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts]
    assert len(names) == len(set(names))


def test_base_for_other_peoples_configs(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(
        "_base_ = 'inrn_mm::inrn/faster-rcnn_inrn-m_kd_coco.py'\n"
        'train_dataloader = dict(batch_size=7)\n'
    )
    cfg = Config.fromfile(path)
    assert cfg.train_dataloader.batch_size == 7
    assert cfg.model.student.backbone.type == 'INRN'


def test_classification_weights_initialise_the_detector(tmp_path, monkeypatch):
    """The ImageNet variant: a classifier's checkpoint, prefix and all."""
    from inrn_mm.backbones import INRN

    source = INRN('m')
    torch.nn.init.constant_(source.stem[0].bn.bias, 0.3)
    torch.save(
        dict(state_dict={f'backbone.{k}': v for k, v in source.state_dict().items()}),
        tmp_path / 'cls.pth',
    )
    monkeypatch.setenv('INRN_M_IN1K', str(tmp_path / 'cls.pth'))
    cfg = Config.fromfile(ROOT / 'configs/inrn/faster-rcnn_inrn-m-in1k_kd_1x_coco.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        backbone = MODELS.build(cfg.model.student.backbone)
    backbone.init_weights()
    for key, value in source.state_dict().items():
        assert torch.equal(backbone.state_dict()[key], value), key
