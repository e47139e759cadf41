"""Small inputs and configs for the tools that fit; fixtures, see conftest."""

import json

import cv2
import numpy as np
import pytest
from tool_runs import ROOT

SIREN = """
_base_ = '{root}/configs/fitting/siren_image.py'
model = dict(net=dict(type='SIREN', width=16, num_layers=1),
             tile=None, log_interval=5)
optim_wrapper = dict(optimizer=dict(lr=5e-3))
train_cfg = dict(max_iters=40, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=10, max_keep_ckpts=4))
"""
NERV = """
_base_ = '{root}/configs/fitting/inrn_video.py'
model = dict(net=dict(_delete_=True, type='NeRV', arch=4, min_width=4, stem_width=16))
train_cfg = dict(max_epochs=4, val_interval=2)
"""


def smooth(height, width, phase=0.0):
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 5 + phase), np.cos(y / 4), np.sin((x + y) / 7)]
    return (127 + 100 * np.stack(waves, -1)).astype(np.uint8)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / 'photo.png'
    cv2.imwrite(str(path), smooth(24, 32))
    return path


@pytest.fixture
def video(tmp_path):
    folder = tmp_path / 'clip'
    folder.mkdir()
    for i in range(5):
        cv2.imwrite(str(folder / f'f{i}.png'), smooth(24, 32, i / 3))
    return folder


@pytest.fixture
def siren(tmp_path):
    path = tmp_path / 'siren_image.py'
    path.write_text(SIREN.format(root=ROOT))
    return path


@pytest.fixture
def nerv(tmp_path):
    path = tmp_path / 'nerv_video.py'
    path.write_text(NERV.format(root=ROOT))
    return path


def metrics_of(folder):
    return json.loads((folder / 'metrics.json').read_text())
