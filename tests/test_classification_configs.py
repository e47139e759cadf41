"""The classification configs, and short trainings with them."""

import argparse
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config, DictAction
from mmengine.registry import DATASETS, METRICS, MODELS, DefaultScope
from torch import nn

pytest.importorskip('mmpretrain')
import inrn_mm.classification  # noqa: F401
from inrn_mm.distillation.losses import OverhaulLoss

FOLDER = Path(__file__).parents[1] / 'configs' / 'classification'
METHODS = dict(
    kd='LogitKDLoss',
    dkd='DecoupledKDLoss',
    dist='DISTLoss',
    fitnet='FitNetLoss',
    at='AttentionTransferLoss',
    ofd='OverhaulLoss',
    crd='ContrastiveLoss',
    review='ReviewLoss',
    inrn='StageMSELoss',
    cwd='ChannelWiseLoss',
    pkd='PearsonLoss',
    mgd='MaskedGenerativeLoss',
)
UNPUBLISHED = ('cwd', 'pkd', 'mgd')  # for the published pairs
CONFIGS = sorted(FOLDER.glob('*.py'))
DISTILLED = [p for p in CONFIGS if p.stem.split('_')[1] in METHODS]
PLAIN = [p for p in CONFIGS if p not in DISTILLED]
STUDENTS = ('inrn-s', 'resnet14x4-from-resnet32x4')
PUBLISHED = ('resnet8-from-resnet20', 'resnet20-from-resnet56', 'resnet8x4-from-resnet32x4')


@cache
def parsed(path):
    """Parsing takes its time: once for each file, not to be changed."""
    return Config.fromfile(path)


@pytest.fixture
def quick_init(monkeypatch):
    """Random numbers for millions of weights take their time."""
    for layer in (nn.Conv2d, nn.Linear):
        monkeypatch.setattr(layer, 'reset_parameters', lambda self: None)


def build(cfg, **changes):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(
            dict(deepcopy(cfg.model), data_preprocessor=deepcopy(cfg.data_preprocessor), **changes)
        )


def test_every_method_has_every_student():
    names = {p.stem for p in DISTILLED}
    expected = {f'{s}_{m}_cifar100' for s in STUDENTS for m in METHODS}
    expected |= {f'{s}_{m}_cifar100' for s in PUBLISHED for m in METHODS if m not in UNPUBLISHED}
    expected |= {f'inrn-{s}_{m}_imagenet' for s in 'ml' for m in METHODS}
    assert names == expected


@pytest.mark.parametrize('path', DISTILLED, ids=lambda p: p.stem)
def test_distilled_differs_in_the_method_only(path):
    cfg = parsed(path)
    networks, method, data = path.stem.split('_')
    student, _, teacher = networks.partition('-from-')
    alone = parsed(FOLDER / f'{student}_{data}.py')
    model = cfg.model
    assert [x.type for x in model.distill_losses] == [METHODS[method]]
    expected = deepcopy(alone.model)
    if method == 'kd':
        # its paper weights the task's loss as well
        expected.head.loss.loss_weight = 0.1 if data == 'cifar100' else 0.5
    assert model.student == expected
    name = teacher or ('resnet101' if data == 'imagenet' else 'resnet32x4')
    assert f'/{name}_' in model.teacher
    assert f'/{name}_' in model.teacher_checkpoint
    same = set(alone) | set(cfg)
    same -= {'model', 'distill_losses', 'teacher', 'teacher_checkpoint'}
    # the variables that OFD names its layers with
    same -= {'preactivations', 'margin_layers'}
    for key in same:
        assert cfg[key] == alone[key], key


# the layers of INRN-L are called as those of INRN-M
@pytest.mark.parametrize(
    'path', [p for p in DISTILLED if not p.stem.startswith('inrn-l')], ids=lambda p: p.stem
)
def test_layers_of_a_method_exist(path, quick_init):
    changes = dict(probe_size=(32, 32))
    cfg = deepcopy(parsed(path))
    if 'crd' in path.stem:
        assert cfg.model.distill_losses[0].num_samples == (
            50000 if 'cifar100' in path.stem else 1281167
        )
        cfg.model.distill_losses[0].num_samples = 10
    model = build(cfg, **changes)
    (loss,) = model.distill_losses
    if isinstance(loss, OverhaulLoss):
        loss.attach_teacher([None] * 4, model.teacher.net)
    assert len(model.bound[0].names) == len(loss.pairs)


