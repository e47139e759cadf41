"""DKD: target class and the others apart."""

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, log_softmax, make, softmax
from mmengine.structures import BaseDataElement

LABELS = [2, 0, 4, 1, 2, 3]


def samples(labels=LABELS):
    return [BaseDataElement(gt_label=torch.tensor([x])) for x in labels]


def decoupled(s, t, labels, alpha, beta, temperature):
    """Eq. 7, row by row."""
    tckd = nckd = 0
    for zs, zt, y in zip(s / temperature, t / temperature, labels):
        ps, pt = softmax(zs), softmax(zt)
        for a, b in ((pt[y], ps[y]), (1 - pt[y], 1 - ps[y])):
            tckd += a * np.log(a / b)
        others = [i for i in range(len(zs)) if i != y]
        lt, ls = log_softmax(zt[others]), log_softmax(zs[others])
        nckd += (np.exp(lt) * (lt - ls)).sum()
    return temperature**2 * (alpha * tckd + beta * nckd) / len(labels)


@pytest.mark.parametrize('alpha, beta', [(1, 8), (0, 1), (2, 0)])
def test_closed_form(alpha, beta):
    s, t = features((6, 5), (6, 5), scale=3)
    loss = make('DecoupledKDLoss', [(6, 5)], alpha=alpha, beta=beta)
    expected = decoupled(f64(s), f64(t), LABELS, alpha, beta, 4)
    assert_near(loss([s], [t], samples())[0], expected)


def test_standardised_logits():
    s, t = features((6, 5), (6, 5), scale=3)
    z = [(x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) for x in (f64(s), f64(t))]
    loss = make('DecoupledKDLoss', [(6, 5)], standardize=True, temperature=2)
    expected = decoupled(*z, LABELS, 1, 8, 2)
    assert_near(loss([s], [t], samples())[0], expected)


def test_with_alpha_one_and_teachers_weight_it_is_plain_kd():
    """Eq. 5 of the paper: KD = TCKD + (1 - p_t) NCKD."""
    s, t = features((1, 5), (1, 5))
    rest = 1 - softmax(f64(t)[0])[2]
    loss = make('DecoupledKDLoss', [(1, 5)], beta=rest, temperature=1)
    plain = make('LogitKDLoss', [(1, 5)], temperature=1)
    torch.testing.assert_close(loss([s], [t], samples([2])), plain([s], [t]))


def test_sure_teacher_stays_finite():
    t = torch.tensor([[300.0, 0.0, -300.0]])
    s = -t.clone().requires_grad_()
    loss = make('DecoupledKDLoss', [(1, 3)], temperature=1)
    s.retain_grad()
    (out,) = loss([s], [t], samples([0]))
    out.backward()
    assert torch.isfinite(out) and torch.isfinite(s.grad).all()


def test_two_classes_leave_nothing_among_the_others():
    s, t = features((6, 2), (6, 2))
    labels = [x % 2 for x in LABELS]
    loss = make('DecoupledKDLoss', [(6, 2)], alpha=0)
    assert_near(loss([s], [t], samples(labels))[0], 0)


def test_mixed_images_count_as_their_larger_part():
    s, t = features((2, 3), (2, 3))
    mixed = samples([0, 0])
    mixed[1].gt_score = torch.tensor([0.2, 0.1, 0.7])
    loss = make('DecoupledKDLoss', [(2, 3)])
    assert_near(loss([s], [t], mixed)[0], decoupled(f64(s), f64(t), [0, 2], 1, 8, 4))


@pytest.mark.parametrize(
    'data_samples, message',
    [
        (None, 'needs ground-truth labels'),
        ([BaseDataElement()], 'needs ground-truth labels'),
        (samples([1]), 'one label for each row.* 1 labels for 6 rows'),
    ],
)
def test_missing_labels(data_samples, message):
    (s,) = features((6, 5))
    with pytest.raises(ValueError, match=message):
        make('DecoupledKDLoss', [(6, 5)])([s], [s], data_samples)


@pytest.mark.parametrize(
    'shapes, message',
    [
        (((2, 3), (2, 4)), 'same classes'),
        (((2, 3, 4, 4), (2, 3, 4, 4)), 'DecoupledKDLoss compares vectors'),
        (((2, 1), (2, 1)), 'two classes or more'),
    ],
)
def test_bad_layers(shapes, message):
    with pytest.raises(ValueError, match=message):
        make('DecoupledKDLoss', [shapes[0]], [shapes[1]])
