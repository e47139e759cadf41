"""Attention transfer."""

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, make


def attention(x, power):
    """Loops over images and places."""
    rows = []
    for image in x:
        row = np.array(
            [
                np.mean(np.abs(image[:, i, j]) ** power)
                for i in range(image.shape[1])
                for j in range(image.shape[2])
            ]
        )
        rows.append(row / np.sqrt((row**2).sum()))
    return np.array(rows)


@pytest.mark.parametrize('power', [1, 2, 4])
def test_closed_form_with_other_channels(power):
    s, t = features((3, 2, 4, 5), (3, 6, 4, 5))
    loss = make('AttentionTransferLoss', [s.shape], [t.shape], power=power)
    expected = (attention(f64(s), power) - attention(f64(t), power)) ** 2
    assert_near(loss([s], [t])[0], expected.mean())


@pytest.mark.parametrize('larger', ['student', 'teacher'])
def test_larger_map_is_averaged_to_the_smaller(larger):
    big, small = features((2, 3, 4, 4), (2, 3, 2, 2))
    pooled = f64(big).reshape(2, 3, 2, 2, 2, 2).mean((3, 5))
    expected = ((attention(pooled, 2) - attention(f64(small), 2)) ** 2).mean()
    s, t = (big, small) if larger == 'student' else (small, big)
    loss = make('AttentionTransferLoss', [s.shape], [t.shape])
    assert_near(loss([s], [t])[0], expected)


def test_scale_of_the_features_does_not_matter():
    (s,) = features((2, 3, 4, 4))
    loss = make('AttentionTransferLoss', [s.shape])
    assert loss([s], [s * 7])[0] < 1e-12


def test_dead_map_has_a_finite_loss_and_gradient():
    s = torch.zeros(2, 3, 4, 4, requires_grad=True)
    (t,) = features((2, 3, 4, 4))
    (value,) = make('AttentionTransferLoss', [s.shape])([s], [t])
    value.backward()
    assert_near(value, 1 / 16)  # a unit vector against zero
    assert torch.isfinite(s.grad).all()


def test_vectors_are_refused():
    with pytest.raises(ValueError, match='AttentionTransferLoss compares map'):
        make('AttentionTransferLoss', [(2, 3)])


def test_default_weight_is_the_papers():
    loss = make('AttentionTransferLoss', [(2, 3, 4, 4)])
    assert loss.current_weights() == [1000.0]
