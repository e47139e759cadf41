"""A whole detector gives the same with both kinds of operators."""

import sys

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from tiny_coco import tiny_config

pytest.importorskip('mmdet')


def use(operators, monkeypatch):
    for name, module in list(sys.modules.items()):
        if name.startswith('mmcv.ops.') and hasattr(module, 'ext_module'):
            monkeypatch.setattr(module, 'ext_module', operators)


def test_same_average_precision(tiny_coco, tmp_path, ours, compiled, monkeypatch):
    cfg = Config(tiny_config(tiny_coco, epochs=8))
    cfg.update(work_dir=str(tmp_path), log_level='WARNING')
    runner = Runner.from_cfg(cfg)
    with DefaultScope.overwrite_default_scope('mmdet'):
        runner.train()
        metrics = []
        for operators in (ours, compiled):
            use(operators, monkeypatch)
            metrics.append(runner.val_loop.run())
    assert metrics[0] == metrics[1]
    assert metrics[0]['coco/bbox_mAP'] > 0


def test_same_training_losses(tiny_coco, tmp_path, ours, compiled, monkeypatch):
    losses = []
    for i, operators in enumerate((ours, compiled)):
        use(operators, monkeypatch)
        cfg = Config(tiny_config(tiny_coco, epochs=2))
        cfg.update(work_dir=str(tmp_path / str(i)), log_level='WARNING')
        runner = Runner.from_cfg(cfg)
        with DefaultScope.overwrite_default_scope('mmdet'):
            runner.train()
        losses.append(runner.message_hub.get_scalar('train/loss').data[0].tolist())
    assert losses[0] == losses[1]
