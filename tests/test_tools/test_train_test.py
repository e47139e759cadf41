"""tools/train.py and tools/test.py on a tiny detector."""

import pickle
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from tiny_coco import tiny_config
from tool_runs import ROOT, dump_config, logged

from inrn_mm.engine import load_state

# Kills itself in the second epoch: between two iterations, or when the
# checkpoint is written but has not got its name.
KILLED = """
import os, signal, sys
sys.path.insert(0, 'tools')
moment = sys.argv.pop(1)
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if moment == 'saving':
    fsync, calls = os.fsync, []
    os.fsync = lambda fd: fsync(fd) if not calls.append(1) and len(
        calls) == 1 else die()
else:
    from inrn_mm.engine import NonFiniteLossHook
    NonFiniteLossHook.after_train_iter = \
        lambda self, runner, *_, **__: runner.iter < 4 or die()
import runpy
runpy.run_path('tools/train.py', run_name='__main__')
"""


@pytest.fixture(scope='module')
def config(tiny_coco, tmp_path_factory):
    """Three epochs of three iterations, one checkpoint kept."""
    cfg = tiny_config(tiny_coco, epochs=3)
    cfg['default_hooks']['checkpoint']['max_keep_ckpts'] = 1
    return dump_config(tmp_path_factory.mktemp('config') / 'tiny.py', cfg)


@pytest.fixture
def trained(config, run_tool, tmp_path_factory):
    """Work_dir of an uninterrupted run, trained once."""
    folder = Path(config).parent / 'trained'
    if not folder.exists():
        run_tool('train.py', config, '--work-dir', folder)
    return folder


def same_weights(one, other):
    one, other = (load_state(path)['state_dict'] for path in (one, other))
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def error_of(capsys, run_tool, *arguments):
    capsys.readouterr()
    with pytest.raises(SystemExit) as info:
        run_tool(*arguments)
    assert info.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith('error: ')]
    assert len(errors) == 1
    return errors[0]


@pytest.mark.smoke
def test_train_validates_and_keeps_one_checkpoint(trained):
    assert [path.name for path in trained.glob('*.pth')] == ['epoch_3.pth']
    scalars = logged(trained)
    assert sum('loss' in entry for entry in scalars) == 9
    assert [e['step'] for e in scalars if 'coco/bbox_mAP' in e] == [1, 2, 3]


def test_dumped_config_runs_with_other_tools(trained):
    from mmengine.config import Config

    cfg = Config.fromfile(trained / 'tiny.py')
    assert 'inrn_mm' in cfg.custom_imports.imports
    assert cfg.default_hooks.checkpoint.type == 'AtomicCheckpointHook'


