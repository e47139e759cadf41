"""DIST: correlations by image and by class."""

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, make, softmax


@pytest.mark.parametrize('temperature', [1.0, 4.0])
def test_closed_form(temperature):
    s, t = features((6, 5), (6, 5), scale=2)
    p, q = softmax(f64(s) / temperature), softmax(f64(t) / temperature)
    inter = np.mean([1 - np.corrcoef(p[i], q[i])[0, 1] for i in range(6)])
    intra = np.mean([1 - np.corrcoef(p[:, i], q[:, i])[0, 1] for i in range(5)])
    loss = make('DISTLoss', [(6, 5)], beta=3, gamma=0.5, temperature=temperature)
    expected = temperature**2 * (3 * inter + 0.5 * intra)
    assert_near(loss([s], [t])[0], expected, rtol=1e-4)


def test_tiny_probabilities_count_less_as_in_the_published_code():
    """A class of probabilities 1e-6 falls to the 1e-8 beside the norms."""
    s, t = features((4, 3), (4, 3))
    s[:, 0] -= 14
    t[:, 0] -= 14
    p, q = softmax(f64(s)), softmax(f64(t))
    p, q = p - p.mean(0), q - q.mean(0)
    rho = (p * q).sum(0) / (np.linalg.norm(p, axis=0) * np.linalg.norm(q, axis=0) + 1e-8)
    loss = make('DISTLoss', [(4, 3)], beta=0, gamma=1)
    assert_near(loss([s], [t])[0], 1 - rho.mean(), rtol=1e-4)
    assert abs(rho[0]) < 1e-2


@pytest.mark.parametrize('value', [0.0, 0.3, 1e3])
def test_equal_logits_have_no_correlation_and_no_gradient(value):
    s = torch.full((6, 5), value, requires_grad=True)
    (t,) = features((6, 5))
    (out,) = make('DISTLoss', [(6, 5)])([s], [t])
    out.backward()
    assert_near(out, 4)
    assert torch.equal(s.grad, torch.zeros_like(s))


def test_one_image_has_no_relation_within_classes():
    s, t = features((1, 5), (1, 5))
    s.requires_grad_()
    (out,) = make('DISTLoss', [(1, 5)], beta=0, gamma=1)([s], [t])
    out.backward()
    assert_near(out, 1)
    assert torch.isfinite(s.grad).all()


def test_equal_predictions_cost_nothing():
    (s,) = features((6, 5))
    assert_near(make('DISTLoss', [(6, 5)])([s], [s + 3])[0], 0, atol=1e-5)


@pytest.mark.parametrize(
    'shapes, message',
    [
        (((2, 3), (2, 4)), 'DISTLoss compares logits of the same classes'),
        (((2, 3, 4, 4), (2, 3, 4, 4)), 'DISTLoss compares vectors'),
    ],
)
def test_bad_layers(shapes, message):
    with pytest.raises(ValueError, match=message):
        make('DISTLoss', [shapes[0]], [shapes[1]])
