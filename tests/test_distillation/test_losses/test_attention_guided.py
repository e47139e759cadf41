"""FBKD: attention of both, means and relations."""

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, make, softmax
from torch import nn

SHAPE = (2, 6, 5, 7)


def norm(x):
    return np.sqrt((x**2).sum())


def pointwise(layer, x):
    return (
        np.einsum('oi,nihw->nohw', f64(layer.weight)[..., 0, 0], x) + f64(layer.bias)[:, None, None]
    )


def attention(x):
    n, _, h, w = x.shape
    places = np.abs(x).mean(1).reshape(n, -1) / 0.5
    return h * w * softmax(places, 1).reshape(n, 1, h, w)


def test_the_formula():
    s, t = features(SHAPE, SHAPE)
    loss = make('AttentionGuidedLoss', [SHAPE], alpha=0.3, beta=0.5, gamma=0.7)
    adapt = loss.adapters[0]
    out = loss([s], [t])[0]
    places = f64(adapt['places'](s.mean(1, keepdim=True)))
    s, t = f64(s), f64(t)
    mask = (attention(s) + attention(t)) / 2
    channels = s.mean((2, 3)) @ f64(adapt['channels'].weight).T + f64(adapt['channels'].bias)
    expected = 0.3 * norm(np.sqrt(mask) * (pointwise(adapt['features'], s) - t))
    expected += 0.5 * norm(channels - t.mean((2, 3)))
    expected += 0.5 * norm(places - t.mean(1, keepdims=True))
    # the non-local blocks begin as the identity
    expected += 0.7 * norm(pointwise(adapt['relations'], s) - t)
    assert_near(out, expected)


def test_relations_are_learned_on_both_sides():
    s, t = features(SHAPE, SHAPE, grad=True)
    loss = make('AttentionGuidedLoss', [SHAPE], alpha=0, beta=0, gamma=1, pools=3)
    for blocks in (loss.student_relations, loss.teacher_relations):
        nn.init.ones_(blocks[0].norm.weight)
    loss([s], [t.detach()])[0].backward()
    for blocks in (loss.student_relations, loss.teacher_relations):
        assert all(p.grad is not None for p in blocks.parameters())
    # a place has to do with all others
    assert (s.grad != 0).all()


def test_equal_features_have_a_gradient():
    (s,) = features(SHAPE, grad=True)
    loss = make('AttentionGuidedLoss', [SHAPE])
    for name in ('features', 'channels', 'relations'):
        layer = loss.adapters[0][name]
        nn.init.zeros_(layer.bias)
        layer.weight.data.copy_(torch.eye(6).view_as(layer.weight))
    loss([s], [s.detach()])[0].backward()
    assert s.grad.isfinite().all()


def test_attention_has_no_gradient():
    s, t = features(SHAPE, SHAPE, grad=True)
    loss = make('AttentionGuidedLoss', [SHAPE], alpha=1, beta=0, gamma=0)
    loss.adapters[0]['features'].requires_grad_(False)
    nn.init.zeros_(loss.adapters[0]['features'].weight)
    loss([s], [t.detach()])[0].backward()
    assert (s.grad == 0).all()


def test_other_channels_and_small_maps():
    student, teacher = [(2, 4, 1, 3), (2, 4, 9, 9)], [(2, 6, 1, 3), (2, 6, 18, 18)]
    loss = make('AttentionGuidedLoss', student, teacher, pools=[8, 4], reductions=[2, 3])
    terms = loss(features(*student), features(*teacher, seed=1))
    assert len(terms) == 2 and all(term > 0 for term in terms)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(temperature=0), 'temperature must be'),
        (dict(pools=[2, 2]), 'pools must be a positive number or one for each of 1 pairs'),
        (dict(reductions=0), 'reductions must be a positive number'),
    ],
)
def test_settings_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        make('AttentionGuidedLoss', [SHAPE], **arguments)
