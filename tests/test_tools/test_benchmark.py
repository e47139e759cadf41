"""The benchmark's tables on networks that take no time."""
import json
import time

import pytest
import torch
from torch import nn

from inrn_mm.benchmark import timing


def result(run_tool, tmp_path, *arguments):
    file = tmp_path / 'result.json'
    run_tool('analysis_tools/benchmark.py', *arguments, '--iters', 1,
             '--warmup', 0, '--json', file)
    found = json.loads(file.read_text())
    assert 'torch' in found['machine']
    assert found['command'][0] == arguments[0]
    return {(row['name'], row.get('way')): row for row in found['rows']}


STAGES = dict(type='StageMSELoss', pairs=[(1, 1), (3, 3)])


def distilled(tmp_path, tiny_coco, loss):
    """Config of a tiny detector and a teacher of its kind."""
    from tiny_coco import tiny_config
    from tool_runs import dump_config
    pytest.importorskip('mmdet')
    cfg = tiny_config(tiny_coco)
    cfg['model'] = dict(
        type='KnowledgeDistiller',
        student=cfg['model'],
        teacher=cfg['model'],
        distill_losses=[loss])
    cfg['default_scope'] = 'mmdet'
    return dump_config(tmp_path / 'kd.py', cfg)


def test_tasks_take_turns():
    calls = []
    seconds = timing.interleave(
        dict(a=lambda: calls.append('a'), b=lambda: calls.append('b')),
        iters=2,
        warmup=1)
    assert calls == ['a', 'b'] * 3
    assert {k: len(v) for k, v in seconds.items()} == dict(a=2, b=2)


def test_seconds_are_those_of_the_task():
    seconds = timing.interleave(dict(nap=lambda: time.sleep(0.05)), 1, 0)
    assert 0.05 <= seconds['nap'][0] < 0.5


def test_ratios_are_of_rounds():
    found = timing.ratio([2., 6., 4.], [1., 2., 4.])
    assert found == dict(ratio=2., low=1.5, high=2.5)


def test_peak_memory_counts_what_is_held_at_a_time():
    megabyte = 2**18

    def task():
        for _ in range(3):
            held = torch.ones(megabyte)
            both = held + torch.ones(megabyte)
            del held, both

    assert 3 * 2**20 <= timing.peak_memory(task) < 3.1 * 2**20


def test_module_bytes():
    assert timing.module_bytes(nn.BatchNorm2d(4)) == 4 * 4 * 4 + 8


def test_distill(run_tool, tmp_path, tiny_coco, capsys):
    config = distilled(tmp_path, tiny_coco, STAGES)
    rows = result(run_tool, tmp_path, 'distill', '--config', config, '--size',
                  64, 64, '--batch', 1, '--variants', 'folded')
    names = [name for name, _ in rows]
    assert names == [
        'student alone', 'ours', 'ours, weights 0',
        'whole teacher in loss mode', "teacher's extract_feat",
        'ours, teacher folded', 'floor'
    ]
    assert rows['floor', None]['floor'] == 1
    assert all(row['peak_mb'] > 0.1 for row in rows.values())
    # the teacher's weights are held beside the student's
    assert rows['ours', None]['peak_mb'] > rows['student alone',
                                                None]['peak_mb']
    assert 'x floor' in capsys.readouterr().out


def test_distill_of_the_same_proposals(run_tool, tmp_path, tiny_coco):
    """The plain ways have no proposals for the teacher."""
    logits = 'roi_head.bbox_head.fc_cls'
    config = distilled(
        tmp_path, tiny_coco,
        dict(
            type='LogitKDLoss', pairs=[(logits, logits)], same_proposals=True))
    rows = result(run_tool, tmp_path, 'distill', '--config', config, '--size',
                  64, 64, '--batch', 1, '--variants', '--no-memory')
    names = [name for name, _ in rows]
    assert names == ['student alone', 'ours', 'ours, weights 0', 'floor']


def test_distill_needs_a_distiller(run_tool, tmp_path, capsys):
    from tool_runs import dump_config
    config = dump_config(tmp_path / 'plain.py', dict(model=dict(type='X')))
    with pytest.raises(SystemExit):
        run_tool('analysis_tools/benchmark.py', 'distill', '--config', config)
    assert 'its model is no KnowledgeDistiller' in capsys.readouterr().err


def test_scaling(run_tool, tmp_path, tiny_coco):
    config = distilled(tmp_path, tiny_coco, STAGES)
    rows = result(run_tool, tmp_path, 'scaling', '--config', config, '--size',
                  64, 64, '--batch', 2)
    assert [name for name, _ in rows] == [
        f'{model}, {how}' for model in ('student alone', 'ours')
        for how in ('one process', 'nothing exchanged', '2 processes')
    ]
    for (name, _), row in rows.items():
        images = 2 if 'one process' in name else 4
        assert row['images'] == pytest.approx(images / row['seconds'])
    assert rows['ours, one process', None]['one'] == 1


