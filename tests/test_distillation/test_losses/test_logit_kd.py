"""Hinton's distillation, its standardised and its dense form."""

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, log_softmax, make


def divergence(s, t, temperature):
    """T^2 KL(t || s), summed over classes, mean of the rows."""
    s, t = log_softmax(s / temperature), log_softmax(t / temperature)
    return temperature**2 * (np.exp(t) * (t - s)).sum(1).mean()


def z_score(z):
    return (z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True)


@pytest.mark.parametrize('temperature', [1.0, 4.0])
def test_closed_form(temperature):
    s, t = features((6, 5), (6, 5), scale=3)
    loss = make('LogitKDLoss', [(6, 5)], temperature=temperature)
    assert_near(loss([s], [t])[0], divergence(f64(s), f64(t), temperature))


def test_gradient_is_the_difference_of_softened_predictions():
    s, t = features((6, 5), (6, 5))
    s.requires_grad_()
    make('LogitKDLoss', [(6, 5)])([s], [t])[0].backward()
    expected = np.exp(log_softmax(f64(s) / 4)) - np.exp(log_softmax(f64(t) / 4))
    np.testing.assert_allclose(s.grad, 4 * expected / 6, rtol=1e-4, atol=1e-6)


def test_standardised_logits():
    s, t = features((6, 5), (6, 5), scale=3)
    loss = make('LogitKDLoss', [(6, 5)], standardize=True, temperature=2)
    expected = divergence(z_score(f64(s)), z_score(f64(t)), 2)
    assert_near(loss([s], [t])[0], expected)
    # whatever the range of the student's logits
    assert_near(loss([s * 9 + 2], [t])[0], expected, rtol=1e-4)


@pytest.mark.parametrize('value', [0.0, 0.1, 1e4])
def test_equal_logits_standardise_to_zeros_without_gradient(value):
    s = torch.full((6, 5), value, requires_grad=True)
    (t,) = features((6, 5))
    (out,) = make('LogitKDLoss', [(6, 5)], standardize=True)([s], [t])
    out.backward()
    assert_near(out, divergence(np.zeros((6, 5)), z_score(f64(t)), 4), rtol=1e-4)
    assert torch.equal(s.grad, torch.zeros_like(s))


def dense_rows(x, classes):
    """Places of a map as rows, channel = anchor * classes + class."""
    return np.array(
        [
            image[a * classes : (a + 1) * classes, i, j]
            for image in x
            for i in range(x.shape[2])
            for j in range(x.shape[3])
            for a in range(x.shape[1] // classes)
        ]
    )


def test_dense_logits_are_a_softmax_per_anchor():
    s, t = features((2, 6, 3, 4), (2, 6, 3, 4))
    loss = make('LogitKDLoss', [s.shape], num_classes=3)
    expected = divergence(dense_rows(f64(s), 3), dense_rows(f64(t), 3), 4)
    assert_near(loss([s], [t])[0], expected)


@pytest.mark.parametrize('classes', [1, 3])
def test_sigmoid_is_one_bernoulli_per_class(classes):
    shape = (2, 2 * classes, 3, 4)
    s, t = features(shape, shape, scale=3)
    loss = make('LogitKDLoss', [shape], num_classes=classes, use_sigmoid=True, temperature=2.0)
    p, q = (1 / (1 + np.exp(-dense_rows(f64(x), classes) / 2)) for x in (t, s))
    kl = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    assert_near(loss([s], [t])[0], 4 * kl.sum(1).mean())


def test_sigmoid_of_extreme_logits_is_finite():
    s = torch.tensor([[100.0, -100.0]], requires_grad=True)
    (out,) = make('LogitKDLoss', [(1, 2)], use_sigmoid=True, temperature=1)([s], [-s.detach()])
    out.backward()
    assert_near(out, 200)
    assert torch.isfinite(s.grad).all()


def test_equal_logits_cost_nothing():
    (s,) = features((6, 5), scale=20)
    assert_near(make('LogitKDLoss', [(6, 5)])([s], [s])[0], 0)


def test_no_proposals_cost_nothing():
    s = torch.zeros(0, 5, requires_grad=True)
    (out,) = make('LogitKDLoss', [(6, 5)])([s], [s.detach()])
    out.backward()
    assert_near(out, 0)


@pytest.mark.parametrize(
    'shapes, kwargs, message',
    [
        (((2, 3), (2, 4)), {}, r'same classes.*\(2, 3\).*\(2, 4\)'),
        (((2, 3), (2, 3, 4, 4)), {}, 'same classes'),
        (((2, 3, 4), (2, 3, 4)), {}, 'takes logits'),
        (((2, 1), (2, 1)), {}, 'set use_sigmoid=True'),
        (((2, 6, 4, 4), (2, 6, 4, 4)), dict(num_classes=4), 'no multiple'),
        (((2, 3), (2, 3)), dict(temperature=0), 'must be .* above 0'),
    ],
)
def test_bad_input(shapes, kwargs, message):
    with pytest.raises(ValueError, match=message):
        make('LogitKDLoss', [shapes[0]], [shapes[1]], **kwargs)


def test_default_weight():
    assert make('LogitKDLoss', [(2, 3)]).current_weights() == [0.9]