@pytest.mark.parametrize(
    'method, pair, expected',
    [
        ('kd', 0, dict(temperature=4.0, weight=0.9)),
        ('dkd', 0, dict(alpha=1.0, beta=2.0, temperature=4.0)),
        ('dkd', 1, dict(alpha=1.0, beta=8.0, temperature=4.0)),
        ('review', 0, dict(weight=0.6)),
        ('review', 1, dict(weight=5.0)),
        ('fitnet', 0, dict(weight=100.0, pairs=[(1, 1)])),
        ('at', 0, dict(weight=1000.0)),
        ('ofd', 0, dict(weight=1e-3)),
        ('crd', 1, dict(weight=0.8, temperature=0.07, num_negatives=16384)),
        ('dist', 0, dict(beta=2.0, gamma=2.0, temperature=4.0)),
    ],
)
def test_published_settings(method, pair, expected):
    students = 'resnet20-from-resnet56', 'resnet8x4-from-resnet32x4'
    cfg = parsed(FOLDER / f'{students[pair]}_{method}_cifar100.py')
    (loss,) = cfg.model.distill_losses
    for key, value in expected.items():
        assert loss[key] == value, key
    if method in ('review', 'dkd'):
        assert loss.schedule == dict(warmup=20, by_epoch=True)
    assert cfg.train_cfg.max_epochs == 240
    assert cfg.train_dataloader.batch_size == 64
    assert cfg.optim_wrapper.optimizer.lr == 0.05
    assert cfg.param_scheduler.milestones == [150, 180, 210]


@pytest.mark.parametrize('path', PLAIN, ids=lambda p: p.stem)
def test_plain_models_build(path, quick_init):
    cfg = parsed(path)
    model = build(cfg).eval()
    classes = 100 if path.stem.endswith('cifar100') else 1000
    scores = model(torch.zeros(1, 3, 32, 32))
    assert scores.shape == (1, classes)
    assert cfg.data_preprocessor.num_classes == classes


PRESETS = yaml.safe_load((FOLDER / 'presets.yml').read_text())
ABLATIONS = sorted({row for p in PRESETS['presets'].values() for row in p['configs'] if '+' in row})


@pytest.mark.parametrize('row', ABLATIONS)
def test_an_ablation_is_one_change_of_the_backbone(row, quick_init):
    name, variant = row.split('+')
    base = parsed(FOLDER / f'{name}.py')
    cfg = deepcopy(base)
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    options = [f'model.{option}' for option in PRESETS['variants'][variant]]
    cfg.merge_from_dict(parser.parse_args(['--cfg-options', *options]).cfg_options)
    one, other = dict(cfg.model), dict(base.model)
    one, other = one.pop('backbone'), other.pop('backbone')
    changed = [k for k in set(one) | set(other) if one.get(k) != other.get(k)]
    assert len(changed) == 1
    assert build(cfg).eval()(torch.zeros(1, 3, 32, 32)).shape == (1, cfg.model.head.num_classes)


def test_imagenet_folder_comes_from_the_environment(monkeypatch):
    path = FOLDER / 'inrn-m_imagenet.py'
    assert Config.fromfile(path).train_dataloader.dataset.data_root == 'data/imagenet'
    monkeypatch.setenv('INRN_IMAGENET_ROOT', '/elsewhere')
    cfg = Config.fromfile(path)
    for split in ('train', 'val', 'test'):
        assert cfg[f'{split}_dataloader'].dataset.data_root == '/elsewhere'


def test_teacher_of_another_class_count(quick_init):
    cfg = deepcopy(parsed(FOLDER / 'resnet8-from-resnet20_kd_cifar100.py'))
    cfg.model.student.head.num_classes = 10
    with pytest.raises(ValueError, match='10.*100|100.*10'):
        build(cfg)


def test_stock_pipeline_of_mmpretrain(monkeypatch, tmp_path):
    """The other base for CIFAR-100, for those who want it."""
    monkeypatch.setenv('INRN_CIFAR100_ROOT', '/elsewhere')
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = 'inrn_mm::_base_/datasets/cifar100_stock.py'\n")
    cfg = Config.fromfile(path)
    assert cfg.data_preprocessor.get('type') is None
    for split, size in (('train', 64), ('val', 500), ('test', 500)):
        loader = cfg[f'{split}_dataloader']
        assert loader.dataset.type == 'CIFAR100'
        assert loader.dataset.data_root == '/elsewhere'
        assert loader.batch_size == size


@pytest.mark.parametrize('name', ['inrn-s_cifar100', 'inrn-s_kd_cifar100'])
def test_inherited_from_another_package(name, tmp_path, quick_init):
    """mmengine gives what comes from ``inrn_mm::`` our scope, in which there
    are none of mmpretrain's modules."""
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = 'inrn_mm::classification/{name}.py'\n")
    cfg = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        cfg.model.pop('data_preprocessor', None)
        cfg.model.pop('teacher_checkpoint', None)
        if cfg.model.type == 'KnowledgeDistiller':
            cfg.model.allow_random_teacher = True
        assert MODELS.build(cfg.model) is not None
        METRICS.build(cfg.val_evaluator)
        with pytest.raises(FileNotFoundError, match='cifar'):
            DATASETS.build(dict(cfg.val_dataloader.dataset, data_root=str(tmp_path)))
