"""OFD: margins from the teacher's norm, partial squared error."""

import math

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, make
from scipy.integrate import trapezoid
from torch import nn

from inrn_mm.distillation.losses.overhaul import negative_mean


def norm(bias, weight, layer=nn.BatchNorm2d):
    module = layer(len(bias))
    module.bias.data = torch.tensor(bias, dtype=torch.float)
    module.weight.data = torch.tensor(weight, dtype=torch.float)
    return module


def numeric_margin(mu, sigma):
    """E[x | x < 0] by the trapezoid rule."""
    x = np.linspace(mu - 12 * sigma, 0, 400001)
    density = np.exp(-(((x - mu) / sigma) ** 2) / 2)
    return trapezoid(x * density, x) / trapezoid(density, x)


@pytest.mark.parametrize(
    'mu, sigma', [(0.0, 1.0), (0.5, 0.7), (-1.0, 0.3), (2.0, 1.0), (-3.0, 0.5)]
)
def test_margin_is_the_expectation_of_the_negative_part(mu, sigma):
    # the sign of a norm's weight does not matter
    for weight in (sigma, -sigma):
        (margin,) = negative_mean(norm([mu], [weight]), 1)
        assert margin.item() == pytest.approx(numeric_margin(mu, sigma), rel=1e-5)


def test_margin_where_hardly_anything_is_negative():
    # P(x < 0) is .00135 for mu = 3 sigma, and .00097 for 3.1 sigma
    margins = negative_mean(norm([3.0, 3.1, 40.0], [1.0, 1.0, 2.0]), 3)
    assert margins[0].item() == pytest.approx(numeric_margin(3.0, 1.0))
    assert margins[1:].tolist() == [-3.0, -6.0]


def test_margin_without_deviation_is_the_limit():
    margins = negative_mean(norm([-2.0, 0.0, 2.0], [0.0, 0.0, 0.0]), 3)
    assert margins.tolist() == [-2.0, 0.0, 0.0]
    tiny = negative_mean(norm([-2.0, 0.0, 2.0], [1e-30] * 3), 3)
    torch.testing.assert_close(tiny, margins)


def test_margin_of_a_norm_without_parameters():
    margins = negative_mean(nn.BatchNorm2d(2, affine=False), 2)
    expected = -math.sqrt(2 / math.pi)
    torch.testing.assert_close(margins, torch.full((2,), expected))


def attached(shapes, targets, **kwargs):
    loss = make('OverhaulLoss', shapes, targets, **kwargs)
    loss.attach_teacher([norm([0.3, -0.2], [1.0, 0.5]) for _ in range(len(shapes))])
    return loss


def partial(s, t, margins):
    """Element by element."""
    total = 0
    for n, c, i, j in np.ndindex(s.shape):
        target = max(t[n, c, i, j], margins[c])
        if not s[n, c, i, j] <= target <= 0:
            total += (s[n, c, i, j] - target) ** 2
    return total


def test_closed_form_of_two_stages():
    shapes, targets = [(3, 2, 4, 4), (3, 3, 2, 2)], [(3, 2, 4, 4), (3, 2, 2, 2)]
    loss = attached(shapes, targets)
    student, teacher = features(*shapes), features(*targets, seed=1)
    margins = [numeric_margin(0.3, 1.0), numeric_margin(-0.2, 0.5)]
    for i, (term, s, t) in enumerate(zip(loss(student, teacher), student, teacher)):
        weight = f64(loss.connectors[i].conv.weight)[..., 0, 0]
        x = np.einsum('oc,nchw->nohw', weight, f64(s))
        mean, var = (f(x, (0, 2, 3), keepdims=True) for f in (np.mean, np.var))
        x = (x - mean) / np.sqrt(var + 1e-5)
        assert_near(term, partial(x, f64(t), margins) / 3 / (2, 1)[i], rtol=1e-4)