@pytest.mark.skipif(not hasattr(signal, 'SIGKILL'), reason='needs SIGKILL')
def test_killed_run_resumes_as_if_nothing_had_been(
    config, trained, run_tool, environment, tmp_path
):
    # sums of two threads differ from those of one
    env = dict(environment, OMP_NUM_THREADS=str(torch.get_num_threads()))
    moments = ('training', 'saving')
    children = {
        moment: subprocess.Popen(
            [sys.executable, '-c', KILLED, moment, config, '--work-dir', str(tmp_path / moment)],
            cwd=ROOT,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for moment in moments
    }
    for moment, child in children.items():
        assert child.wait(300) == -signal.SIGKILL
        killed = tmp_path / moment
        assert [p.name for p in killed.glob('*.pth')] == ['epoch_1.pth']
        parts = list(killed.glob('.epoch_2.pth.part'))
        assert bool(parts) == (moment == 'saving')

        # in another place, as after a move
        moved = killed.rename(tmp_path / f'{moment}_moved')
        run_tool('train.py', config, '--work-dir', moved, '--resume')
        assert not list(moved.glob('.*.part'))
        assert same_weights(moved / 'epoch_3.pth', trained / 'epoch_3.pth')
        losses = [e['loss'] for e in logged(moved) if 'loss' in e]
        expected = [e['loss'] for e in logged(trained) if 'loss' in e]
        assert losses[-6:] == expected[-6:]


def test_resume_without_a_checkpoint_starts_anew(config, run_tool, tmp_path):
    run_tool(
        'train.py',
        config,
        '--work-dir',
        tmp_path,
        '--resume',
        '--no-validate',
        '--cfg-options',
        'train_cfg.max_epochs=1',
    )
    scalars = logged(tmp_path)
    assert len(scalars) == 3  # and --no-validate logged no metric
    assert (tmp_path / 'epoch_1.pth').is_file()


@pytest.mark.smoke
def test_test_gives_the_map_of_training(config, trained, run_tool, tmp_path, tiny_coco, capsys):
    run_tool(
        'test.py',
        config,
        trained / 'epoch_3.pth',
        '--work-dir',
        tmp_path,
        '--show-dir',
        tmp_path / 'pictures',
        '--out',
        tmp_path / 'results.pkl',
    )
    last = [e for e in logged(trained) if 'coco/bbox_mAP' in e][-1]
    assert f'coco/bbox_mAP: {last["coco/bbox_mAP"]:.4f}' in capsys.readouterr().out
    pictures = list((tmp_path / 'pictures').glob('*.png'))
    assert len(pictures) == 6
    # image and ground truth beside the predictions
    sizes = {cv2.imread(str(path)).shape for path in pictures}
    assert sizes == {(64, 160, 3), (80, 128, 3)}
    with open(tmp_path / 'results.pkl', 'rb') as file:
        results = pickle.load(file)
    assert len(results) == 6
    assert results[0]['pred_instances']['bboxes'].shape[1] == 4


def test_flips_by_tta(config, trained, run_tool, tmp_path, capsys):
    run_tool('test.py', config, trained / 'epoch_3.pth', '--work-dir', tmp_path, '--tta')
    assert 'coco/bbox_mAP' in capsys.readouterr().out


@pytest.fixture(scope='module')
def distilled(tiny_coco, config):
    """Config that distils the tiny detector from a random one."""
    cfg = tiny_config(tiny_coco, epochs=1)
    cfg['model'] = dict(
        type='KnowledgeDistiller',
        student=cfg['model'],
        teacher=cfg['model'],
        allow_random_teacher=True,
        distill_losses=[dict(type='StageMSELoss', pairs=[(i, i) for i in range(4)])],
    )
    return dump_config(Path(config).parent / 'distilled.py', cfg)


def test_plain_and_distilled_fit_each_other(config, distilled, trained, run_tool, tmp_path, capsys):
    run_tool('train.py', distilled, '--work-dir', tmp_path / 'kd')
    checkpoint = tmp_path / 'kd' / 'epoch_1.pth'

    def results(cfg, checkpoint):
        capsys.readouterr()
        run_tool('test.py', cfg, checkpoint, '--work-dir', tmp_path, '--out', tmp_path / 'out.pkl')
        with open(tmp_path / 'out.pkl', 'rb') as file:
            return [r['pred_instances']['scores'] for r in pickle.load(file)]

    for path in (checkpoint, trained / 'epoch_3.pth'):
        for one, other in zip(results(config, path), results(distilled, path)):
            assert np.array_equal(one, other)


def test_teacher_that_must_be_unpickled(distilled, trained, run_tool, tmp_path, capsys):
    teacher = tmp_path / 'teacher.pth'
    state = load_state(trained / 'epoch_3.pth')['state_dict']
    torch.save(dict(state_dict=state, meta=SimpleNamespace()), teacher)
    config = tmp_path / 'scoped.py'
    config.write_text(
        f"_base_ = '{distilled}'\n"
        "model = dict(type='inrn_mm.KnowledgeDistiller', "
        f"teacher_checkpoint='{teacher}')\n"
        "custom_hooks = [dict(type='TeacherCheckHook', num_batches=0)]\n"
    )
    error = error_of(capsys, run_tool, 'train.py', config, '--work-dir', tmp_path)
    assert 'SimpleNamespace' in error and '--allow-pickle' in error
    run_tool('train.py', config, '--work-dir', tmp_path, '--allow-pickle', '--no-validate')
    assert (tmp_path / 'epoch_1.pth').is_file()


def test_checkpoint_of_another_model(config, run_tool, tmp_path, capsys):
    torch.save(dict(state_dict=torch.nn.Linear(2, 2).state_dict()), tmp_path / 'other.pth')
    error = error_of(
        capsys, run_tool, 'test.py', config, tmp_path / 'other.pth', '--work-dir', tmp_path
    )
    assert 'belongs to another architecture' in error


def test_nan_loss_stops_and_saves_nothing(config, run_tool, tmp_path, capsys):
    error = error_of(
        capsys,
        run_tool,
        'train.py',
        config,
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'optim_wrapper.optimizer.lr=1e20',
    )
    assert 'The loss is NaN or infinite at iteration ' in error
    assert 'loss_rpn_cls' in error
    assert not list(tmp_path.glob('*.pth'))


def test_no_class_in_the_annotations(config, run_tool, tmp_path, capsys):
    error = error_of(
        capsys,
        run_tool,
        'train.py',
        config,
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'train_dataloader.dataset.filter_cfg.filter_empty_gt=True',
        'train_dataloader.dataset.metainfo.classes=cat,dog,bird',
    )
    assert 'the categories box, disc, triangle' in error


@pytest.mark.parametrize('script', ['train.py', 'test.py'])
def test_missing_files(script, config, run_tool, tmp_path, capsys):
    checkpoint = ['gone.pth'] if script == 'test.py' else []
    error = error_of(capsys, run_tool, script, 'gone.py', *checkpoint)
    assert 'The config gone.py does not exist' in error
    loader = script.replace('.py', '_dataloader')
    error = error_of(
        capsys,
        run_tool,
        script,
        config,
        *checkpoint,
        '--work-dir',
        tmp_path,
        '--cfg-options',
        f'{loader}.dataset.data_root=data/gone',
    )
    assert 'The data root data/gone does not exist' in error
    if checkpoint:
        error = error_of(capsys, run_tool, script, config, *checkpoint, '--work-dir', tmp_path)
        assert 'Checkpoint gone.pth does not exist' in error


@pytest.mark.parametrize('script', ['train.py', 'test.py'])
def test_data_that_does_not_fit(script, config, tiny_coco, trained, run_tool, tmp_path, capsys):
    checkpoint = [trained / 'epoch_3.pth'] if script == 'test.py' else []
    kind = script[: -len('.py')]
    shutil.copy(tiny_coco['ann_file'], tmp_path)

    def error(*options):
        return error_of(
            capsys,
            run_tool,
            script,
            config,
            *checkpoint,
            '--work-dir',
            tmp_path,
            '--cfg-options',
            *(f'{kind}_dataloader.dataset.{o}' for o in options),
        )

    assert re.search(
        rf'6 of 6 images looked for of the {kind} dataset do not exist, the '
        rf'first is {tmp_path}.*set {kind}_dataloader\.dataset\.data_prefix',
        error(f'data_root={tmp_path}'),
    )
    assert f'Only 1 of the 3 categories in metainfo.classes of the {kind} dataset' in error(
        'metainfo.classes=box,cat,dog'
    )
    (tmp_path / 'none.json').write_text('{"images": [], "annotations": [], "categories": []}')
    assert 'none.json has 0 images' in error(f'ann_file={tmp_path}/none.json')


def test_auto_scale_lr_needs_a_base(config, run_tool, tmp_path, capsys):
    error = error_of(
        capsys, run_tool, 'train.py', config, '--auto-scale-lr', '--work-dir', tmp_path
    )
    assert 'base_batch_size' in error
