"""PSNR, SSIM, MS-SSIM and bits per pixel."""

import math

import pytest
import torch
from mmengine.evaluator import Evaluator
from skimage import metrics as skimage_metrics

import inrn_mm  # noqa: F401
from inrn_mm.evaluation import ms_ssim, psnr, ssim


def frames(height=24, width=32, noise=0.05, count=2):
    gt = torch.rand(count, 3, height, width)
    scale = torch.arange(1, count + 1).view(-1, 1, 1, 1)
    pred = (gt + noise * scale * torch.randn_like(gt)).clamp(0, 1)
    return pred, gt


def to_numpy(frame):
    return frame.permute(1, 2, 0).numpy()


def test_psnr_is_that_of_scikit_image():
    pred, gt = frames()
    expected = [
        skimage_metrics.peak_signal_noise_ratio(to_numpy(g), to_numpy(p), data_range=1)
        for p, g in zip(pred, gt)
    ]
    assert psnr(pred, gt).tolist() == pytest.approx(expected, abs=1e-4)


def test_psnr_of_one_level_of_16_bits():
    gt = torch.full((1, 1, 4, 4), 30000 / 65535)
    assert psnr(gt + 1 / 65535, gt).item() == pytest.approx(20 * math.log10(65535), abs=0.05)
    assert psnr(gt, gt).item() == 100


def test_ssim_is_that_of_scikit_image():
    pred, gt = frames()
    for p, g, value in zip(pred, gt, ssim(pred, gt)):
        _, every = skimage_metrics.structural_similarity(
            to_numpy(g),
            to_numpy(p),
            data_range=1,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        inside = every[5:-5, 5:-5]  # without the padded border
        assert value.item() == pytest.approx(inside.mean(), abs=1e-5)


def test_ms_ssim_of_equal_and_of_noisy_frames():
    pred, gt = frames(161, 170, count=1)
    assert ms_ssim(gt, gt).item() == pytest.approx(1)
    assert 0.5 < ms_ssim(pred, gt).item() < 0.9999


@pytest.mark.parametrize('metric, side, least', [(ssim, 10, 11), (ms_ssim, 160, 161)])
def test_small_frames(metric, side, least):
    pred, gt = frames(side, 200)
    with pytest.raises(ValueError, match=f'at least {least} pixels .* {side} x 200'):
        metric(pred, gt)


@pytest.mark.smoke
def test_metrics_in_an_evaluator(tmp_path):
    file = tmp_path / 'fit.inrn'
    file.write_bytes(bytes(96))
    evaluator = Evaluator(
        [
            dict(type='PSNR'),
            dict(type='SSIM', prefix='fit'),
            dict(type='BitsPerPixel', file=str(file)),
        ]
    )
    pred, gt = frames()
    for i in range(2):  # one frame at a time: still the mean of both
        evaluator.process([dict(pred=pred[i], gt=gt[i], frame=i)])
    found = evaluator.evaluate(2)
    assert found == pytest.approx(
        {
            'psnr': psnr(pred, gt).mean().item(),
            'fit/ssim': ssim(pred, gt).mean().item(),
            'bpp': 8 * 96 / (2 * 24 * 32),
        }
    )
    # not that of the pooled error
    pooled = -10 * torch.log10((pred - gt).square().mean()).item()
    assert abs(found['psnr'] - pooled) > 0.3


def test_bits_of_a_file_that_is_not_there(tmp_path):
    evaluator = Evaluator([dict(type='BitsPerPixel', file=tmp_path / 'no.inrn')])
    pred, gt = frames()
    evaluator.process([dict(pred=pred[0], gt=gt[0])])
    with pytest.raises(FileNotFoundError, match='export the fit first'):
        evaluator.evaluate(1)
