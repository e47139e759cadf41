"""What docs/distillation.md says of the code."""

import re
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

import inrn_mm  # noqa: F401
from inrn_mm.distillation import losses
from inrn_mm.distillation.configs import model_config
from inrn_mm.distillation.losses import DistillLoss
from inrn_mm.distillation.methods import METHODS, Network, list_methods

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / 'docs' / 'distillation.md').read_text()
LEVELS = [torch.Size((1, 256, 64 >> i, 64 >> i)) for i in range(5)]


def stages(*widths):
    return [torch.Size((1, w, 64 >> i, 64 >> i)) for i, w in enumerate(widths)]


TEACHER = stages(256, 512, 1024, 2048)
STUDENTS = TEACHER, stages(64, 128, 256, 512)
ROWS = re.findall(r'`(\w+)` \|[^|]*\|[^|]*\| ([\d,]+) / ([\d,]+) \|', PAGE)


@cache
def method_configs():
    """The losses of Faster R-CNN, by class."""
    names = ('r50', 'student'), ('r101', 'teacher')
    with DefaultScope.overwrite_default_scope('mmdet'):
        nets = [
            Network(MODELS.build(model_config(f'inrn_mm::inrn/faster-rcnn_{name}_coco.py')), role)
            for name, role in names
        ]
    found = {}
    for name in set(list_methods()) - {'auto', 'crd', 'ld'}:
        found.update((loss['type'], loss) for loss in METHODS.get(name)(*nets)['distill_losses'])
    return found


def test_table_of_methods_is_complete():
    classes = {name for name in losses.__all__ if name != 'DistillLoss'}
    assert set(re.findall(r'^\|.*?`(\w+Loss)` \|', PAGE, re.M)) == classes
    # what has a config has its parameters counted
    assert {name for name, _, _ in ROWS} == set(method_configs())


@pytest.mark.parametrize('name, r50, inrn', ROWS, ids=lambda x: x)
def test_added_parameters(name, r50, inrn):
    cfg = method_configs()[name]
    for student, expected in zip(STUDENTS, (r50, inrn)):
        loss = MODELS.build(cfg)
        shapes = []
        for i, (layer, _) in enumerate(loss.pairs):
            if 'fc_cls' in str(layer):
                shapes.append((torch.Size((8, 81)),) * 2)
            elif 'neck' in str(layer):
                shapes.append((LEVELS[i],) * 2)
            else:
                stage = layer if isinstance(layer, int) else i
                shapes.append((student[stage], TEACHER[stage]))
        loss.build(*zip(*shapes))
        assert f'{sum(p.numel() for p in loss.parameters()):,}' == expected


def test_examples_are_losses():
    """Every loss in a code block has the arguments that it is shown with."""
    count = 0
    for block in re.findall(r'```python\n(.*?)```', PAGE, re.S):
        if 'distill_losses' not in block:
            continue
        names = {}
        exec(block, names)
        for cfg in names['distill_losses']:
            assert isinstance(MODELS.build(cfg), DistillLoss)
            count += 1
    assert count == 6


def test_table_of_methods_by_name_is_complete():
    assert set(re.findall(r'^\| `(\w+)` \|', PAGE, re.M)) >= set(list_methods())


def test_files_exist():
    for link in re.findall(r'\]\((\.\./[^)#]+)\)', PAGE):
        assert (ROOT / 'docs' / link).exists(), link
