"""fit_image.py, fit_video.py and decode.py."""

import itertools
from functools import partial

import cv2
import numpy as np
import pytest
from fit_inputs import metrics_of, smooth
from tool_runs import ROOT

from inrn_mm.fitting.budget import BudgetHook
from inrn_mm.fitting.decode import select_frames
from inrn_mm.fitting.signal import load_signal

pytest.importorskip('constriction')


@pytest.mark.parametrize(
    'request_amp', [['--amp'], ['--cfg-options', 'optim_wrapper.type=AmpOptimWrapper']]
)
def test_mixed_precision(request_amp, video, nerv, run_tool, tmp_path):
    out = tmp_path / 'fit'
    run_tool('fit_video.py', video, '--config', nerv, '--work-dir', out, *request_amp)
    curve = metrics_of(out)['curve']
    assert curve[-1][1] > curve[0][1]  # seconds, PSNR
    config = next(out.glob('*.py')).read_text()
    assert "AmpOptimWrapper'" in config


def test_image_to_file_and_back(image, siren, run_tool, tmp_path, capsys):
    out = tmp_path / 'fit'
    command = ['fit_image.py', image, '--config', siren, '--work-dir', out, '--bits', 6]
    run_tool(*command)
    metrics = metrics_of(out)
    assert metrics['iterations'] == 40 and len(metrics['curve']) == 4
    for name in ('fitted.png', 'error.png', 'psnr.png'):
        assert cv2.imread(str(out / name)) is not None
    file = out / 'fit.inrn'
    assert metrics['bytes'] == file.stat().st_size
    assert metrics['bits_per_pixel'] == 8 * file.stat().st_size / (24 * 32)
    assert f'{metrics["bytes"]:,} bytes' in capsys.readouterr().out

    # nothing is overwritten unless asked for
    before = file.read_bytes()
    with pytest.raises(SystemExit):
        run_tool(*command)
    assert 'overwrite it with --force' in capsys.readouterr().err
    assert file.read_bytes() == before

    # what is decoded has the PSNR that was reported
    run_tool('decode.py', file, tmp_path / 'out.png')
    decoded = cv2.imread(str(tmp_path / 'out.png')).astype(float)
    truth = cv2.imread(str(image)).astype(float)
    psnr = -10 * np.log10(np.mean((decoded - truth) ** 2) / 255**2)
    assert psnr == pytest.approx(metrics['psnr'], abs=1e-3)
    assert np.array_equal(decoded, cv2.imread(str(out / 'fitted.png')))

    run_tool('decode.py', file, tmp_path / 'part.png', '--size', 48, 64, '--crop', 10, 20, 12, 16)
    run_tool('decode.py', file, tmp_path / 'large.png', '--size', 48, 64)
    large = cv2.imread(str(tmp_path / 'large.png'))
    assert large.shape == (48, 64, 3)
    part = cv2.imread(str(tmp_path / 'part.png'))
    assert np.abs(part - large[10:22, 20:36].astype(int)).max() <= 1

    run_tool('decode.py', file, '--info')
    assert '32 x 24' in capsys.readouterr().out
    for arguments, message in [
        ([tmp_path / 'out.png'], 'overwrite it with --force'),
        ([tmp_path / 'a.xyz'], 'no name of an image'),
        ([tmp_path / 'b.png', '--crop', 20, 20, 9, 9], 'is not inside'),
        ([tmp_path / 'b.png', '--frames', '3:4'], 'selects none of the 1'),
    ]:
        with pytest.raises(SystemExit):
            run_tool('decode.py', file, *arguments)
        assert message in capsys.readouterr().err


def test_own_files_and_checkpoints_are_not_replaced(image, siren, run_tool, tmp_path, capsys):
    out = tmp_path / 'fit'
    out.mkdir()
    command = ['fit_image.py', image, '--config', siren, '--work-dir', out, '--max-seconds', 0.1]
    for name in ('fitted.png', 'psnr.png', 'last_checkpoint', 'iter_20.pth', 'settings.json'):
        (out / name).write_text('{}')
        with pytest.raises(SystemExit):
            run_tool(*command)
        error = capsys.readouterr().err
        assert f'{name} exists: go on with its fit by --resume' in error
        assert [path.name for path in out.iterdir()] == [name]
        (out / name).unlink()
    (out / 'iter_99999.pth').write_text('of another fit')
    run_tool(*command, '--force')
    assert not (out / 'iter_99999.pth').exists()


