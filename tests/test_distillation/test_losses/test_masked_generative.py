"""MGD: features generated from masked ones."""

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, make


def conv3x3(x, conv):
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    h, w = x.shape[2] - 2, x.shape[3] - 2
    weight = f64(conv.weight)
    out = sum(
        np.einsum('oc,nchw->nohw', weight[..., i, j], x[:, :, i : i + h, j : j + w])
        for i in range(3)
        for j in range(3)
    )
    return out + f64(conv.bias)[None, :, None, None]


@pytest.mark.parametrize('mask, shape', [('places', (3, 1, 4, 5)), ('channels', (3, 2, 1, 1))])
def test_closed_form(mask, shape):
    s, t = features((3, 2, 4, 5), (3, 2, 4, 5))
    loss = make('MaskedGenerativeLoss', [s.shape], mask=mask, mask_ratio=0.4)
    torch.manual_seed(7)
    (out,) = loss([s], [t])
    torch.manual_seed(7)
    kept = torch.rand(shape).numpy() >= 0.4
    x = conv3x3(f64(s) * kept, loss.generators[0][0])
    x = conv3x3(np.maximum(x, 0), loss.generators[0][2])
    assert_near(out, ((x - f64(t)) ** 2).sum() / 3)


@pytest.mark.parametrize('ratio', [0.0, 0.45, 0.65])
def test_share_of_masked_places(ratio):
    loss = make('MaskedGenerativeLoss', [(1, 2, 4, 4)], mask_ratio=ratio)
    mask = loss.draw(torch.ones(4, 2, 64, 64))
    assert mask.shape == (4, 1, 64, 64) and set(mask.unique().tolist()) <= {0.0, 1.0}
    assert 1 - mask.mean().item() == pytest.approx(ratio, abs=0.02)


def test_other_channels_are_aligned():
    s, t = features((3, 2, 4, 4), (3, 5, 2, 2))
    loss = make('MaskedGenerativeLoss', [s.shape], [t.shape])
    assert loss.align[0].conv.out_channels == 5
    assert torch.isfinite(loss([s], [t])[0])


@pytest.mark.parametrize(
    'kwargs, message',
    [(dict(mask_ratio=1.0), 'mask_ratio must be'), (dict(mask='rows'), "Unknown mask 'rows'")],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make('MaskedGenerativeLoss', [(1, 2, 4, 4)], **kwargs)


def test_vectors_are_refused():
    with pytest.raises(ValueError, match='MaskedGenerativeLoss compares maps'):
        make('MaskedGenerativeLoss', [(2, 3)])
