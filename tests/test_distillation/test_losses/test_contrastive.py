"""CRD: scores against memories of all samples."""

import copy

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, make
from mmengine.structures import BaseDataElement

M, D, K, T = 20, 6, 8, 0.07


def samples(indices, labels=None):
    return [
        BaseDataElement(metainfo=dict(sample_idx=i), gt_label=torch.tensor([label]))
        for i, label in zip(indices, labels or [i % 3 for i in indices])
    ]


def contrastive(shape=(4, 5), target=(4, 7), **kwargs):
    kwargs = (
        dict(num_samples=M, embed_dims=D, num_negatives=K, temperature=T, negatives='relax')
        | kwargs
    )
    return make('ContrastiveLoss', [shape], [target], **kwargs).train()


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def embed(layer, x):
    return unit(f64(x) @ f64(layer.weight).T + f64(layer.bias))


def one_side(v, memory, columns, z=None):
    """Eq. 17-19, sample by sample; returns the loss and Z."""
    scores = np.array(
        [[np.exp(v[n] @ memory[m] / T) for m in row] for n, row in enumerate(columns)]
    )
    z = z or scores.mean() * M
    total = 0
    for positive, *negatives in scores / z:
        total -= np.log(positive / (positive + K / M + 1e-7))
        total -= sum(np.log(K / M / (x + K / M + 1e-7)) for x in negatives)
    return total / len(v), z


@pytest.fixture
def fixed_columns(monkeypatch):
    """Negatives that the closed form knows, too."""
    from inrn_mm.distillation.losses import ContrastiveLoss

    def draw(self, index, *args):
        steps = torch.arange(K + 1)
        return (index[:, None] + steps) % M

    monkeypatch.setattr(ContrastiveLoss, 'draw', draw)
    return lambda index: (np.array(index)[:, None] + np.arange(K + 1)) % M


def test_closed_form_of_two_steps(fixed_columns):
    """The second one sees moved memories and the Z of the first."""
    loss = contrastive()
    memory_s, memory_t = f64(loss.student_memory[0]), f64(loss.teacher_memory[0])
    z_s = z_t = None
    for step, index in enumerate([[3, 0, 7, 12], [7, 3, 1, 19]]):
        s, t = features((4, 5), (4, 7), seed=step)
        v_s, v_t = embed(loss.student_embeds[0], s), embed(loss.teacher_embeds[0], t)
        columns = fixed_columns(index)
        a, z_s = one_side(v_s, memory_t, columns, z_s)
        b, z_t = one_side(v_t, memory_s, columns, z_t)
        assert_near(loss([s], [t], samples(index))[0], a + b, rtol=1e-4)
        for memory, v in ((memory_s, v_s), (memory_t, v_t)):
            memory[index] = unit(0.5 * memory[index] + 0.5 * v)
        np.testing.assert_allclose(f64(loss.student_memory[0]), memory_s, atol=1e-6)
        np.testing.assert_allclose(f64(loss.teacher_memory[0]), memory_t, atol=1e-6)
    np.testing.assert_allclose(f64(loss.normalizers)[0], [z_s, z_t], rtol=1e-5)


def test_gradient_is_that_before_the_memories_move(fixed_columns):
    loss = contrastive()
    index = [3, 0, 7, 12]
    s, t = features((4, 5), (4, 7), grad=True)
    memory = f64(loss.teacher_memory[0])
    columns = fixed_columns(index)
    _, z = one_side(embed(loss.student_embeds[0], s), memory, columns)
    loss([s], [t], samples(index))[0].mul(3).backward()

    x = f64(s)
    numeric = np.empty_like(x)
    for i in np.ndindex(x.shape):
        values = []
        for step in (1e-6, -1e-6):
            y = x.copy()
            y[i] += step
            v = embed(loss.student_embeds[0], torch.from_numpy(y))
            values.append(one_side(v, memory, columns, z)[0])
        numeric[i] = 3 * (values[0] - values[1]) / 2e-6
    np.testing.assert_allclose(s.grad, numeric, rtol=1e-3, atol=1e-3)


