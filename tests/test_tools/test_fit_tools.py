"""fit_image.py, fit_video.py, decode.py and the tools that compare fits."""

import itertools
import json
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
from mmengine.runner import Runner
from tool_runs import ROOT

from inrn_mm.fitting.budget import BudgetHook
from inrn_mm.fitting.codec import read_fit
from inrn_mm.fitting.decode import select_frames
from inrn_mm.fitting.job import FitJob
from inrn_mm.fitting.signal import load_signal
from tools.studies.fit_comparison import choose_boxes, fit_once
from tools.studies.rate_distortion import frontier, psnr_at

pytest.importorskip('constriction')
SIREN = """
_base_ = '{root}/configs/fitting/_base_/image.py'
model = dict(net=dict(type='SIREN', width=16, num_layers=1),
             loss=dict(alpha=1.), log_interval=5)
optim_wrapper = dict(optimizer=dict(lr=5e-3))
train_cfg = dict(max_iters=40, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=10, max_keep_ckpts=4))
"""
NERV = """
_base_ = '{root}/configs/fitting/_base_/video.py'
model = dict(net=dict(type='NeRV', arch=4, min_width=4, stem_width=16))
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


def test_compare_goes_on(image, siren, run_tool, tmp_path, capsys):
    other = tmp_path / 'finer_image.py'
    other.write_text(siren.read_text().replace('SIREN', 'FINER'))
    out = tmp_path / 'compare'
    command = [
        'compare_fits.py',
        image,
        '--configs',
        siren,
        other,
        '--parameters',
        1200,
        '--out',
        out,
    ]
    run_tool(*command)
    table = (out / 'table.md').read_text()
    assert '| siren | 1,' in table and '| finer | 1,' in table
    rows = json.loads((out / 'table.json').read_text())
    assert [row['network'] for row in rows] == ['SIREN', 'FINER']
    # ground truth and two methods, each 384 wide, 6 between
    assert cv2.imread(str(out / 'grid.png')).shape[1] == 3 * 384 + 2 * 6

    # one is missing: the other is left alone
    stamp = (out / 'siren/fit.inrn').stat().st_mtime_ns
    (out / 'finer/metrics.json').unlink()
    capsys.readouterr()
    run_tool(*command)
    printed = capsys.readouterr().out
    assert 'siren: done before' in printed and 'finer: fitting' in printed
    assert (out / 'siren/fit.inrn').stat().st_mtime_ns == stamp
    assert (out / 'finer/metrics.json').is_file()

    with pytest.raises(SystemExit):
        run_tool(*command, '--bits', 4)
    assert 'was begun with bits=8, not 4' in capsys.readouterr().err


def test_killed_after_force(image, siren, tmp_path, monkeypatch, capsys):
    """The figures of the former fit are not shown for the new one."""
    job = FitJob(
        str(image),
        str(siren),
        work_dir=str(tmp_path / 'fit'),
        cfg_options={'train_cfg.max_iters': 10},
    )
    fit_once(job)
    changed = replace(job, crop=(0, 0, 16, 16))
    with pytest.raises(ValueError, match='crop=None, not .* or --force'):
        fit_once(changed)
    with monkeypatch.context() as patch:
        patch.setattr(Runner, 'train', lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fit_once(replace(changed, force=True))
    assert not list((tmp_path / 'fit').glob('*.pth'))
    assert fit_once(changed)['shape'] == [1, 16, 16, 3]
    assert 'done before' not in capsys.readouterr().out


def test_rate_distortion_of_an_image(image, siren, run_tool, tmp_path, capsys):
    out = tmp_path / 'rd'
    run_tool(
        'analysis_tools/rate_distortion.py',
        image,
        '--config',
        siren,
        '--parameters',
        400,
        1500,
        '--bits',
        8,
        4,
        '--out',
        out,
    )
    points = json.loads((out / 'rd.json').read_text())
    fits = [p for p in points if p['codec'] == 'siren_image']
    assert len(fits) == 4 and len(points) == 4 + 12
    for point in fits:
        name = point['setting'].split()[0]
        bits = point['setting'].split()[-2]
        (file,) = [
            path
            for path in out.glob(f'*/{bits}_bits.inrn')
            if str(read_fit(path).net.num_parameters) == name
        ]
        assert file.stat().st_size == point['bytes']
    jpeg = [p for p in points if p['codec'] == 'JPEG']
    assert [p['psnr'] for p in jpeg] == sorted(p['psnr'] for p in jpeg)
    assert cv2.imread(str(out / 'rd.png')) is not None
    assert '| JPEG at this rate |' in capsys.readouterr().out


def test_h264_and_h265_are_measured(video):
    pytest.importorskip('av')
    from tools.studies.reference_codecs import video_points

    target = load_signal(video)
    for codec in ('libx264', 'libx265'):
        good, poor = video_points(target, codec, (10, 45), 'ultrafast')
        assert good['psnr'] > poor['psnr'] + 3
        assert good['bytes'] > poor['bytes']
        assert good['psnr'] > 28


def test_frontier_and_rates_between_points():
    points = [
        dict(bytes=b, bits_per_pixel=b / 100, psnr=p)
        for b, p in ((100, 20.0), (200, 19.0), (400, 30.0))
    ]
    assert [p['bytes'] for p in frontier(points)] == [100, 400]
    assert psnr_at(points, 2.0) == pytest.approx(25)  # halfway in log
    assert psnr_at(points, 0.5) is None and psnr_at(points, 5.0) is None


def test_applications(image, video, siren, nerv, run_tool, tmp_path, capsys):
    tool = 'analysis_tools/fit_applications.py'
    run_tool(tool, 'superres', image, '--config', siren, '--out', tmp_path / 's')
    found = metrics_of(tmp_path / 's')
    assert set(found) == {'fit', 'Lanczos', 'bicubic'}
    assert cv2.imread(str(tmp_path / 's/result.png')).shape == (24, 32, 3)

    run_tool(tool, 'denoise', image, '--config', siren, '--out', tmp_path / 'd', '--sigma', 80)
    found = metrics_of(tmp_path / 'd')
    # below what the noise was drawn with: clipping
    assert 10 < found['noisy']['psnr'] < 14
    assert metrics_of(tmp_path / 'd/fit')['iterations'] < 40

    run_tool(tool, 'interpolate', video, '--config', nerv, '--out', tmp_path / 'i', '--save-frames')
    assert len(list((tmp_path / 'i/fit/fitted').iterdir())) == 3
    assert metrics_of(tmp_path / 'i/fit')['shape'][0] == 3
    assert len(list((tmp_path / 'i/between').iterdir())) == 2
    found = metrics_of(tmp_path / 'i')
    frames = [cv2.imread(str(video / f'f{i}.png')) for i in range(5)]
    errors = [
        np.mean(((frames[i - 1].astype(float) + frames[i + 1]) / 2 - frames[i]) ** 2)
        for i in (1, 3)
    ]
    expected = np.mean([-10 * np.log10(e / 255**2) for e in errors])
    assert found['mean of both neighbours']['psnr'] == pytest.approx(expected, abs=0.1)
    with pytest.raises(SystemExit):
        run_tool(tool, 'superres', video, '--config', siren, '--out', tmp_path / 'x')
    assert 'takes one image, the input has 5' in capsys.readouterr().err


def test_applications_of_another_input(siren, run_tool, tmp_path, capsys):
    out = tmp_path / 'out'
    out.mkdir()
    for i, folder in enumerate('ab'):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / 'photo.png'), smooth(24, 32, i))

    def apply(task, folder, *options):
        run_tool(
            'analysis_tools/fit_applications.py',
            task,
            tmp_path / folder / 'photo.png',
            '--config',
            siren,
            '--out',
            out,
            '--cfg-options',
            'train_cfg.max_iters=10',
            *options,
        )
        return metrics_of(out)

    (out / 'small.png').write_text('mine')
    with pytest.raises(SystemExit):
        apply('superres', 'a')
    assert 'small.png exists: overwrite it with' in capsys.readouterr().err
    (out / 'small.png').unlink()

    first = apply('superres', 'a')
    small = (out / 'small.png').read_bytes()
    cases = [
        (('superres', 'b'), 'b/photo.png'),
        (('superres', 'a', '--factor', 4), 'factor=2, not 4'),
        (('denoise', 'a'), 'task=superres, not denoise'),
    ]
    for arguments, message in cases:
        with pytest.raises(SystemExit):
            apply(*arguments)
        assert message in capsys.readouterr().err
    assert (out / 'small.png').read_bytes() == small
    assert apply('superres', 'a') == first  # the same again
    assert apply('superres', 'b', '--force') != first


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
    assert select_frames(None, 3) == [0, 1, 2]
    assert select_frames('1:', 3) == [1, 2]
    assert select_frames('::2', 5) == [0, 2, 4]
    assert select_frames('2', 3) == [2]
    for text in ('a:b', '', '1:2:3:4', '0.5'):
        with pytest.raises(ValueError, match='is A:B'):
            select_frames(text, 3)


def test_zoomed_parts_lie_inside_and_apart():
    picture = np.zeros((40, 60, 3), np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, (12, 12, 3))
    picture[:12, 48:] = noise
    picture[28:, :12] = noise // 2
    boxes = choose_boxes(picture)
    assert len(boxes) == 2
    for top, left, height, width in boxes:
        assert 0 <= top <= 40 - height and 0 <= left <= 60 - width
    (top, left, side, _), second = boxes
    assert top < 12 and left > 35 and second[0] > 18 and second[1] < 14


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
