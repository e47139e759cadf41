"""The benchmark's tables on networks that take no time."""

import copy
import json
import re
import runpy
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tools.benchmark import timing


def result(run_tool, tmp_path, *arguments):
    file = tmp_path / 'result.json'
    run_tool('analysis_tools/benchmark.py', *arguments, '--iters', 1, '--warmup', 0, '--json', file)
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
        type='KnowledgeDistiller', student=cfg['model'], teacher=cfg['model'], distill_losses=[loss]
    )
    cfg['default_scope'] = 'mmdet'
    return dump_config(tmp_path / 'kd.py', cfg)


def test_tasks_take_turns():
    calls = []
    seconds = timing.interleave(
        dict(a=lambda: calls.append('a'), b=lambda: calls.append('b')), iters=2, warmup=1
    )
    assert calls == ['a', 'b'] * 3
    assert {k: len(v) for k, v in seconds.items()} == dict(a=2, b=2)


def test_seconds_are_those_of_the_task():
    seconds = timing.interleave(dict(nap=lambda: time.sleep(0.05)), 1, 0)
    assert 0.05 <= seconds['nap'][0] < 0.5


def test_ratios_are_of_rounds():
    found = timing.ratio([2.0, 6.0, 4.0], [1.0, 2.0, 4.0])
    assert found == dict(ratio=2.0, low=1.5, high=2.5)


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
    rows = result(
        run_tool,
        tmp_path,
        'distill',
        '--config',
        config,
        '--size',
        64,
        64,
        '--batch',
        1,
        '--variants',
        'folded',
    )
    names = [name for name, _ in rows]
    assert names == [
        'student alone',
        'ours',
        'ours, weights 0',
        'whole teacher in loss mode',
        "teacher's extract_feat",
        'ours, teacher folded',
        'floor',
    ]
    assert rows['floor', None]['floor'] == 1
    assert all(row['peak_mb'] > 0.1 for row in rows.values())
    # the teacher's weights are held beside the student's
    assert rows['ours', None]['peak_mb'] > rows['student alone', None]['peak_mb']
    assert 'x floor' in capsys.readouterr().out


def test_distill_of_the_same_proposals(run_tool, tmp_path, tiny_coco):
    """The plain ways have no proposals for the teacher."""
    logits = 'roi_head.bbox_head.fc_cls'
    config = distilled(
        tmp_path, tiny_coco, dict(type='LogitKDLoss', pairs=[(logits, logits)], same_proposals=True)
    )
    rows = result(
        run_tool,
        tmp_path,
        'distill',
        '--config',
        config,
        '--size',
        64,
        64,
        '--batch',
        1,
        '--variants',
        '--no-memory',
    )
    names = [name for name, _ in rows]
    assert names == ['student alone', 'ours', 'ours, weights 0', 'floor']


def test_floor_ends_where_ours_does():
    pytest.importorskip('mmdet')
    from mmengine.registry import DefaultScope
    from tiny_coco import tiny_faster_rcnn

    from tools.benchmark import distill
    from tools.benchmark.samples import random_batch

    net = tiny_faster_rcnn(dict(type='ResNet', depth=18, base_channels=4), (4, 8, 16, 32))
    with DefaultScope.overwrite_default_scope('mmdet'):
        ours = distill.make_distiller(
            dict(
                type='KnowledgeDistiller',
                student=net,
                teacher=net,
                allow_random_teacher=True,
                distill_losses=[dict(type='StageMSELoss', pairs=[(0, 0)])],
            )
        )
    ran = []
    for name, module in ours.teacher.net.named_modules():
        if name in ('neck', *(f'backbone.layer{i + 1}' for i in range(4))):
            module.register_forward_hook(lambda *_, name=name: ran.append(name))
    data = random_batch('mmdet', 1, (64, 64))
    args = SimpleNamespace(device='cpu', amp=None)
    floor = distill._floor(ours, lambda: ran.append('student'), data, args)
    floor()
    assert ran == ['backbone.layer1', 'student']
    ran.clear()
    distill.make_step(ours, data, args)()
    assert ran == ['backbone.layer1']