def test_relaxed_negatives_are_all_other_samples():
    loss = contrastive(num_negatives=4000)
    index = torch.tensor([0, 7, M - 1])
    columns = loss.draw(index, None, None)
    assert torch.equal(columns[:, 0], index)
    for i, row in zip(index.tolist(), columns[:, 1:].tolist()):
        counts = np.bincount(row, minlength=M)
        assert counts[i] == 0
        others = np.delete(counts, i)
        assert others.min() > 0.7 * 4000 / (M - 1)


def test_exact_negatives_are_of_other_classes():
    loss = contrastive(num_negatives=4000, negatives='exact')
    labels = [i * 7 % 3 for i in range(M)]
    index = list(range(M))
    vectors = torch.zeros(M, 5)
    loss.draw(torch.tensor(index), vectors, samples(index, labels))
    assert loss.labels.tolist() == labels
    columns = loss.draw(torch.tensor(index), vectors, samples(index, labels))
    for i, row in zip(index, columns[:, 1:].tolist()):
        drawn = np.bincount(row, minlength=M)
        for j in range(M):
            assert (drawn[j] > 0) == (labels[i] != labels[j])


def test_exact_negatives_include_samples_not_yet_seen():
    loss = contrastive(num_negatives=4000, negatives='exact')
    columns = loss.draw(torch.tensor([3, 5]), torch.zeros(2, 5), samples([3, 5], [1, 1]))
    assert set(columns[:, 1:].flatten().tolist()) == set(range(M)) - {3, 5}


def test_one_class_only_is_finite():
    loss = contrastive(num_samples=4, negatives='exact')
    s, t = features((4, 5), (4, 7))
    (out,) = loss([s], [t], samples([0, 1, 2, 3], [0, 0, 0, 0]))
    assert torch.isfinite(out)


def test_memories_are_saved_and_resumed():
    batches = [(features((4, 5), (4, 7), seed=i), samples(range(i, i + 4))) for i in range(4)]

    def run(loss, steps):
        torch.manual_seed(len(steps))
        return [loss([s], [t], x)[0].item() for (s, t), x in steps]

    whole = contrastive()
    run(whole, batches[:2])
    torch.manual_seed(9)
    expected = run(whole, batches[2:])
    first = contrastive()
    run(first, batches[:2])
    torch.manual_seed(5)
    second = contrastive()
    torch.nn.init.zeros_(second.student_memory)
    second.load_state_dict(first.state_dict())
    assert run(second, batches[2:]) == expected


def test_evaluation_leaves_the_memories():
    loss = contrastive().eval()
    before = loss.student_memory.clone()
    s, t = features((4, 5), (4, 7))
    with torch.no_grad():
        loss([s], [t], samples([0, 1, 2, 3]))
    assert torch.equal(loss.student_memory, before)


def test_sample_twice_in_a_batch_counts_as_its_last_copy():
    loss = contrastive()
    s, t = features((4, 5), (4, 7))
    v = embed(loss.student_embeds[0], s)
    before = f64(loss.student_memory[0])
    loss([s], [t], samples([2, 2, 5, 2]))
    expected = unit(0.5 * before[[2, 5]] + 0.5 * v[[3, 2]])
    np.testing.assert_allclose(f64(loss.student_memory[0])[[2, 5]], expected, atol=1e-6)


def test_all_ranks_write_the_embeddings_of_all(monkeypatch):
    """Both ranks end with the memories of one process with the batch."""
    from inrn_mm.distillation.losses import contrastive as module

    s, t = features((4, 5), (4, 7))
    index = [3, 0, 7, 12]
    whole = contrastive()
    whole([s], [t], samples(index))

    parts = [slice(0, 2), slice(2, 4)]
    sent = {}
    for phase in ('record', 'replay', 'replay'):
        for rank, part in enumerate(parts):
            calls = iter(range(99))

            def gather(x, rank=rank, calls=calls):
                call = next(calls)
                sent[rank, call] = x
                if phase == 'record':
                    return [x]
                return [sent[r, call] for r in (0, 1)]

            monkeypatch.setattr(module, 'all_gather', gather)
            loss = contrastive()
            loss([s[part]], [t[part]], samples(index[part]))
            if phase == 'replay':
                torch.testing.assert_close(loss.student_memory, whole.student_memory)
                torch.testing.assert_close(loss.teacher_memory, whole.teacher_memory)


