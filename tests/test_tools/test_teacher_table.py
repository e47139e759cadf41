"""Networks of other libraries, a few of tools/analysis_tools/teacher_table.py's list."""

import re
import runpy
import sys

import pytest
from tool_runs import ROOT

SCRIPT = str(ROOT / 'tools' / 'analysis_tools' / 'teacher_table.py')


def test_features_are_those_by_hand(monkeypatch, capsys):
    pytest.importorskip('transformers')
    pytest.importorskip('mmpretrain')
    names = ['shufflenet_v2_x0_5', 'dinov2', 'dinov3_vit', 'clip_vision_model']
    monkeypatch.setattr(sys, 'argv', [SCRIPT, '--only', *names])
    runpy.run_path(SCRIPT, run_name='__main__')
    rows = re.findall(r'^\| `(.*)` \| (.*) \| (\d) \| (\S+) \|$', capsys.readouterr().out, re.M)
    assert [row[:3] for row in rows] == [
        ('torchvision::shufflenet_v2_x0_5', '2, 4, 8, 16, 32', '0'),
        ('hf::dinov2', '14', '1'),
        ('hf::dinov3_vit', '16', '5'),
        ('hf::clip_vision_model', '32', '1'),
    ]
    assert all(float(row[3]) < 1e-5 for row in rows)
