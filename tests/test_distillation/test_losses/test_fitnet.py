"""FitNet: MSE(r(F_s), F_t)."""

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, make


def test_closed_form_with_batch_norm_and_relu():
    loss = make('FitNetLoss', [(3, 2, 4, 4)], [(3, 5, 4, 4)])
    s, t = features((3, 2, 4, 4), (3, 5, 4, 4))
    conv = loss.regressors[0].conv
    weight = f64(conv.weight)[:, :, 0, 0]
    x = np.einsum('oc,nchw->nohw', weight, f64(s))
    mean = x.mean((0, 2, 3), keepdims=True)
    var = x.var((0, 2, 3), keepdims=True)
    x = np.maximum((x - mean) / np.sqrt(var + 1e-5), 0)
    assert_near(loss([s], [t])[0], ((x - f64(t)) ** 2).mean())


@pytest.mark.parametrize(
    'size, target, kernel, kind',
    [
        (8, 4, 3, torch.nn.Conv2d),
        (4, 8, 4, torch.nn.ConvTranspose2d),
        (8, 8, 1, torch.nn.Conv2d),
        (9, 4, 1, torch.nn.Conv2d),
    ],
)
def test_regressor_follows_the_ratio_of_sizes(size, target, kernel, kind):
    s, t = (2, 3, size, size), (2, 4, target, target)
    loss = make('FitNetLoss', [s], [t])
    conv = loss.regressors[0].conv
    assert type(conv) is kind and conv.kernel_size == (kernel, kernel)
    student, teacher = features(s, t)
    assert loss.regressors[0](student, teacher).shape == t


def test_regressor_takes_odd_sizes_in_training():
    """The probe image told a ratio of 2; a real map may be off by one."""
    loss = make('FitNetLoss', [(2, 3, 8, 8)], [(2, 4, 4, 4)])
    s, t = features((2, 3, 13, 8), (2, 4, 6, 4))
    assert torch.isfinite(loss([s], [t])[0])


def test_hint_before_its_activation_has_both_signs():
    loss = make(
        'FitNetLoss',
        [(2, 3, 4, 4)],
        connector=dict(type='HintRegressor', act_cfg=None, norm_cfg=None),
    )
    s, t = features((2, 3, 4, 4), (2, 3, 4, 4))
    assert (loss.regressors[0](s, t) < 0).any()


def test_vectors_are_refused():
    with pytest.raises(ValueError, match=r'FitNetLoss compares maps.*layer 0'):
        make('FitNetLoss', [(2, 3)], [(2, 3)])


def test_default_weight_is_that_of_crds_comparison():
    assert make('FitNetLoss', [(2, 3, 4, 4)]).current_weights() == [100.0]