def test_ranks_start_from_the_same_memories(monkeypatch):
    """DDP without broadcast_buffers does not see to it."""
    from inrn_mm.distillation.losses import contrastive as module

    sent = []
    monkeypatch.setattr(module, 'broadcast', sent.append)
    loss = contrastive(negatives='exact')
    s, t = features((4, 5), (4, 7))
    for _ in range(2):
        loss([s], [t], samples([0, 1, 2, 3]))
    assert {id(x) for x in sent} == {id(x) for x in loss.buffers()}
    assert len(sent) == 4


def test_memory_is_announced_and_bounded(monkeypatch):
    from inrn_mm.distillation.losses import contrastive as module

    told = []
    monkeypatch.setattr(module, 'print_log', lambda msg, _: told.append(msg))
    contrastive(num_samples=4096, embed_dims=128)
    assert '0.00391 GiB' in told[0]  # 2 x 4096 x 128 x 4 bytes
    with pytest.raises(ValueError, match='take 1.22 GiB.*max_memory=1;'):
        contrastive(num_samples=1281167, embed_dims=128, max_memory=1)


@pytest.mark.parametrize(
    'data_samples, message',
    [
        (None, "add 'sample_idx' to the meta_keys"),
        ([BaseDataElement()] * 4, "add 'sample_idx' to the meta_keys"),
        (samples([0, 1, 2, M]), 'set num_samples to the size'),
        (samples([0, 1]), 'one vector for each image'),
    ],
)
def test_bad_samples(data_samples, message):
    s, t = features((4, 5), (4, 7))
    with pytest.raises(ValueError, match=message):
        contrastive()([s], [t], data_samples)


def test_exact_negatives_need_labels():
    s, t = features((1, 5), (1, 7))
    unlabelled = [BaseDataElement(metainfo=dict(sample_idx=0))]
    with pytest.raises(ValueError, match='needs ground-truth labels'):
        contrastive(negatives='exact')([s], [t], unlabelled)


def test_dense_maps_are_refused():
    with pytest.raises(ValueError, match='ContrastiveLoss compares vectors.*name a pooled layer'):
        contrastive((4, 5, 2, 2), (4, 7, 2, 2))


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(negatives='hard'), "Unknown negatives 'hard'"),
        (dict(num_samples=1), 'num_samples must be .* at least 2'),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        contrastive(**kwargs)


@pytest.mark.parametrize('first', [True, False])
@pytest.mark.parametrize('value', [float('inf'), float('nan')])
def test_a_batch_that_overflows_is_forgotten(first, value):
    """A loss scaler skips its step; the memories and Z stay good."""
    loss = contrastive(negatives='exact')
    student, teacher = features((4, 5)), features((4, 7), seed=1)
    if not first:
        loss(student, teacher, samples(range(4)))
    before = copy.deepcopy(loss.state_dict())
    bad = [torch.full_like(teacher[0], value)]
    assert not loss(student, bad, samples(range(8, 12)))[0].isfinite()
    assert all(buffer.isfinite().all() for buffer in loss.buffers())
    assert torch.equal(loss.teacher_memory, before['teacher_memory'])
    # one sample of a batch
    mixed = teacher[0].clone()
    mixed[1] = value
    loss(student, [mixed], samples(range(12, 16)))
    moved = (loss.teacher_memory[0] != before['teacher_memory'][0]).any(1)
    assert moved[12:16].tolist() == [True, False, True, True]
    assert loss(student, teacher, samples(range(4, 8)))[0].isfinite()
    assert (loss.normalizers > 0).all()