@pytest.mark.parametrize('whole', [True, False])
def test_plain_teacher_is_in_float32(whole):
    """However the student is trained."""
    pytest.importorskip('mmdet')
    from mmengine.registry import DefaultScope
    from tiny_coco import tiny_one_stage

    from tools.benchmark import distill
    from tools.benchmark.samples import random_batch

    with DefaultScope.overwrite_default_scope('mmdet'):
        net = tiny_one_stage('gfl/gfl_r50_fpn_1x_coco.py')
        model = distill._Plain(
            distill.make_distiller(
                dict(
                    type='KnowledgeDistiller',
                    student=net,
                    teacher=net,
                    allow_random_teacher=True,
                    distill_losses=[STAGES],
                )
            ),
            whole,
        )
    step = distill.make_step(
        model, random_batch('mmdet', 2, (64, 64)), SimpleNamespace(device='cpu', amp='bfloat16')
    )
    step()
    types = {(teacher, x.dtype) for (teacher, _), x in model.seen.items()}
    assert types == {(False, torch.bfloat16), (True, torch.float32)}


def test_distill_needs_a_distiller(run_tool, tmp_path, capsys):
    from tool_runs import dump_config

    config = dump_config(tmp_path / 'plain.py', dict(model=dict(type='X')))
    with pytest.raises(SystemExit):
        run_tool('analysis_tools/benchmark.py', 'distill', '--config', config)
    assert 'its model is no KnowledgeDistiller' in capsys.readouterr().err


def test_operators(run_tool, tmp_path, tiny_coco, monkeypatch):
    """Both kinds run in turn; here the compiled ones are ours, too."""
    from inrn_mm.ops import extension
    from tools.benchmark import operators

    config = distilled(tmp_path, tiny_coco, STAGES)
    monkeypatch.setattr(operators, 'find_operators', lambda: 'compiled')
    monkeypatch.setitem(sys.modules, 'mmcv._ext', extension)
    options = ['--config', config, '--size', 64, 64, '--batch', 1]
    rows = result(run_tool, tmp_path, 'operators', *options)
    assert {name for name, _ in rows} == {'compiled', 'torchvision'}
    assert rows['compiled', None]['relative'] == 1


def test_operators_need_compiled_ones(run_tool, monkeypatch, capsys):
    from tools.benchmark import operators

    monkeypatch.setattr(operators, 'find_operators', lambda: 'torchvision')
    with pytest.raises(SystemExit):
        run_tool('analysis_tools/benchmark.py', 'operators')
    assert 'has no compiled operators of mmcv that run' in capsys.readouterr().err


