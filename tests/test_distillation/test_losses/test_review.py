"""ReviewKD: fusion from deep to shallow, and a pyramid of errors."""

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, make

from inrn_mm.distillation.losses.review import context_loss


def pooled(x, size):
    """Adaptive average pooling by loops."""
    h, w = x.shape[2:]
    out = np.empty((*x.shape[:2], size, size))
    for i in range(size):
        for j in range(size):
            rows = slice(i * h // size, -(-(i + 1) * h // size))
            columns = slice(j * w // size, -(-(j + 1) * w // size))
            out[:, :, i, j] = x[:, :, rows, columns].mean((2, 3))
    return out


@pytest.mark.parametrize(
    'size, levels',
    [
        ((8, 8), [4, 2, 1]),
        ((7, 5), [4, 2, 1]),
        ((4, 4), [2, 1]),
        ((3, 9), [2, 1]),
        ((2, 2), [1]),
        ((1, 1), []),
        ((5, 1), []),
    ],
)
def test_context_loss_uses_the_levels_below_the_maps_size(size, levels):
    s, t = features((2, 3, *size), (2, 3, *size))
    total, weight = ((f64(s) - f64(t)) ** 2).mean(), 1
    for i, level in enumerate(levels):
        error = (pooled(f64(s), level) - pooled(f64(t), level)) ** 2
        total += error.mean() / 2 ** (i + 1)
        weight += 1 / 2 ** (i + 1)
    assert_near(context_loss(s, t), total / weight)


def batch_norm(x):
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
    shape = (1, -1, 1, 1)
    return (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + 1e-5)


def conv1x1(x, conv):
    out = np.einsum('oc,nchw->nohw', f64(conv.weight)[..., 0, 0], x)
    return out if conv.bias is None else out + f64(conv.bias)[None, :, None, None]


def conv3x3(x, conv):
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    h, w = x.shape[2] - 2, x.shape[3] - 2
    weight = f64(conv.weight)
    return sum(
        np.einsum('oc,nchw->nohw', weight[..., i, j], x[:, :, i : i + h, j : j + w])
        for i in range(3)
        for j in range(3)
    )


def test_closed_form_of_two_stages():
    shapes = [(2, 3, 4, 4), (2, 5, 2, 2)]
    targets = [(2, 4, 4, 4), (2, 6, 2, 2)]
    loss = make('ReviewLoss', shapes, targets, mid_channels=7)
    student, teacher = features(*shapes), features(*targets, seed=1)

    shallow, deep = loss.fusions
    y = batch_norm(conv1x1(f64(student[1]), deep.reduce[0]))
    deep_out = batch_norm(conv3x3(y, deep.expand[0]))
    x = batch_norm(conv1x1(f64(student[0]), shallow.reduce[0]))
    y = y.repeat(2, 2).repeat(2, 3)
    gates = 1 / (1 + np.exp(-conv1x1(np.concatenate([x, y], 1), shallow.gates)))
    x = x * gates[:, :1] + y * gates[:, 1:]
    out = batch_norm(conv3x3(x, shallow.expand[0]))

    def hcl(s, t):
        levels = [(s, t)] + [(pooled(s, i), pooled(t, i)) for i in (4, 2, 1) if i < s.shape[2]]
        weights = [2.0**-i for i in range(len(levels))]
        return sum(w * ((a - b) ** 2).mean() for w, (a, b) in zip(weights, levels)) / sum(weights)

    terms = loss(student, teacher)
    assert_near(terms[0], hcl(out, f64(teacher[0])), rtol=1e-4)
    assert_near(terms[1], hcl(deep_out, f64(teacher[1])), rtol=1e-4)


def test_deep_features_reach_the_shallow_term():
    shapes = [(2, 3, 4, 4), (2, 5, 2, 2)]
    loss = make('ReviewLoss', shapes)
    student, teacher = features(*shapes, grad=True), features(*shapes, seed=1)
    loss(student, teacher)[0].backward()
    assert student[1].grad.abs().sum() > 0


def test_pooled_vectors_are_the_deepest_stage():
    shapes = [(2, 3, 4, 4), (2, 5, 1, 1)]
    flat = [(2, 3, 4, 4), (2, 5)]
    as_map, as_vector = make('ReviewLoss', shapes), make('ReviewLoss', flat)
    student, teacher = features(*shapes), features(*shapes, seed=1)
    terms = as_vector([x.squeeze() for x in student], [x.squeeze() for x in teacher])
    torch.testing.assert_close(terms, as_map(student, teacher))


def test_odd_sizes_of_both_sides():
    loss = make('ReviewLoss', [(2, 3, 4, 4), (2, 5, 2, 2)], [(2, 3, 8, 8), (2, 5, 4, 4)])
    student = features((2, 3, 7, 5), (2, 5, 4, 3))
    teacher = features((2, 3, 13, 9), (2, 5, 7, 5))
    assert all(torch.isfinite(x) for x in loss(student, teacher))


def test_width_of_the_fusion():
    shapes = [(2, 8, 4, 4), (2, 600, 2, 2)]
    for kwargs, mid in [({}, 512), (dict(mid_channels=16), 16)]:
        loss = make('ReviewLoss', shapes, **kwargs)
        assert loss.fusions[0].reduce[0].out_channels == mid


def test_parameters_of_five_fpn_levels_are_those_published():
    """The ABFs of the paper's detectors have 3,286,024 parameters."""
    shapes = [(1, 256, 2**i, 2**i) for i in (5, 4, 3, 2, 1)]
    loss = make('ReviewLoss', shapes)
    assert sum(p.numel() for p in loss.parameters()) == 3286024


@pytest.mark.parametrize(
    'shapes, targets, message',
    [
        ([(2, 5, 2, 2), (2, 3, 4, 4)], None, 'Order the pairs'),
        ([(2, 3, 4, 4)], [(2, 3)], 'compares maps'),
        ([(2, 3, 4)], None, 'compares maps'),
    ],
)
def test_bad_layers(shapes, targets, message):
    with pytest.raises(ValueError, match=message):
        make('ReviewLoss', shapes, targets)
