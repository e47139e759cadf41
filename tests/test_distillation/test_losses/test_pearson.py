"""PKD: correlation of channels over batch and places."""

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, make


def standardized(x):
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        values = x[:, c]
        out[:, c] = (values - values.mean()) / (values.std(ddof=1) + 1e-6)
    return out


def test_closed_form():
    s, t = features((3, 4, 5, 2), (3, 4, 5, 2), scale=2)
    expected = ((standardized(f64(s)) - standardized(f64(t))) ** 2).mean() / 2
    assert_near(make('PearsonLoss', [s.shape])([s], [t])[0], expected)


def test_it_is_one_minus_the_correlation():
    s, t = features((8, 1, 16, 16), (8, 1, 16, 16))
    rho = np.corrcoef(f64(s).ravel(), f64(t + s).ravel())[0, 1]
    (out,) = make('PearsonLoss', [s.shape])([s], [t + s])
    assert out.item() == pytest.approx(1 - rho, rel=1e-2)


def test_scale_and_offset_of_the_teacher_do_not_matter():
    (s,) = features((3, 4, 5, 2))
    (out,) = make('PearsonLoss', [s.shape])([s], [s * 5 + 7])
    assert_near(out, 0, atol=1e-6)


@pytest.mark.parametrize('value', [0.0, 0.1, 1e3])
def test_dead_channel_becomes_zeros_without_gradient(value):
    s, t = features((3, 2, 4, 4), (3, 2, 4, 4))
    s[:, 1] = value
    s.requires_grad_()
    (out,) = make('PearsonLoss', [s.shape])([s], [t])
    out.backward()
    x, y = f64(s), standardized(f64(t))
    x = np.stack([standardized(x[:, :1])[:, 0], np.zeros_like(x[:, 1])], 1)
    assert_near(out, ((x - y) ** 2).mean() / 2)
    assert s.grad[:, 0].abs().sum() > 0
    assert torch.equal(s.grad[:, 1], torch.zeros(3, 4, 4))


def test_other_channels_are_aligned_and_other_sizes_resized():
    s, t = features((2, 4, 4, 4), (2, 4, 2, 2))
    loss = make('PearsonLoss', [s.shape], [t.shape])
    assert not list(loss.parameters())
    pooled = f64(s).reshape(2, 4, 2, 2, 2, 2).mean((3, 5))
    expected = ((standardized(pooled) - standardized(f64(t))) ** 2).mean() / 2
    assert_near(loss([s], [t])[0], expected)

    (s,) = features((2, 3, 2, 2))
    loss = make('PearsonLoss', [s.shape], [t.shape])
    conv = loss.align[0].conv
    aligned = np.einsum('oc,nchw->nohw', f64(conv.weight)[..., 0, 0], f64(s))
    expected = ((standardized(aligned) - standardized(f64(t))) ** 2).mean() / 2
    assert_near(loss([s], [t])[0], expected, rtol=1e-4)


def test_single_value_is_finite():
    s = torch.ones(1, 2, 1, 1, requires_grad=True)
    (out,) = make('PearsonLoss', [s.shape])([s], [s.detach() + 1])
    out.backward()
    assert_near(out, 0)


def test_vectors_are_refused():
    with pytest.raises(ValueError, match='PearsonLoss compares maps'):
        make('PearsonLoss', [(2, 3)])


def test_default_weight_is_that_of_faster_rcnn():
    assert make('PearsonLoss', [(2, 3, 4, 4)]).current_weights() == [6.0]