def test_scaling(run_tool, tmp_path, tiny_coco):
    config = distilled(tmp_path, tiny_coco, STAGES)
    rows = result(run_tool, tmp_path, 'scaling', '--config', config, '--size', 64, 64, '--batch', 2)
    assert [name for name, _ in rows] == [
        f'{model}, {how}'
        for model in ('student alone', 'ours')
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

    from tool_runs import dump_config

    from tools.benchmark.scaling import _work

    config = dump_config(tmp_path / 'plain.py', dict(model=dict(type='X')))
    here, there = Pipe()
    _work(there, None, 0, SimpleNamespace(config=config, threads=1, device='cpu'))
    assert 'its model is no KnowledgeDistiller' in str(here.recv())


@pytest.mark.parametrize('train', [False, True])
def test_backbone(run_tool, tmp_path, train):
    pytest.importorskip('mmpretrain')
    rows = result(
        run_tool,
        tmp_path,
        'backbone',
        '--networks',
        'INRN-M',
        '--ways',
        'channels_last',
        'deployed',
        '--size',
        32,
        32,
        '--batch',
        2,
        *['--train', '--no-memory'] * train,
    )
    ways = ['eager', 'channels_last'] + ['deployed'] * (not train)
    assert list(rows) == [('ResNet-50', 'eager'), *(('INRN-M', way) for way in ways)]
    # torchvision's documentation, without the classifier's 2.05 million
    assert rows['ResNet-50', 'eager']['parameters'] == pytest.approx(25.557 - 2.049, abs=1e-3)
    assert rows['ResNet-50', 'eager']['relative'] == 1
    assert ('latency_ms' in rows['INRN-M', 'eager']) != train


def load_tool():
    from tool_runs import ROOT

    return runpy.run_path(str(ROOT / 'tools/analysis_tools/benchmark.py'))


def test_names_of_the_tool_are_those_of_the_package():
    from tools.benchmark import backbone, distill, fit

    tool = load_tool()
    assert tool['NETWORKS'] == list(backbone.NETWORKS)
    assert ['eager', *tool['WAYS']] == list(backbone.WAYS)
    assert tool['FITS'] == list(fit.NETWORKS)
    parser = tool['make_parser']()
    variants = list(distill.VARIANTS)
    peers = list(distill.PEERS)
    args = parser.parse_args(['distill', '--variants', *variants, '--peers', *peers])
    assert args.variants == variants
    assert args.peers == peers


def test_help_has_defaults_that_say_something(monkeypatch, capsys):
    monkeypatch.setenv('COLUMNS', '80')
    tool = load_tool()
    for name in tool['EXAMPLES']:
        with pytest.raises(SystemExit):
            tool['make_parser']().parse_args([name, '--help'])
        text = capsys.readouterr().out
        assert 'example:\n  python tools/analysis_tools/benchmark.py ' + name in text
        assert not re.search(r'None|False|\[\]|\)\s+\(default', text)


def test_examples_parse():
    tool = load_tool()
    for name, example in tool['EXAMPLES'].items():
        words = example.replace('\\\n', ' ').split()
        assert tool['make_parser']().parse_args([name, *words])


@pytest.mark.parametrize('kind', ['coco', 'cifar'])
def test_direct_losses_say_the_same(kind):
    """What ours is timed against is the same function."""
    from tools.benchmark import losses

    assert list(losses.DIRECT) == list(losses.LOSSES)
    found = losses.shapes(kind, 2, (64, 64))
    for name, (pairs_of, _) in losses.LOSSES.items():
        if pairs_of not in found:
            continue
        pairs = found[pairs_of]
        loss = losses.make_loss(name, pairs)
        student = [torch.randn(s).requires_grad_() for s, _ in pairs]
        teacher = [torch.randn(t) for _, t in pairs]
        samples = losses.make_samples(len(student[0]), (64, 64), 'cpu')
        inputs = student, teacher, samples
        torch.manual_seed(0)  # of MGD's masks and CRD's negatives
        # CRD's memories move
        values = [losses.DIRECT[name](copy.deepcopy(loss), *inputs)]
        torch.manual_seed(0)
        values.append(sum(loss(*inputs)))
        gradients = [torch.autograd.grad(x, student) for x in values]
        torch.testing.assert_close(*values, rtol=1e-4, atol=0)
        for direct, ours in zip(*gradients):
            assert (direct - ours).norm() <= 1e-4 * ours.norm()


@pytest.mark.parametrize('kind', ['coco', 'cifar'])
def test_losses(run_tool, tmp_path, monkeypatch, kind):
    from tools.benchmark import losses

    few = ('StageMSELoss', 'LogitKDLoss', 'ContrastiveLoss')
    monkeypatch.setattr(losses, 'LOSSES', {name: losses.LOSSES[name] for name in few})
    rows = result(run_tool, tmp_path, 'losses', '--shapes', kind, '--size', 64, 64, '--batch', 1)
    # CRD wants a vector for each image
    assert [name for name, _ in rows] == [
        name for name in few if kind == 'cifar' or name != 'ContrastiveLoss'
    ]
    assert all(row['relative'] > 0 for row in rows.values())


def test_fit(run_tool, tmp_path):
    rows = result(run_tool, tmp_path, 'fit', '--networks', 'NeRV-S', '--size', 45, 80)
    names = ['NeRV-S', 'NeRV-S, straightforward loop']
    assert [name for name, _ in rows] == names
    # equal networks, or the comparison means nothing
    assert len({row['parameters'] for row in rows.values()}) == 1
    assert all(row['frames'] > 0 for row in rows.values())


def test_default_fits_have_equal_parameters():
    from tools.benchmark.fit import make_fitter

    size = load_tool()['make_parser']().parse_args(['fit']).size
    video = torch.zeros(32, *size, 3, dtype=torch.uint8)
    fast, nerv = (make_fitter(name, video).num_parameters for name in ('INRN-plus-fast', 'NeRV-S'))
    assert fast == pytest.approx(nerv, rel=0.01)


def test_straightforward_ssim_is_the_losses():
    from inrn_mm.fitting.losses import FittingLoss
    from tools.benchmark.fit import _ssim

    x, y = torch.rand(2, 1, 3, 24, 32)
    loss = sum(FittingLoss(alpha=0.0)(x, y).values())
    torch.testing.assert_close(1 - _ssim(x, y), loss)


@pytest.mark.parametrize(
    'kind, names, package',
    [('cifar100', ['stock', 'ours'], 'mmpretrain'), ('detection', ['mmdet, COCO'], 'mmdet')],
)
def test_data(run_tool, tmp_path, kind, names, package):
    pytest.importorskip(package)
    rows = result(run_tool, tmp_path, 'data', '--kind', kind, '--batch', 2, '--size', 48, 64)
    assert [name for name, _ in rows] == names
    assert all(row['images'] > 0 for row in rows.values())
