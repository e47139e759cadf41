"""The shell scripts, and what starts slowly if one is careless."""

import os
import re
import subprocess
import sys
import time

import pytest
from tiny_coco import tiny_config, tiny_faster_rcnn
from tool_runs import ROOT, dump_config, logged

TOOLS = ROOT / 'tools'


def bash(script, *arguments, env, timeout=400):
    return subprocess.run(
        ['bash', str(TOOLS / script), *map(str, arguments)],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.parametrize(
    'script',
    [
        'train.py',
        'test.py',
        'check_devices.py',
        'visualize_features.py',
        'analysis_tools/complexity.py',
        'analysis_tools/plot_log.py',
    ],
)
def test_help_is_quick(script, environment):
    start = os.times()
    result = subprocess.run(
        [sys.executable, str(TOOLS / script), '--help'],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    end = os.times()
    used = end.children_user - start.children_user
    assert used < 3  # CPU seconds: the machine may be busy
    assert result.stdout.startswith('usage: ')


@pytest.mark.parametrize(
    'script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh']
)
def test_usage(script, environment):
    result = bash(script, 'config.py', env=environment)
    assert result.returncode == 2
    assert f'bash tools/{script} ' in result.stderr
    assert 'set -euo' not in result.stderr


def test_more_processes_than_devices(environment):
    start = time.time()
    result = bash('dist_train.sh', 'config.py', 64, env=environment)
    assert result.returncode == 2
    assert re.search(r'^error: 64 GPUs were asked for', result.stderr, re.MULTILINE)
    assert 'Traceback' not in result.stderr
    assert time.time() - start < 120


def test_only_the_sentence_of_a_process_that_ends_with_one(environment, tmp_path):
    """And the launcher's summary of one that dies."""
    children = dict(
        said="sys.exit(print('error: wrong', file=sys.stderr) or 2)", died='os.kill(os.getpid(), 9)'
    )
    runs = {}
    for name, last in children.items():
        script = tmp_path / f'{name}.py'
        script.write_text(f'import os, sys\n{last}\n')
        runs[name] = subprocess.Popen(
            [sys.executable, TOOLS / 'dist_run.py', '--standalone', script],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
    errors = {name: run.communicate(timeout=200)[1] for name, run in runs.items()}
    assert runs['said'].returncode == 2
    assert errors['said'] == 'error: wrong\n'
    assert runs['died'].returncode == 128 + 9
    assert re.search(r'exitcode  : -9 .*Signal 9', errors['died'], re.DOTALL)


def test_two_cpu_processes_train_and_validate(tiny_coco, environment, tmp_path):
    widths = (8, 8, 16, 16)
    detector = tiny_faster_rcnn(
        dict(
            type='INRN', arch=dict(widths=widths, depths=(1, 1, 1, 1)), norm_cfg=dict(type='SyncBN')
        ),
        widths,
    )  # needs GPUs by itself
    model = dict(
        type='KnowledgeDistiller',
        student=detector,
        teacher=detector,
        allow_random_teacher=True,
        distill_losses=[dict(type='StageMSELoss', pairs=[(2, 2), (3, 3)])],
    )
    config = dump_config(tmp_path / 'kd.py', tiny_config(tiny_coco, model, epochs=1))
    result = bash('dist_train.sh', config, 2, '--work-dir', tmp_path / 'run', env=environment)
    assert result.returncode == 0, result.stderr[-2000:]
    assert 'starting 2 CPU processes' in result.stderr
    scalars = logged(tmp_path / 'run')
    # six images, two processes, two images each
    assert [entry['step'] for entry in scalars if 'loss' in entry] == [1, 2]
    assert scalars[0]['loss_stage_mse.stage3'] > 0
    assert 'coco/bbox_mAP' in scalars[-1]
    assert (tmp_path / 'run' / 'epoch_1.pth').is_file()


@pytest.fixture
def slurm(environment, tmp_path):
    """Environment with an srun that only says what it was asked."""
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nfor a in "$@"; do echo "$a"; done\n')
    srun.chmod(0o755)
    return dict(
        environment,
        PATH=f'{tmp_path}:{environment["PATH"]}',
        GPUS='16',
        GPUS_PER_NODE='4',
        SRUN_ARGS='--quotatype=auto -x node1',
    )


def test_slurm_train(slurm):
    result = bash(
        'slurm_train.sh',
        'part',
        'job',
        'a config.py',
        'work',
        '--amp',
        '--cfg-options',
        'a="[1, 2]"',
        env=slurm,
    )
    assert result.stdout.splitlines() == [
        '-p',
        'part',
        '--job-name=job',
        '--gres=gpu:4',
        '--ntasks=16',
        '--ntasks-per-node=4',
        '--cpus-per-task=5',
        '--kill-on-bad-exit=1',
        '--quotatype=auto',
        '-x',
        'node1',
        sys.executable,
        '-u',
        f'{TOOLS}/train.py',
        'a config.py',
        '--work-dir',
        'work',
        '--amp',
        '--cfg-options',
        'a="[1, 2]"',
        '--launcher',
        'slurm',
    ]


def test_slurm_test(slurm):
    result = bash('slurm_test.sh', 'part', 'job', 'c.py', 'x.pth', '--tta', env=slurm)
    assert result.stdout.splitlines()[-7:] == [
        '-u',
        f'{TOOLS}/test.py',
        'c.py',
        'x.pth',
        '--tta',
        '--launcher',
        'slurm',
    ]


def test_several_nodes_and_test_arguments(environment, tmp_path):
    # a python that does not start anything
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\ncase "$1" in *dist_run.py) echo "$@";; *) echo 12345;; esac\n')
    python.chmod(0o755)
    env = dict(environment, PYTHON=str(python))
    result = bash('dist_test.sh', 'c.py', 'x.pth', 2, '--tta', env=env)
    assert result.stdout == (
        f'{TOOLS}/dist_run.py --nnodes=1 --node-rank=0 '
        '--master-addr=127.0.0.1 --master-port=12345 --nproc-per-node=2 '
        f'{TOOLS}/test.py c.py x.pth --tta --launcher pytorch\n'
    )
    env.update(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1')
    result = bash('dist_train.sh', 'c.py', 8, env=env)
    assert result.stdout == (
        f'{TOOLS}/dist_run.py --nnodes=2 --node-rank=1 '
        '--master-addr=10.0.0.1 --master-port=29500 --nproc-per-node=8 '
        f'{TOOLS}/train.py c.py --launcher pytorch\n'
    )
    env.update(PORT='4000')
    assert '--master-port=4000' in bash('dist_train.sh', 'c.py', 8, env=env).stdout