def test_only_the_same_fit_is_resumed(image, siren, run_tool, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def fit(folder, *options):
        run_tool('fit_image.py', f'{folder}/photo.png', '--config', siren, *options)
        return metrics_of(tmp_path / 'work_dirs/siren_image_photo')

    for i, folder in enumerate('ab'):
        (tmp_path / folder).mkdir()
        cv2.imwrite(f'{folder}/photo.png', smooth(24, 32, i))
    (tmp_path / 'c').mkdir()
    (tmp_path / 'c/photo.png').write_bytes(image.read_bytes())
    assert fit('a')['iterations'] == 40
    cases = [
        ('b', (), 'input=a/photo.png, not b/photo.png'),
        ('a', ('--size', 12, 16), 'size=None, not [12, 16]'),
        ('a', ('--cfg-options', 'model.net.width=8'), 'cfg_options={},'),
    ]
    for folder, option, message in cases:
        with pytest.raises(SystemExit):
            fit(folder, '--resume', *option)
        assert f'was begun with {message}' in capsys.readouterr().err
    # moved, of another length, with other bits
    longer = fit('c', '--resume', '--bits', 4, '--cfg-options', 'train_cfg.max_iters=60')
    assert longer['iterations'] == 60 and longer['bits'] == 4
    # the same name with other pixels
    (tmp_path / 'c/photo.png').write_bytes((tmp_path / 'b/photo.png').read_bytes())
    with pytest.raises(SystemExit):
        fit('c', '--resume', '--cfg-options', 'train_cfg.max_iters=60')
    assert 'another content of c/photo.png' in capsys.readouterr().err


def test_stopped_and_resumed_is_the_same(image, siren, run_tool, tmp_path):

    def fit(name, *arguments):
        run_tool(
            'fit_image.py',
            image,
            '--config',
            siren,
            '--work-dir',
            tmp_path / name,
            '--prune',
            0.5,
            *arguments,
        )
        return (tmp_path / name / 'fit.inrn').read_bytes()

    whole = fit('whole')
    # before pruning, and in its last quarter
    for step in (20, 30):
        checkpoint = tmp_path / f'whole/iter_{step}.pth'
        assert fit(f'from{step}', '--resume', checkpoint) == whole
    metrics = metrics_of(tmp_path / 'from30')
    assert metrics['sparsity'] == pytest.approx(0.5, abs=0.01)
    # evaluations before the checkpoint are on the curve
    assert len(metrics['curve']) == 3


def test_budgets(image, siren, run_tool, tmp_path, monkeypatch):
    # a clock that no other work on the machine delays: 20 ms a step
    monkeypatch.setitem(BudgetHook.clocks, 'wall', partial(next, itertools.count(step=0.02)))
    run_tool(
        'fit_image.py', image, '--config', siren, '--work-dir', tmp_path / 'a', '--max-seconds', 0.3
    )
    metrics = metrics_of(tmp_path / 'a')
    assert 0.3 <= metrics['encode_seconds'] < 1
    assert metrics['iterations'] > 10
    run_tool(
        'fit_image.py', image, '--config', siren, '--work-dir', tmp_path / 'b', '--target-psnr', 8
    )
    metrics = metrics_of(tmp_path / 'b')
    assert metrics['iterations'] < 40
    assert metrics['psnr_before_compression'] >= 8


def test_video(video, nerv, run_tool, tmp_path, capsys):
    pytest.importorskip('av')
    out = tmp_path / 'fit'
    run_tool(
        'fit_video.py',
        video,
        '--config',
        nerv,
        '--work-dir',
        out,
        '--parameters',
        9000,
        '--frames',
        4,
    )
    metrics = metrics_of(out)
    assert metrics['shape'] == [4, 24, 32, 3]
    assert metrics['parameters'] == pytest.approx(9000, rel=0.3)
    assert load_signal(out / 'fitted.mp4').shape == (4, 24, 32, 3)
    file = out / 'fit.inrn'
    run_tool('decode.py', file, tmp_path / 'frames', '--frames', '1:3')
    assert [p.name for p in sorted((tmp_path / 'frames').iterdir())] == ['f00001.png', 'f00002.png']
    run_tool('decode.py', file, tmp_path / 'slow', '--times', 1, 1.5, 2)
    first, middle, last = (
        cv2.imread(str(p)).astype(float) for p in sorted((tmp_path / 'slow').iterdir())
    )
    exact = cv2.imread(str(tmp_path / 'frames/f00001.png'))
    assert np.array_equal(first, exact)
    assert not np.array_equal(middle, first)
    with pytest.raises(SystemExit):
        run_tool('decode.py', file, tmp_path / 'one.png')
    assert '4 frames are to be decoded' in capsys.readouterr().err


def test_decoding_more_than_the_memory_holds(image, siren, run_tool, tmp_path, capsys):
    run_tool(
        'fit_image.py',
        image,
        '--config',
        siren,
        '--work-dir',
        tmp_path / 'fit',
        '--cfg-options',
        'train_cfg.max_iters=2',
    )
    command = [
        'decode.py',
        tmp_path / 'fit/fit.inrn',
        tmp_path / 'big.png',
        '--size',
        400000,
        400000,
    ]
    with pytest.raises(SystemExit):
        run_tool(*command)
    error = capsys.readouterr().err
    assert 'Decoding 400000 x 400000 pixels takes about 7152.6 GiB' in error
    assert 'give a smaller --size, or a --crop.' in error
    run_tool(*command, '--crop', 7, 7, 5, 9)
    assert cv2.imread(str(tmp_path / 'big.png')).shape == (5, 9, 3)


def test_grids_of_an_image_for_a_video(video, run_tool, tmp_path, capsys):
    for options in ([], ['--parameters', 9000]):
        with pytest.raises(SystemExit):
            run_tool(
                'fit_image.py',
                video,
                '--config',
                ROOT / 'configs/fitting/inrn-plus_image.py',
                '--work-dir',
                tmp_path / 'x',
                *options,
            )
        error = capsys.readouterr().err
        assert 'grids are for an image (y, x), the input is a video' in error


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['gone.png'], 'does not exist'),
        ([str(ROOT / 'setup.py')], 'is not an image'),
        (['PHOTO', '--bits', '9'], 'bits is 2 to 8, 16 or 32'),
        (['PHOTO', '--max-seconds', '0'], 'max_seconds must be positive'),
        (['PHOTO', '--crop', '0', '0', '99', '99'], 'is not inside'),
        (['PHOTO', '--prune', '1'], 'ratio is a share'),
        (['PHOTO', '--config', 'none.py'], 'config none.py does not exist'),
    ],
)
def test_bad_input_is_one_sentence(image, siren, run_tool, tmp_path, capsys, arguments, message):
    arguments = [str(image) if a == 'PHOTO' else a for a in arguments]
    if '--config' not in arguments:
        arguments += ['--config', siren]
    with pytest.raises(SystemExit) as caught:
        run_tool('fit_image.py', *arguments, '--work-dir', tmp_path / 'x')
    assert caught.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('error: ') and message in error
    assert not (tmp_path / 'x/fit.inrn').exists()


def test_config_of_another_kind(image, run_tool, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run_tool(
            'fit_image.py',
            image,
            '--config',
            ROOT / 'configs/inrn/faster-rcnn_inrn-m_coco.py',
            '--work-dir',
            tmp_path,
        )
    assert 'is no fitting config' in capsys.readouterr().err


def test_frames_of_a_slice():
    assert list(select_frames(None, 3)) == [0, 1, 2]
    assert list(select_frames('1:', 3)) == [1, 2]
    assert list(select_frames('::2', 5)) == [0, 2, 4]
    assert select_frames('2', 3) == [2]
    for text in ('a:b', '', '1:2:3:4', '0.5'):
        with pytest.raises(ValueError, match='is A:B'):
            select_frames(text, 3)


@pytest.mark.parametrize(
    'script',
    [
        'fit_image.py',
        'fit_video.py',
        'decode.py',
        'compare_fits.py',
        'analysis_tools/rate_distortion.py',
        'analysis_tools/fit_applications.py',
    ],
)
def test_help_has_an_example(script, run_tool, capsys):
    with pytest.raises(SystemExit) as caught:
        run_tool(script, '--help')
    assert caught.value.code == 0
    assert f'python tools/{script}' in capsys.readouterr().out
