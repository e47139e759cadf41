"""What a fit is refused for before it trains, and what stopping it leaves."""

import math
import os
import signal
import sys

import cv2
import numpy as np
import pytest
from fit_inputs import metrics_of, smooth
from mmengine.runner import Runner

from inrn_mm.fitting import SignalFitter
from inrn_mm.fitting.budget import BudgetHook
from inrn_mm.fitting.signal import load_signal

pytest.importorskip('constriction')


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['--bits', 9], 'bits is 2 to 8, 16 or 32, not 9'),
        (['--max-seconds', 'nan'], 'max_seconds must be positive and finite'),
        (['--max-seconds', 'inf'], 'max_seconds must be positive and finite'),
        (['--target-psnr', 'nan'], 'target_psnr must be positive and finite'),
        (['--prune', 'nan'], 'ratio is a share'),
        (['--cfg-options', 'model.net._scope_=mmdet'], 'does not build from a compact file'),
    ],
)
def test_refused_before_training(
    image, siren, run_tool, tmp_path, capsys, monkeypatch, arguments, message
):
    monkeypatch.setattr(Runner, 'train', lambda self: pytest.fail('it trains'))
    with pytest.raises(SystemExit):
        run_tool('fit_image.py', image, '--config', siren, '--work-dir', tmp_path, *arguments)
    assert message in capsys.readouterr().err


def test_bits_of_rate_distortion(image, siren, run_tool, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Runner, 'train', lambda self: pytest.fail('it trains'))
    with pytest.raises(SystemExit):
        run_tool(
            'analysis_tools/rate_distortion.py',
            *(image, '--config', siren, '--out', tmp_path, '--parameters', 400, '--bits', 8, 9),
        )
    assert 'not 9' in capsys.readouterr().err


def test_videos_that_cannot_be_written(video, nerv, run_tool, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Runner, 'train', lambda self: pytest.fail('it trains'))
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(SystemExit):
        run_tool('fit_video.py', video, '--config', nerv, '--work-dir', tmp_path / 'fit')
    assert 'Writing a video needs PyAV' in capsys.readouterr().err


@pytest.mark.parametrize('size', [(8, 9), (1, 1), (10, 40)])
def test_small_images_have_no_ssim(siren, run_tool, tmp_path, capsys, size):
    cv2.imwrite(str(tmp_path / 'small.png'), smooth(*size))
    out = tmp_path / 'fit'
    run_tool('fit_image.py', tmp_path / 'small.png', '--config', siren, '--work-dir', out)
    metrics = metrics_of(out)
    assert 'ssim' not in metrics and metrics['psnr'] > 0
    assert f'needs 11 pixels a side, the input has {size[0]}' in capsys.readouterr().out


@pytest.fixture
def file(video, nerv, run_tool, tmp_path):
    pytest.importorskip('av')
    out = tmp_path / 'fit'
    run_tool('fit_video.py', video, '--config', nerv, '--work-dir', out, '--save-frames')
    return out / 'fit.inrn'


def test_videos_of_other_kinds(file, run_tool, tmp_path, capsys):
    exact = np.stack(
        [cv2.imread(str(p))[..., ::-1] for p in sorted((file.parent / 'fitted').iterdir())]
    )
    for name in ('a.webm', 'a.y4m', 'a.mkv', 'a.avi', 'a.ts', 'a.m4v', 'a.mov'):
        run_tool('decode.py', file, tmp_path / name, '--fps', 12.5)
        signal = load_signal(tmp_path / name)
        assert signal.shape == exact.shape and signal.fps == pytest.approx(12.5)
        assert np.abs(signal.array().astype(float) - exact).mean() < 8, name
    for arguments, message in [
        (['b.mpg'], 'end the name in .mp4'),
        (['b.mp4', '--fps', '-3'], 'of -3 frames per second cannot be written'),
        (['b.mp4', '--fps', '0'], 'of 0 frames per second'),
        (['b.mp4', '--fps', 'nan'], 'of nan frames per second'),
        (['b.mp4', '--fps', 'inf'], 'of inf frames per second'),
    ]:
        with pytest.raises(SystemExit):
            run_tool('decode.py', file, tmp_path / arguments[0], *arguments[1:])
        assert message in capsys.readouterr().err
        assert not (tmp_path / arguments[0]).exists()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal(image, siren, run_tool, tmp_path, monkeypatch, capsys, number):
    def fit(name, *arguments):
        run_tool(
            'fit_image.py', image, '--config', siren, '--work-dir', tmp_path / name, *arguments
        )

    fit('whole')
    before = signal.getsignal(number)
    steps, train_step = [], SignalFitter.train_step

    def step(self, data, optim_wrapper):
        steps.append(1)
        if len(steps) == 17:
            os.kill(os.getpid(), number)
        return train_step(self, data, optim_wrapper)

    with monkeypatch.context() as patch:
        patch.setattr(SignalFitter, 'train_step', step)
        with pytest.raises(SystemExit) as caught:
            fit('fit')
    assert caught.value.code == 128 + number and len(steps) == 17
    out = tmp_path / 'fit'
    assert 'Stopped after 17 steps' in capsys.readouterr().err
    assert (out / 'iter_17.pth').is_file() and not (out / 'metrics.json').exists()
    assert cv2.imread(str(out / 'fitted.png')) is not None
    assert signal.getsignal(number) is before
    fit('fit', '--resume')
    assert metrics_of(out)['iterations'] == 40
    assert (out / 'fit.inrn').read_bytes() == (tmp_path / 'whole/fit.inrn').read_bytes()


def test_budgets_are_checked():
    for value in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match='positive and finite'):
            BudgetHook(max_seconds=value)


def test_progress_needs_no_tqdm(image, siren, run_tool, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'tqdm', None)
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    run_tool('fit_image.py', image, '--config', siren, '--work-dir', tmp_path / 'fit')
    shown = capsys.readouterr().err
    assert '40/40' in shown and 'psnr' in shown and 'loss' in shown
