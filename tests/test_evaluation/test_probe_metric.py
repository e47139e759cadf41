"""Nearest neighbours and a linear layer on features."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import METRICS

import inrn_mm  # noqa: F401
from inrn_mm.evaluation.probe_metric import linear_probe, nearest_neighbours, split_known


def measure(features, labels, **kwargs):
    metric = METRICS.build(dict(type='ProbeMetric', **kwargs))
    samples = [dict(features=x, gt_label=torch.tensor([y])) for x, y in zip(features, labels)]
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def clusters(count=60, classes=3, distance=20.0):
    labels = torch.arange(count) % classes
    return torch.randn(count, 8) + distance * F.one_hot(labels, 8), labels


def test_classes_that_lie_apart_are_told():
    assert measure(*clusters()) == {'probe/knn': 100, 'probe/linear': 100}


def test_features_that_tell_nothing():
    found = measure(torch.randn(400, 8), torch.arange(400) % 4)
    for value in found.values():
        assert 15 < value < 35


def test_what_is_known_is_never_asked_for():
    """Each image is only in the same place as its own class's, and of one's own."""
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    assert split_known(labels).tolist() == [True, False, True, False, True, True]
    # an image would find itself
    features = torch.randn(40, 64)
    assert measure(features, torch.randperm(40) // 2, k=1)['probe/knn'] < 50


def test_votes_by_hand():
    known = F.normalize(torch.randn(9, 4))
    labels = torch.arange(9) % 3
    asked = torch.randn(5, 4)
    guess = nearest_neighbours(known, labels, asked, k=4, temperature=0.5)
    for x, found in zip(asked, guess):
        cosine = F.cosine_similarity(x, known)
        votes = np.zeros(3)
        for i in cosine.argsort(descending=True)[:4]:
            votes[labels[i]] += np.exp(cosine[i].item() / 0.5)
        assert votes.argmax() == found
    assert len(nearest_neighbours(known, labels, asked, k=100)) == 5


def test_the_linear_layer_is_logistic_regression():
    """As scikit-learn's, whose C is of the sum over the images."""
    linear_model = pytest.importorskip('sklearn.linear_model')
    known, labels = clusters(60, distance=1.0)
    asked, _ = clusters(200, distance=1.0)
    mean, std = known.mean(0), known.std(0, unbiased=False)
    other = linear_model.LogisticRegression(C=1 / (60 * 0.01), max_iter=1000)
    other.fit((known - mean) / std, labels)
    expected = other.predict((asked - mean) / std)
    same = linear_probe(known, labels, asked, weight_decay=0.01).numpy() == expected
    assert same.mean() > 0.98


def test_nothing_can_be_asked_for():
    with pytest.raises(ValueError, match='two images or more of a class'):
        measure(torch.randn(3, 4), [0, 1, 2])


@pytest.mark.parametrize(
    'settings', [dict(k=0), dict(temperature=0), dict(weight_decay=-1)], ids=str
)
def test_settings_that_mean_nothing(settings):
    with pytest.raises(ValueError, match='must be'):
        METRICS.build(dict(type='ProbeMetric', **settings))
