"""Building losses and features, and closed forms in plain float64."""

import numpy as np
import torch
from mmengine.registry import MODELS

import inrn_mm  # noqa: F401, registers the losses


def make(type, student_shapes, teacher_shapes=None, **kwargs):
    """A loss over pairs of these shapes."""
    torch.manual_seed(0)
    pairs = [(i, i) for i in range(len(student_shapes))]
    loss = MODELS.build(dict(type=type, pairs=pairs, **kwargs))
    loss.build(
        [torch.Size(s) for s in student_shapes],
        [torch.Size(s) for s in teacher_shapes or student_shapes],
    )
    return loss


def features(*shapes, seed=0, scale=1.0, grad=False):
    """Random features of these shapes."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(s, generator=generator) * scale).requires_grad_(grad) for s in shapes]


def f64(x):
    """A tensor as a float64 array."""
    return x.detach().double().cpu().numpy()


def log_softmax(z, axis=-1):
    z = z - z.max(axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def softmax(z, axis=-1):
    return np.exp(log_softmax(z, axis))


def assert_near(actual, expected, rtol=1e-5, atol=1e-7):
    """A float32 scalar against its closed form."""
    assert actual.shape == () and actual.dtype == torch.float32
    np.testing.assert_allclose(actual.item(), float(expected), rtol=rtol, atol=atol)
