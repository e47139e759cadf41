"""The tools that compare fits."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from fit_inputs import metrics_of, smooth
from mmengine.runner import Runner

from inrn_mm.fitting.codec import read_fit
from inrn_mm.fitting.options import FitJob
from inrn_mm.fitting.signal import load_signal
from tools.studies.fit_comparison import choose_boxes, fit_once, make_jobs
from tools.studies.rate_distortion import frontier, psnr_at

pytest.importorskip('constriction')


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


def test_a_config_with_an_entry_of_its_own(tmp_path):
    config = 'configs/fitting/inrn_video.py'
    rows = [config, f'{config}+model.net.arch=s+model.net.compression=0.5']
    jobs = make_jobs('clip.mp4', rows, tmp_path, cfg_options={'randomness.seed': 1})
    assert list(jobs) == ['inrn', 'inrn-s-0.5']
    assert {job.config for job in jobs.values()} == {config}
    own = {'model.net.arch': 's', 'model.net.compression': 0.5}
    assert jobs['inrn-s-0.5'].cfg_options == {**own, 'randomness.seed': 1}
    assert jobs['inrn'].cfg_options == {'randomness.seed': 1}
    with pytest.raises(ValueError, match=r'\+small must be \+KEY=VALUE'):
        make_jobs('clip.mp4', [f'{config}+small'], tmp_path)
