"""README's snippets do what they say."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

import inrn_mm  # noqa: F401

pytest.importorskip('mmdet')
ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()
SNIPPETS = re.findall(r'```python\n(.*?)```', README, re.S)


def load(snippet, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(snippet)
    return Config.fromfile(path)


def step(model):
    from mmdet.testing import demo_mm_inputs

    data = model.data_preprocessor(demo_mm_inputs(2, [[3, 64, 64]] * 2), True)
    total, log = model.parse_losses(model.train()(**data, mode='loss'))
    total.backward()
    return log


def test_inrn_under_your_detector(tmp_path):
    cfg = load(SNIPPETS[0], tmp_path)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
        log = step(model)
    assert type(model.backbone).__name__ == 'INRN'
    assert torch.isfinite(log['loss'])
    assert all(p.grad is not None for p in model.parameters())


def test_distil_your_detector(tmp_path):
    cfg = load(SNIPPETS[1], tmp_path)
    cfg.model.update(teacher_checkpoint=None, allow_random_teacher=True)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
        log = step(model)
    assert model.teacher.net.backbone.depth == 101
    assert {f'loss_stage_mse.stage{i}' for i in (1, 2, 3)} <= set(log)
    assert all(p.grad is not None for p in model.distill_losses.parameters())


def test_there_are_two_snippets():
    assert len(SNIPPETS) == 2


def test_links_and_commands_exist():
    for target in re.findall(r'\]\((?!http)([^)#]+)\)', README):
        assert (ROOT / target).exists(), target
    for script in re.findall(r'(?:bash|python) ((?:tools|configs)/\S+?)[`\s]', README):
        assert (ROOT / script).exists(), script
