"""CWD: channels as distributions over places."""

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, log_softmax, make


@pytest.mark.parametrize('temperature', [1.0, 4.0])
def test_closed_form(temperature):
    s, t = features((2, 3, 4, 5), (2, 3, 4, 5), scale=3)
    total = 0
    for n in range(2):
        for c in range(3):
            p, q = (log_softmax(f64(x)[n, c].ravel() / temperature) for x in (t, s))
            total += (np.exp(p) * (p - q)).sum()
    loss = make('ChannelWiseLoss', [s.shape], temperature=temperature)
    assert_near(loss([s], [t])[0], temperature**2 * total / 6)


def test_constant_channel_is_a_uniform_distribution():
    (t,) = features((2, 3, 4, 5))
    s = torch.full((2, 3, 4, 5), 7.0, requires_grad=True)
    (out,) = make('ChannelWiseLoss', [s.shape])([s], [t])
    out.backward()
    p = log_softmax(f64(t).reshape(6, 20))
    assert_near(out, (np.exp(p) * (p + np.log(20))).sum(1).mean())
    assert torch.isfinite(s.grad).all()


def test_single_place_costs_nothing():
    s, t = features((2, 3, 1, 1), (2, 3, 1, 1))
    assert_near(make('ChannelWiseLoss', [s.shape])([s], [t])[0], 0)


def test_other_size_is_resized():
    s, t = features((2, 3, 4, 4), (2, 3, 2, 2))
    pooled = f64(s).reshape(2, 3, 2, 2, 2, 2).mean((3, 5)).reshape(6, 4)
    p, q = log_softmax(f64(t).reshape(6, 4)), log_softmax(pooled)
    (out,) = make('ChannelWiseLoss', [s.shape], [t.shape])([s], [t])
    assert_near(out, (np.exp(p) * (p - q)).sum(1).mean())


@pytest.mark.parametrize(
    'kwargs, shape, message',
    [
        ({}, (2, 3), 'ChannelWiseLoss compares maps'),
        (dict(temperature=-1), (2, 3, 4, 4), 'must be .* above 0'),
    ],
)
def test_bad_input(kwargs, shape, message):
    with pytest.raises(ValueError, match=message):
        make('ChannelWiseLoss', [shape], **kwargs)


def test_default_weight():
    assert make('ChannelWiseLoss', [(2, 3, 4, 4)]).current_weights() == [10.0]
