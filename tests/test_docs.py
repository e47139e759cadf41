"""What docs/distillation.md says of the code."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

import inrn_mm  # noqa: F401
from inrn_mm.distillation import losses
from inrn_mm.distillation.losses import DistillLoss

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / 'docs' / 'distillation.md').read_text()
LEVELS = [torch.Size((1, 256, 64 >> i, 64 >> i)) for i in range(5)]


def stages(*widths):
    return [torch.Size((1, w, 64 >> i, 64 >> i)) for i, w in enumerate(widths)]


TEACHER = stages(256, 512, 1024, 2048)
STUDENTS = TEACHER, stages(64, 128, 256, 512)
ROWS = re.findall(r'`(\w+)` \|[^|]*\|[^|]*\| ([\d,]+) / ([\d,]+) \|', PAGE)


def method_configs():
    """The losses of the detectors' bases, by class."""
    found = {}
    for path in (ROOT / 'configs' / '_base_' / 'distillers').glob('*_coco.py'):
        for loss in Config.fromfile(path).distill.distill_losses:
            found[loss.type] = loss
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
        if '_base_' in block:
            block = block[block.index('    distill_losses=') :].strip(' ),\n')
        names = {}
        exec(block, names)
        for cfg in names['distill_losses']:
            assert isinstance(MODELS.build(cfg), DistillLoss)
            count += 1
    assert count == 7


def test_files_exist():
    for link in re.findall(r'\]\((\.\./[^)#]+)\)', PAGE):
        assert (ROOT / 'docs' / link).exists(), link