def test_negative_student_below_the_margin_is_left_alone():
    loss = attached([(1, 2, 1, 1)], [(1, 2, 1, 1)], connector=dict(type='AlignConv'))
    conv = loss.connectors[0].conv
    conv.weight.data = torch.eye(2)[..., None, None]
    s = torch.tensor([-5.0, 1.0]).reshape(1, 2, 1, 1).requires_grad_()
    t = torch.tensor([-9.0, -9.0]).reshape(1, 2, 1, 1)
    (out,) = loss([s], [t])
    out.backward()
    assert s.grad.flatten()[0] == 0
    assert_near(out, (1 - numeric_margin(-0.2, 0.5)) ** 2)


def test_margins_are_saved():
    loss = attached([(1, 2, 1, 1)], [(1, 2, 1, 1)])
    assert loss.state_dict()['margin0'].tolist() == pytest.approx(
        [numeric_margin(0.3, 1.0), numeric_margin(-0.2, 0.5)]
    )


def test_margin_layers_are_found_in_the_teacher():
    net = nn.Sequential(nn.Conv2d(3, 2, 1), norm([-1.0, 1.0], [0.0, 0.0]), nn.ReLU())
    loss = make('OverhaulLoss', [(1, 2, 1, 1)], margin_layers=['1'])
    loss.attach_teacher([net[2]], net)
    assert loss.margin0.tolist() == [-1.0, 0.0]
    with pytest.raises(ValueError, match="no layer '7', named in margin_laye"):
        make('OverhaulLoss', [(1, 2, 1, 1)], margin_layers=['7']).attach_teacher([net[2]], net)


def test_a_layer_without_a_norm_is_refused():
    loss = make('OverhaulLoss', [(1, 2, 1, 1)])
    with pytest.raises(
        ValueError, match="reads its margin from a norm layer, but the teacher's 0 is a ReLU"
    ):
        loss.attach_teacher([nn.ReLU()])
    with pytest.raises(ValueError, match='3 channels, the teacher.s feature'):
        loss.attach_teacher([nn.BatchNorm2d(3)])


def after_first_batch(net, first, second=None, layer='1'):
    loss = make('OverhaulLoss', [(2, 2, 2, 2)], margin_layers=[layer])
    loss.attach_teacher([None], net)
    (s,) = features((2, 2, 2, 2))
    for t in (first, first if second is None else second):
        terms = loss([s], [t])
    return terms[0]


def test_features_after_the_relu_are_refused():
    net = nn.Sequential(nn.Conv2d(3, 2, 1), norm([-1.0, 1.0], [1.0, 1.0]))
    (t,) = features((2, 2, 2, 2))
    with pytest.raises(ValueError, match="the teacher's layer 0 has no nega"):
        after_first_batch(net, t.relu())
    # the first batch tells
    assert after_first_batch(net, t, t.relu()) > 0


def test_norms_that_are_hardly_negative_tell_nothing():
    net = nn.Sequential(nn.Conv2d(3, 2, 1), norm([9.0, 9.0], [1.0, 1.0]))
    (t,) = features((2, 2, 2, 2))
    assert after_first_batch(net, t.abs()) > 0


def test_a_student_under_itself_is_refused():
    with pytest.raises(ValueError, match="with teacher='self' still change"):
        make('OverhaulLoss', [(1, 2, 1, 1)], teacher='self')


def test_unknown_margins_are_refused():
    loss = make('OverhaulLoss', [(1, 2, 1, 1)])
    (s,) = features((1, 2, 1, 1))
    with pytest.raises(RuntimeError, match='call attach_teacher'):
        loss([s], [s])


def test_bad_arguments():
    with pytest.raises(ValueError, match='1 pairs of layers but 2 margin'):
        make('OverhaulLoss', [(1, 2, 1, 1)], margin_layers=['a', 'b'])
    with pytest.raises(ValueError, match='OverhaulLoss compares maps'):
        make('OverhaulLoss', [(1, 2)])
