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
from inrn_mm.distillation.configs import published_weights

FOLDER = Path(__file__).parents[1] / 'configs' / 'classification'
CONFIGS = sorted(FOLDER.glob('*.py'))
DISTILLED = [p for p in CONFIGS if p.stem.split('_')[1] in ('inrn', 'kd', 'crd')]
PLAIN = [p for p in CONFIGS if p not in DISTILLED]


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


@pytest.mark.parametrize('path', DISTILLED, ids=lambda p: p.stem)
def test_distilled_differs_in_the_method_only(path):
    cfg = parsed(path)
    networks, method, data = path.stem.split('_')
    student, _, teacher = networks.partition('-from-')
    alone = parsed(FOLDER / f'{student}_{data}.py')
    model = cfg.model
    assert (model.method if method != 'crd' else model.method.type) == method
    assert model.student == alone.model
    name = teacher or ('resnet101' if data == 'imagenet' else 'resnet32x4')
    assert f'/{name}_' in model.teacher
    if data == 'imagenet':  # its package publishes the weights
        assert f'/{name}_' in published_weights(model.teacher)
    else:
        assert f'/{name}_' in model.teacher_checkpoint
    for key in (set(alone) | set(cfg)) - {'model'}:
        assert cfg[key] == alone[key], key


@pytest.mark.parametrize('path', DISTILLED, ids=lambda p: p.stem)
def test_layers_of_a_method_exist(path, quick_init):
    cfg = deepcopy(parsed(path))
    if 'crd' in path.stem:
        assert cfg.model.method.num_samples == 50000
        cfg.model.method.num_samples = 10
    model = build(cfg, probe_size=(32, 32))
    (loss,) = model.distill_losses
    assert len(model.bound[0].names) == len(loss.pairs)
    assert model.task_weight == (0.1 if '_kd_' in path.stem else 1.0)


def test_schedule_of_the_published_pairs():
    cfg = parsed(FOLDER / 'resnet20-from-resnet56_kd_cifar100.py')
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
ROWS = [row for p in PRESETS['presets'].values() for row in p.get('configs', [p.get('student')])]
ABLATIONS = sorted({row for row in ROWS if '+' in row})


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
    cfg = deepcopy(parsed(FOLDER / 'resnet20-from-resnet56_kd_cifar100.py'))
    cfg.model.student.head.num_classes = 10
    with pytest.raises(ValueError, match='classes differ, 10 and 100.*methods that fit both are'):
        build(cfg)


@pytest.mark.parametrize('name', ['inrn-s_cifar100', 'inrn-s_inrn_cifar100'])
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
