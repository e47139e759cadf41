"""One table of several methods and seeds."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
from tiny_coco import tiny_config
from tool_runs import ROOT, dump_config

from inrn_mm.utils.logs import read_scalars
from tools.studies.comparison_plan import fix_plan, say_budget
from tools.studies.comparison_plot import draw
from tools.studies.comparison_rows import Row
from tools.studies.training_comparison import markdown, read_run, summarize, write_csv
from tools.studies.training_runs import places

TOOL = 'analysis_tools/compare_distillers.py'
METRICS = ['coco/bbox_mAP', 'loss_cls']


def write_run(folder, method, seed, score, gpu=False, parts=((1, 20),)):
    """A finished run's folder; one part for each time it was started."""
    for i, (first, last) in enumerate(parts):
        vis = folder / f'2020010{i}_000000' / 'vis_data'
        vis.mkdir(parents=True)
        lines = [
            dict(
                loss=2.0,
                loss_cls=score + (step <= 18),
                time=0.5 if step > 1 else 9.0,
                step=step,
                iter=step,
                **(dict(memory=1000 + step) if gpu else {}),
            )
            for step in range(first, last + 1)
        ]
        lines += [{'coco/bbox_mAP': score / (3 - e), 'step': e} for e in (1, 2)]
        (vis / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    record = dict(
        method=method,
        seed=seed,
        config=f'{method}.py',
        options=['a=1'],
        finished=True,
        peak_rss=2048.0,
        machine='a machine',
        added_params=1234,
    )
    (folder / 'run.json').write_text(json.dumps(record))
    return folder


def test_figures_of_one_run(tmp_path):
    folder = write_run(tmp_path, 'kd', 0, 0.4, parts=((1, 12), (11, 20)))
    run = read_run(folder, METRICS)
    # the last evaluation; the last tenth, two of twenty, of the loss
    assert run['values'] == pytest.approx({'coco/bbox_mAP': 0.4, 'loss_cls': 0.4})
    assert run['step_time'] == 0.5  # not the slow first one
    assert (run['memory'], run['memory_of']) == (2048, 'process')
    run = read_run(write_run(tmp_path / 'g', 'kd', 0, 0.4, gpu=True), METRICS)
    assert (run['memory'], run['memory_of']) == (1020, 'GPU')


def test_unknown_metric_names_those_there_are(tmp_path):
    with pytest.raises(
        ValueError, match="has not logged 'coco/AP'; it has coco/bbox_mAP, loss, loss_cls"
    ):
        read_run(write_run(tmp_path, 'kd', 0, 0.4), ['coco/AP'])


def table_of(tmp_path, scores, metrics=METRICS[:1], **kwargs):
    """Rows and runs of (method, seed, score)."""
    runs = [
        read_run(write_run(tmp_path / f'{method}{seed}', method, seed, score), metrics)
        for method, seed, score in scores
    ]
    return summarize(runs, metrics, baseline='alone', **kwargs), runs


def test_no_gain_by_rounding(tmp_path):
    scores = [('alone', 0, 95.55), ('alone', 1, 95.4), ('kd', 0, 95.5500031), ('kd', 1, 95.4)]
    rows, runs = table_of(tmp_path, scores)
    assert '| +0 [+0, +0], n = 2 | 0 | no difference |' in markdown(rows, runs)


def test_differences_are_of_equal_seeds_only(tmp_path):
    """The faults that a mean over other seeds had: +0.2 here, where the pair says -0.1."""
    scores = [('alone', 0, 0.6), ('alone', 1, 0.0), ('kd', 0, 0.5)]
    (alone, kd), runs = table_of(tmp_path, scores, METRICS)
    cell = alone['metrics']['coco/bbox_mAP']
    assert cell['mean'] == pytest.approx(0.3)
    assert cell['std'] == pytest.approx(0.18**0.5)  # n - 1
    assert cell['paired'] is None and alone['seeds'] == [0, 1]
    pair = kd['metrics']['coco/bbox_mAP']['paired']
    assert pair['differences'] == pytest.approx([-0.1]) and pair['low'] is None

    table = markdown([alone, kd], runs)
    assert '| alone | 2 | 0.3 ± 0.42 | - |' in table
    assert '| kd | 1 | 0.5 | -0.1, n = 1 | 0.5 | -0.1, n = 1 | - | one seed: no verdict |' in table
    assert 'Machine: a machine. Options: `a=1`.' in table
    write_csv([alone, kd], tmp_path / 'table.csv')
    head, first, _ = (tmp_path / 'table.csv').read_text().splitlines()
    assert len(head.split(',')) == len(first.split(',')) == 24


def test_verdict_is_of_the_first_metric_and_the_gain(tmp_path):
    scores = [('alone', seed, 0.3 + seed / 50) for seed in range(3)]
    scores += [('kd', seed, 0.331 + seed / 49) for seed in range(3)]
    for gain, verdict in ((0.0, 'better'), (0.05, 'no difference'), (0.031, 'no difference shown')):
        rows, runs = table_of(tmp_path / verdict, scores, METRICS, gain=gain)
        table = markdown(rows, runs, gain)
        assert f'| {verdict} |' in table and f'beyond {gain:g}, fixed before' in table
    # of a loss, more is worse
    rows, runs = table_of(tmp_path / 'loss', scores, METRICS[1:])
    assert '| worse |' in markdown(rows, runs)
    draw(rows, tmp_path / 'table.png', gain=0.01)
    assert cv2.imread(str(tmp_path / 'table.png')) is not None


def test_many_rows_are_adjusted(tmp_path):
    """One of five rows at p = 0.04 is chance; its own interval does not know of the others."""
    scores = [('alone', seed, 0.3) for seed in range(3)]
    for name, values in dict(
        a=(0.31, 0.325, 0.34), b=(0.3, 0.31, 0.29), c=(0.31, 0.29, 0.3)
    ).items():
        scores += [(name, seed, value) for seed, value in enumerate(values)]
    rows, runs = table_of(tmp_path, scores)
    assert rows[1]['metrics']['coco/bbox_mAP']['paired']['p'] < rows[1]['p_holm'] < 0.5
    assert 'Of 3 comparisons' in markdown(rows, runs) and '(Holm, 5 %): none.' in markdown(
        rows, runs
    )


@pytest.fixture
def configs(tiny_coco, tmp_path):
    """Two methods and the student alone, one iteration of training each."""
    cfg = tiny_config(tiny_coco, epochs=1)
    cfg['val_cfg'] = cfg['val_dataloader'] = cfg['val_evaluator'] = None
    paths = [dump_config(tmp_path / 'alone.py', cfg)]
    teacher = cfg['model']
    for name, loss in (
        ('mse', dict(type='StageMSELoss', pairs=[(3, 3)])),
        ('pkd', dict(type='PearsonLoss', pairs=[(3, 3)])),
    ):
        model = dict(
            type='KnowledgeDistiller',
            student=teacher,
            teacher=teacher,
            allow_random_teacher=True,
            distill_losses=[loss],
        )
        paths.append(dump_config(tmp_path / f'{name}.py', dict(cfg, model=model)))
    return paths


def test_runs_fails_and_goes_on(configs, run_tool, tmp_path, monkeypatch, capsys):
    """The command is tools/train.py's, here in this process."""
    started = []
    fails = ['pkd.py']
    real = subprocess.Popen

    def popen(argv, *args, **kwargs):
        if str(ROOT / 'tools/train.py') not in argv:
            return real(argv, *args, **kwargs)
        started.append(argv)
        return SimpleNamespace(pid=7, returncode=None)

    def wait4(pid, flags):
        argv = started[-1]
        assert argv[:2] == [sys.executable, str(ROOT / 'tools/train.py')]
        usage = SimpleNamespace(ru_maxrss=512 * 1024)
        if fails and argv[2].endswith(fails[0]):
            fails.pop()
            return pid, 1 << 8, usage
        run_tool('train.py', *argv[2:])
        return pid, 0, usage

    monkeypatch.setattr(subprocess, 'Popen', popen)
    monkeypatch.setattr('os.wait4', wait4)
    out = tmp_path / 'out'
    arguments = [
        *configs[1:],
        '--baseline',
        configs[0],
        '--metric',
        'loss',
        '--out',
        out,
        '--cfg-options',
        'train_dataloader.batch_size=6',
    ]
    with pytest.raises(SystemExit, match='1 runs failed'):
        run_tool(TOOL, *arguments)
    assert 'pkd' not in (out / 'table.md').read_text()

    run_tool(TOOL, *arguments)  # only what failed
    assert [Path(argv[2]).stem for argv in started] == ['alone', 'mse', 'pkd', 'pkd']
    rows = [
        line.split(' | ')
        for line in (out / 'table.md').read_text().splitlines()
        if line.startswith(('| alone', '| mse', '| pkd'))
    ]
    assert [row[0][2:] for row in rows] == ['alone', 'mse', 'pkd']
    # a 1x1 convolution of 16 channels with bias; none where they are equal
    assert [row[-1] for row in rows] == ['0 |', '272 |', '0 |']
    assert rows[0][-2] == '512'
    assert cv2.imread(str(out / 'table.png')) is not None

    with pytest.raises(SystemExit):
        run_tool(TOOL, *arguments[:-1], 'train_dataloader.batch_size=3')
    assert 'was started with options' in capsys.readouterr().err


@pytest.fixture
def in_this_process(run_tool, monkeypatch):
    """Each run of tools/train.py in this process, which saves its start."""
    started = []
    real = subprocess.Popen

    def popen(argv, *args, **kwargs):
        if str(ROOT / 'tools/train.py') not in argv:
            return real(argv, *args, **kwargs)
        started.append(argv)
        return SimpleNamespace(pid=7, returncode=None)

    def wait4(pid, flags):
        run_tool('train.py', *started[-1][2:])
        return pid, 0, SimpleNamespace(ru_maxrss=512 * 1024)

    monkeypatch.setattr(subprocess, 'Popen', popen)
    monkeypatch.setattr('os.wait4', wait4)
    return started


def test_controls(tiny_coco, run_tool, tmp_path, in_this_process):
    """Weight 0 is the student alone in every digit, with the same images and start."""
    cfg = tiny_config(tiny_coco, epochs=1)
    cfg['train_dataloader'].update(batch_size=2)
    cfg['default_hooks']['logger']['interval'] = 1
    teacher = dump_config(tmp_path / 'teacher.py', cfg)
    student = dump_config(tmp_path / 'student.py', cfg)
    out = tmp_path / 'out'
    arguments = [student, '--methods', 'pkd', '--controls', '--teacher', teacher, '--out', out]
    arguments += ['--metric', 'coco/bbox_mAP', '--bootstrap', '5', '--gain', '0.01']
    arguments += ['--distill-options', 'model.allow_random_teacher=True']
    run_tool(TOOL, *arguments)
    names = ['student', 'student_pkd', 'student_pkd_weight0', 'student_pkd_random']
    curves = {}
    for name in names:
        train, _ = read_scalars(out / name / 'seed0')
        curves[name] = [line['losses']['loss_cls'] for line in train]
    assert len(curves['student']) > 1
    assert curves['student'] == curves['student_pkd_weight0']
    assert curves['student'][0] == curves['student_pkd'][0]  # a pair begins alike
    assert curves['student'] != curves['student_pkd_random']

    result = json.loads((out / 'results.json').read_text())
    assert [row['method'] for row in result['rows']] == names
    assert result['plan'] == dict(
        metric='coco/bbox_mAP', gain=0.01, baseline='student', seeds=[0], late_seeds=[]
    )
    assert {each['method'] for each in result['images']} == set(names[1:])
    for run in result['runs']:
        assert len(run['checkpoint_sha256']) == len(run['config_sha256']) == 64
        assert run['command'].startswith('python tools/train.py') and run['curve']
    assert str(ROOT) not in json.dumps(result)
    with pytest.raises(SystemExit):
        run_tool(TOOL, *arguments, '--gain', '0')


def test_plan_is_kept(tmp_path):
    seeds = fix_plan(tmp_path, 'top1', 0.5, 'alone', [0, 1])['seeds']
    assert seeds == [0, 1]
    assert fix_plan(tmp_path, 'top1', 0.5, 'alone', [2])['late_seeds'] == []
    (tmp_path / 'kd' / 'seed0').mkdir(parents=True)
    (tmp_path / 'kd' / 'seed0' / 'last_checkpoint').touch()
    assert fix_plan(tmp_path, 'top1', 0.5, 'alone', [3])['late_seeds'] == [3]
    with pytest.raises(ValueError, match='begun with gain 0.5, not 0.4'):
        fix_plan(tmp_path, 'top1', 0.4, 'alone', [0, 1])


def test_budget():
    assert say_budget([60, 120], 4, 1, 200) == (
        '4 runs are left, about 6 minutes; 2 of them fit into the 3 minutes that are left.'
    )


# a run that says where it is and then trains for ever, as its child does
ENDLESS = """
import os, subprocess, sys, time
folder = sys.argv[sys.argv.index('--work-dir') + 1]
child = subprocess.Popen(['sleep', '600'])
open(folder + '/started', 'w').write(
    f"{os.environ.get('OMP_NUM_THREADS')} {child.pid}")
time.sleep(600)
"""


def test_side_by_side_until_time_is_up(run_tool, tmp_path, monkeypatch, capsys):
    real = subprocess.Popen

    def popen(argv, *args, **kwargs):
        if str(ROOT / 'tools/train.py') in argv:
            argv = [sys.executable, '-S', '-c', ENDLESS, *argv[2:]]
        return real(argv, *args, **kwargs)

    monkeypatch.setattr(subprocess, 'Popen', popen)
    monkeypatch.setattr('os.sched_getaffinity', lambda pid: range(6))
    for name in 'abc':
        (tmp_path / f'{name}.py').write_text("default_scope = 'mmpretrain'")
    out = tmp_path / 'out'
    arguments = [
        *(tmp_path / f'{name}.py' for name in 'abc'),
        '--out',
        out,
        '--jobs',
        '2',
        '--max-minutes',
        '0.05',
    ]
    run_tool(TOOL, *arguments)
    assert 'time is up: the same command goes on' in capsys.readouterr().out
    # two of them, with half of the cores each, and nothing left running
    started = sorted(out.glob('*/seed0/started'))
    assert [path.parts[-3] for path in started] == ['a', 'b']
    for path in started:
        threads, child = path.read_text().split()
        assert threads == '3'
        assert not _alive(int(child))
    record = json.loads((out / 'a/seed0/run.json').read_text())
    assert not record['finished'] and record['seconds'] > 1


def _alive(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().split()[2] != 'Z'
    except FileNotFoundError:
        return False


def test_places_of_gpus(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    assert [place['CUDA_VISIBLE_DEVICES'] for place in places(2)] == ['0', '1', '0', '1']
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5')
    assert places(1) == [dict(CUDA_VISIBLE_DEVICES='5')]
    assert places(None) == [{}]


def test_presets_name_configs_and_published_figures(monkeypatch):
    import runpy

    import yaml

    folder = ROOT / 'configs' / 'classification'
    file = yaml.safe_load((folder / 'presets.yml').read_text())
    presets, used = file['presets'], set()
    assert set(presets) >= {'table2', 'table3', 'orders', 'act', 'norm', 'residual', 'compression'}
    for name, preset in presets.items():
        names = preset.get('configs') or [preset['student'], preset['teacher'][0]]
        known = preset.get('methods', names)
        assert len(set(known)) == len(known) > 1
        assert set(preset.get('published', {})) <= {*known, 'alone'}
        for config in names:
            stem, *variant = config.split('+')
            assert (folder / f'{stem}.py').is_file(), (name, config)
            used.update(variant)
    assert used == set(file['variants'])
    tool = runpy.run_path(str(ROOT / 'tools' / TOOL))
    monkeypatch.setattr(sys, 'argv', [TOOL, '--preset', 'resnet56-resnet20'])
    args = tool['parse_args']()
    assert args.baseline == 'resnet20_cifar100'
    assert args.metric == ['accuracy/top1', 'accuracy/top5']
    assert args.published['resnet20_cifar100_dkd'] == 71.97
    assert args.published['resnet20_cifar100'] == 69.06


def test_rows_of_methods(monkeypatch, tmp_path):
    """The student alone, and a run by flags for each method with its settings."""
    import runpy

    tool = runpy.run_path(str(ROOT / 'tools' / TOOL))
    argv = [TOOL, '--preset', 'resnet56-resnet20', '--out', str(tmp_path)]
    monkeypatch.setattr(sys, 'argv', argv)
    alone, kd, *_, dkd, dist, inrn = tool['all_runs'](tool['parse_args']())
    assert '--method' not in alone.command
    teacher = str(ROOT / 'configs/classification/resnet56_cifar100.py')
    flags = ['--teacher', teacher, 'work_dirs/resnet56_cifar100/epoch_240.pth', '--method']
    for run, method in ((kd, 'kd'), (dkd, 'dkd'), (inrn, 'inrn')):
        assert run.command[run.command.index('--teacher') :][:5] == [*flags, method]
        assert run.method == f'resnet20_cifar100_{method}'
    assert 'model.method.beta=2.0' in dkd.command and dkd.options == ['model.method.beta=2.0']
    argv = [TOOL, 'a.py', '--methods', 'pkd', 'kd', '--teacher', 'mmdet::b.py']
    monkeypatch.setattr(sys, 'argv', argv)
    monkeypatch.setattr(Path, 'is_file', lambda path: True)
    monkeypatch.setitem(tool['parse_args'].__globals__, 'default_metric', lambda _: ['AP'])
    args = tool['parse_args']()
    assert [row.name for row in args.rows] == ['a', 'a_pkd', 'a_kd'] and args.baseline == 'a'
    assert args.rows[1].flags == ['--teacher', 'mmdet::b.py', '--method', 'pkd']


def test_rows_of_an_ablation(monkeypatch, tmp_path):
    """One config, each row in its own folder with its options."""
    import runpy

    tool = runpy.run_path(str(ROOT / 'tools' / TOOL))
    argv = ['--preset', 'table2', '--student-options', 'head.num_classes=10']
    argv += ['--cfg-options', 'train_cfg.max_epochs=1', '--out', str(tmp_path)]
    monkeypatch.setattr(sys, 'argv', [TOOL, *argv])
    args = tool['parse_args']()
    flat, plain = tool['all_runs'](args)
    assert args.baseline == flat.method == 'inrn-s_cifar100+flat'
    assert plain.method == 'inrn-s_cifar100' and plain.config == flat.config
    assert flat.folder == tmp_path / flat.method / 'seed0' != plain.folder
    change = 'model.backbone.compression=1'
    assert [o for o in flat.options if o not in plain.options] == [change]
    assert change in flat.command and change not in plain.command
    assert 'model.head.num_classes=10' in plain.command
    assert flat.read_record()['method'] == flat.method


def test_published_figures_stand_beside_ours(tmp_path):
    runs = [
        read_run(write_run(tmp_path / method, method, 0, score), METRICS)
        for method, score in (('alone', 0.2), ('kd', 0.5))
    ]
    rows = summarize(runs, METRICS, published=dict(kd=0.45))
    table = markdown(rows, runs)
    assert '| alone | 1 | - | 0.2 |' in table
    assert '| kd | 1 | 0.45 | 0.5 |' in table
    assert 'Published: coco/bbox_mAP' in table
    draw(rows, tmp_path / 'table.png')
    assert cv2.imread(str(tmp_path / 'table.png')) is not None


def test_many_gpus_go_through_the_launcher(run_tool, monkeypatch, tmp_path):
    import runpy

    tool = runpy.run_path(str(ROOT / 'tools' / TOOL))
    argv = tool['command'](Row('a.py', 'a'), tmp_path, 3, ['b=1'], 8)
    assert argv == [
        'bash',
        str(ROOT / 'tools/dist_train.sh'),
        'a.py',
        '8',
        '--work-dir',
        str(tmp_path),
        '--resume',
        '--cfg-options',
        'randomness.seed=3',
        'b=1',
    ]


def test_options_of_the_student_and_of_distillation(tmp_path):
    import runpy

    tool = runpy.run_path(str(ROOT / 'tools' / TOOL))
    plain, distilled = tmp_path / 'plain.py', tmp_path / 'distilled.py'
    plain.write_text("model = dict(type='FasterRCNN')")
    distilled.write_text("model = dict(type='KnowledgeDistiller')")
    args = SimpleNamespace(
        cfg_options=['a=1'],
        student_options=['neck.b=2'],
        distill_options=['model.teacher_checkpoint=t.pth'],
    )
    row = Row(plain, 'plain')
    assert tool['run_options'](row, args) == ['a=1', 'model.neck.b=2']
    row = Row(distilled, 'distilled', ['neck.c=3'])
    assert tool['run_options'](row, args) == [
        'a=1',
        'model.student.neck.c=3',
        'model.student.neck.b=2',
        'model.teacher_checkpoint=t.pth',
    ]


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['gone.py'], 'gone.py does not exist'),
        (['a.py', 'b/a.py'], 'Two configs are called a'),
        ([], 'Give configs or --preset NAME'),
        (['a.py', '--preset', 'act'], 'Give configs or --preset NAME'),
        (['a.py', '--preset', 'gone'], 'invalid choice'),
        (['a.py', '--methods', 'kd'], '--methods and --teacher belong together'),
        (['a.py', 'b.py', '--methods', 'kd', '--teacher', 't.py'], 'but there are 2 configs'),
        (['a.py', '--jobs', '0'], '--jobs 0: it must be 1 or more'),
        (['a.py', '--controls'], '--controls are of --methods'),
        (['a.py', '--num-seeds', '0'], '--num-seeds 0: it must be 1 or more'),
        (['a.py', '--metric', 'coco/bbox_mAP', '--gain', '0.5'], 'so half a point is 0.005'),
        (['a.py', '--metric', 'top1', '--gain', '-1'], 'that matters is 0 or more'),
        (['a.py', '--jobs', '2', '--gpus', '2'], 'cannot be given for runs on'),
    ],
)
def test_wrong_arguments(arguments, message, run_tool, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'b').mkdir()
    for name in ('a.py', 'b/a.py'):
        (tmp_path / name).touch()
    with pytest.raises(SystemExit):
        run_tool(TOOL, *arguments)
    assert message in capsys.readouterr().err
