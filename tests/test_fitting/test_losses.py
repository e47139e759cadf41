import numpy as np
import pytest
import torch
from pytorch_msssim import ssim as reference
from skimage.metrics import structural_similarity

from inrn_mm.fitting import FittingLoss
from inrn_mm.fitting.losses import _window, ssim, target_moments


@pytest.fixture
def images():
    target = torch.rand(2, 3, 24, 30)
    return (target + 0.1 * torch.randn_like(target)).requires_grad_(), target


def test_ssim_is_pytorch_msssims(images):
    pred, target = images
    torch.testing.assert_close(ssim(pred, target), reference(pred, target, data_range=1))
    (ours,) = torch.autograd.grad(ssim(pred, target), pred)
    (theirs,) = torch.autograd.grad(reference(pred, target, data_range=1), pred)
    torch.testing.assert_close(ours, theirs)


def test_ssim_is_scikit_images(images):
    pred, target = (x.detach().numpy().astype(np.float64) for x in images)
    _, full = structural_similarity(
        pred[0],
        target[0],
        data_range=1,
        channel_axis=0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    # the pixels whose window lies inside
    expected = full[:, 5:-5, 5:-5].mean()
    value = ssim(images[0][:1], images[1][:1]).item()
    assert value == pytest.approx(expected, abs=1e-5)


def test_moments_of_the_target_can_be_kept(images):
    pred, target = images
    moments = target_moments(target)
    torch.testing.assert_close(ssim(pred, target, moments), ssim(pred, target))


def test_window_of_inference_serves_training(images):
    pred, target = images
    _window.cache_clear()
    with torch.inference_mode():
        expected = ssim(pred, target)
    loss = ssim(pred, target)
    loss.backward()
    assert loss == expected and pred.grad.abs().sum() > 0
    assert _window.cache_info().misses == 1


def test_equation_1(images):
    pred, target = images
    error = pred - target
    norms = dict(
        mse=error.square().mean(), l1=error.abs().mean(), printed=error.norm() / error.numel()
    )
    for norm, value in norms.items():
        losses = FittingLoss(alpha=0.25, norm=norm)(pred, target)
        torch.testing.assert_close(losses['loss_norm'], 0.25 * value)
        torch.testing.assert_close(losses['loss_ssim'], 0.75 * (1 - ssim(pred, target)))
    assert list(FittingLoss(alpha=1.0)(pred, target)) == ['loss_norm']


def test_loss_is_in_float32_whatever_the_network_is(images):
    pred, target = images
    near = target + 0.002 * torch.randn_like(target)
    with torch.autocast('cpu', torch.bfloat16):
        losses = FittingLoss()(near.bfloat16(), target)
    expected = FittingLoss()(near.bfloat16().float(), target)
    for name, value in losses.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, expected[name])


def test_identical_and_small_images_are_finite():
    x = torch.full((1, 1, 4, 20), 0.5, requires_grad=True)
    losses = FittingLoss()(x, x.detach())
    sum(losses.values()).backward()
    assert losses['loss_ssim'].item() == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(x.grad).all()


def test_bad_arguments():
    with pytest.raises(ValueError, match='one of mse, l1, printed'):
        FittingLoss(norm='l3')
    with pytest.raises(ValueError, match=r'alpha must be in \[0, 1\]'):
        FittingLoss(alpha=2)
