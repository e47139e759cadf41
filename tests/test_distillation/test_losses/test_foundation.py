"""DenseFeatureLoss and GlobalFeatureLoss, by hand."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import nn

import inrn_mm  # noqa: F401


def build(kind, student, teacher, **kwargs):
    loss = MODELS.build(dict(type=kind, pairs=[(0, 0)], **kwargs))
    loss.build([torch.Size(student)], [torch.Size(teacher)])
    return loss.train()


def plain(loss):
    """Without the head, so that both sides can be compared by hand."""
    loss.heads[0] = nn.Identity()
    return loss


def test_the_published_form_by_hand():
    s, t = torch.randn(2, 5, 3, 4), torch.randn(2, 5, 3, 4)
    loss = plain(build('DenseFeatureLoss', s.shape, t.shape, standardize=False))
    (term,) = loss([s], [t])
    total = 0
    for n in range(2):
        for y in range(3):
            for x in range(4):
                a, b = s[n, :, y, x], t[n, :, y, x]
                cosine = a @ b / a.norm() / b.norm()
                difference = (a - b).abs()
                smooth = torch.where(difference < 1, difference**2 / 2, difference - 0.5).mean()
                total += 0.9 * (1 - cosine) + 0.1 * smooth
    torch.testing.assert_close(term, total / 24)


def test_the_head_is_two_layers_with_a_norm():
    loss = build('DenseFeatureLoss', (1, 4, 2, 2), (1, 6, 2, 2), hidden=5)
    kinds = [type(layer).__name__ for layer in loss.heads[0]]
    assert kinds == ['Linear', 'LayerNorm', 'GELU', 'Linear']
    assert [p.shape for p in loss.heads[0].parameters()][:2] == [(5, 4), (5,)]


@pytest.mark.parametrize('fine', [0, 1])
def test_the_finer_map_is_averaged(fine):
    """Over the places that one of the coarser map has."""
    maps = [torch.randn(2, 5, 3, 3), torch.randn(2, 5, 3, 3)]
    sizes = [x.repeat_interleave(2, 2).repeat_interleave(2, 3) for x in maps]
    mixed = [sizes[i] if i == fine else maps[i] for i in range(2)]
    same = plain(build('DenseFeatureLoss', maps[0].shape, maps[1].shape, standardize=False))
    torch.testing.assert_close(same([mixed[0]], [mixed[1]]), same([maps[0]], [maps[1]]))


def test_standardized_channels_have_running_statistics():
    t = torch.randn(8, 3, 4, 4) * torch.tensor([0.1, 1, 50]).view(3, 1, 1) + 20
    loss = plain(build('DenseFeatureLoss', t.shape, t.shape))
    wanted = F.batch_norm(t, None, None, training=True)
    rows = t.transpose(0, 1).flatten(1)
    (term,) = loss([wanted], [t])
    torch.testing.assert_close(loss.norms[0].running_mean, rows.mean(1))
    assert term < 1e-3
    (raw,) = loss([t], [t])
    assert raw > 0.1
    # the mean over all batches, and none of a validation's
    loss([wanted], [t + 3])
    expected = (2 * rows.mean(1) + rows.mean(1) + 3) / 3
    torch.testing.assert_close(loss.norms[0].running_mean, expected)
    loss.eval()([wanted], [t + 300])
    torch.testing.assert_close(loss.norms[0].running_mean, expected)


def test_the_global_loss_pools_maps_and_takes_vectors():
    s, t = torch.randn(4, 6, 3, 3), torch.randn(4, 6)
    loss = plain(build('GlobalFeatureLoss', s.shape, t.shape, standardize=False))
    expected = 1 - F.cosine_similarity(s.mean((2, 3)), t).mean()
    torch.testing.assert_close(loss([s], [t])[0], expected)


def test_a_lone_vector_has_no_statistics():
    loss = build('GlobalFeatureLoss', (1, 4), (1, 6))
    (term,) = loss([torch.randn(1, 4)], [torch.randn(1, 6)])
    assert torch.isfinite(term)


@pytest.mark.parametrize(
    ('kind', 'shapes', 'message'),
    [
        ('DenseFeatureLoss', ((1, 4), (1, 4, 2, 2)), 'compares maps'),
        ('GlobalFeatureLoss', ((1, 4, 2, 2), (1, 5, 4)), 'class token'),
    ],
)
def test_shapes_that_it_does_not_take(kind, shapes, message):
    with pytest.raises(ValueError, match=message):
        build(kind, *shapes)


@pytest.mark.parametrize(
    'settings',
    [dict(cosine_weight=-1), dict(cosine_weight=0, l1_weight=0), dict(hidden=0)],
    ids=str,
)
def test_settings_that_mean_nothing(settings):
    with pytest.raises(ValueError, match='must be'):
        build('DenseFeatureLoss', (1, 4, 2, 2), (1, 4, 2, 2), **settings)


def test_relations_by_hand():
    """Of each image with the batch and the queue, as the teacher has them."""
    s, t = torch.randn(3, 5), torch.randn(3, 5)
    loss = plain(build('RelationLoss', s.shape, t.shape, queue=4, standardize=False))
    before = loss.queue_0.clone()
    keys = [F.normalize(t, dim=1)[i] for i in range(3)] + list(before)
    total = 0
    for a, b in zip(F.normalize(s, dim=1), F.normalize(t, dim=1)):
        p = torch.stack([b @ key / 0.07 for key in keys]).softmax(0)
        q = torch.stack([a @ key / 0.2 for key in keys]).softmax(0)
        total += (p * (p / q).log()).sum()
    torch.testing.assert_close(loss([s], [t])[0], total / 3)
    # the newest are kept
    assert torch.equal(loss.queue_0, torch.cat([F.normalize(t), before[:1]]))
    kept = loss.queue_0.clone()
    loss([s], [t * float('nan')])
    loss.eval()([s], [t + 1])
    assert torch.equal(loss.queue_0, kept)


def test_relations_that_are_the_teachers_cost_nothing():
    t = torch.randn(3, 5)
    same = dict(standardize=False, temperature=0.1, teacher_temperature=0.1)
    loss = plain(build('RelationLoss', t.shape, t.shape, **same))
    assert loss([t], [t])[0].abs() < 1e-5
    assert loss([-t], [t])[0] > 1