def test_scaling_needs_two_processes(run_tool, capsys):
    with pytest.raises(SystemExit):
        run_tool('analysis_tools/benchmark.py', 'scaling', '--processes', 1)
    assert 'Give two --processes or more, not 1.' in capsys.readouterr().err


def test_scaling_tells_what_a_process_did_not_like(tmp_path):
    from multiprocessing import Pipe
    from types import SimpleNamespace

    from tool_runs import dump_config

    from inrn_mm.benchmark.scaling import _work
    config = dump_config(tmp_path / 'plain.py', dict(model=dict(type='X')))
    here, there = Pipe()
    _work(there, None, 0,
          SimpleNamespace(config=config, threads=1, device='cpu'))
    assert 'its model is no KnowledgeDistiller' in str(here.recv())


@pytest.mark.parametrize('train', [False, True])
def test_backbone(run_tool, tmp_path, train):
    pytest.importorskip('mmpretrain')
    rows = result(run_tool, tmp_path, 'backbone', '--networks', 'INRN-M',
                  '--ways', 'channels_last', 'deployed', '--size', 32, 32,
                  '--batch', 2, *['--train', '--no-memory'] * train)
    ways = ['eager', 'channels_last'] + ['deployed'] * (not train)
    assert list(rows) == [('ResNet-50', 'eager'),
                          *(('INRN-M', way) for way in ways)]
    # torchvision's documentation, without the classifier's 2.05 million
    assert rows['ResNet-50', 'eager']['parameters'] == pytest.approx(
        25.557 - 2.049, abs=1e-3)
    assert rows['ResNet-50', 'eager']['relative'] == 1
    assert ('latency_ms' in rows['INRN-M', 'eager']) != train


def test_names_of_the_tool_are_those_of_the_package():
    import runpy

    from tool_runs import ROOT

    from inrn_mm.benchmark import backbone, distill, fit
    tool = runpy.run_path(str(ROOT / 'tools/analysis_tools/benchmark.py'))
    assert tool['NETWORKS'] == list(backbone.NETWORKS)
    assert ['eager', *tool['WAYS']] == list(backbone.WAYS)
    assert tool['FITS'] == list(fit.NETWORKS)
    parser = tool['make_parser']()
    variants = list(distill.VARIANTS)
    peers = list(distill.PEERS)
    args = parser.parse_args(
        ['distill', '--variants', *variants, '--peers', *peers])
    assert args.variants == variants
    assert args.peers == peers


@pytest.mark.parametrize('kind', ['coco', 'cifar'])
def test_direct_losses_say_the_same(kind):
    """What ours is timed against is the same function."""
    from mmengine.registry import MODELS

    from inrn_mm.benchmark import losses
    found = losses.shapes(kind, 2, (64, 64))
    for name, direct in losses.DIRECT.items():
        pairs_of, options = losses.LOSSES[name]
        pairs = found[pairs_of]
        loss = MODELS.build(
            dict(type=name, pairs=[(0, 0)] * len(pairs), **options))
        loss.build(*([torch.Size(p[i]) for p in pairs] for i in range(2)))
        student, teacher = ([torch.randn(p[i]) for p in pairs]
                            for i in range(2))
        torch.testing.assert_close(
            sum(loss(student, teacher)),
            direct(loss, student, teacher),
            rtol=1e-4,
            atol=1e-5)


def test_losses(run_tool, tmp_path):
    from inrn_mm.benchmark.losses import LOSSES
    rows = result(run_tool, tmp_path, 'losses', '--size', 64, 64, '--batch', 1)
    assert [name for name, _ in rows] == list(LOSSES)
    assert rows['StageMSELoss', None]['relative'] > 0


def test_fit(run_tool, tmp_path):
    rows = result(run_tool, tmp_path, 'fit', '--networks', 'NeRV-S', '--size',
                  45, 80)
    names = ['NeRV-S', 'NeRV-S, straightforward loop']
    assert [name for name, _ in rows] == names
    # equal networks, or the comparison means nothing
    assert len({row['parameters'] for row in rows.values()}) == 1
    assert all(row['frames'] > 0 for row in rows.values())


def test_straightforward_ssim_is_the_losses():
    from inrn_mm.benchmark.fit import _ssim
    from inrn_mm.fitting.losses import FittingLoss
    x, y = torch.rand(2, 1, 3, 24, 32)
    loss = sum(FittingLoss(alpha=0.)(x, y).values())
    torch.testing.assert_close(1 - _ssim(x, y), loss)


@pytest.mark.parametrize('kind, names, package', [
    ('cifar100', ['stock', 'ours'], 'mmpretrain'),
    ('detection', ['mmdet, COCO'], 'mmdet'),
])
def test_data(run_tool, tmp_path, kind, names, package):
    pytest.importorskip(package)
    rows = result(run_tool, tmp_path, 'data', '--kind', kind, '--batch', 2,
                  '--size', 48, 64)
    assert [name for name, _ in rows] == names
    assert all(row['images'] > 0 for row in rows.values())
