"""What holds for every registered distillation loss."""

import copy
import inspect
import pprint

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement, InstanceData
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from toys import toy_batch, toy_config

import inrn_mm  # noqa: F401, registers the losses
from inrn_mm.distillation.losses import DistillLoss

# The toys' layers: maps of three stages, the last one before its ReLU, the
# pooled vector and the logits.
MAPS = [(0, 0), (1, 1), (2, 2)]
NORMS = [(f'backbone.stages.{i}.1',) * 2 for i in range(3)]
POOLED = [('fc:input', 'fc:input')]
LOGITS = [('fc', 'fc')]

CONFIGS = [
    dict(type='StageMSELoss', pairs=MAPS),
    dict(type='FitNetLoss', pairs=MAPS[1:2]),
    dict(type='AttentionTransferLoss', pairs=MAPS),
    dict(type='LogitKDLoss', pairs=LOGITS),
    dict(type='LogitKDLoss', pairs=LOGITS, standardize=True),
    dict(type='LogitKDLoss', pairs=LOGITS, use_sigmoid=True),
    dict(type='DecoupledKDLoss', pairs=LOGITS),
    dict(type='DISTLoss', pairs=LOGITS),
    dict(type='PearsonLoss', pairs=MAPS),
    dict(type='ChannelWiseLoss', pairs=MAPS),
    dict(type='ReviewLoss', pairs=MAPS),
    dict(type='ReviewLoss', pairs=[*MAPS, *POOLED]),
    dict(type='OverhaulLoss', pairs=NORMS),
    dict(type='MaskedGenerativeLoss', pairs=MAPS),
    dict(type='FocalGlobalLoss', pairs=MAPS),
    dict(type='AttentionGuidedLoss', pairs=MAPS, pools=[4, 2, 2]),
    dict(type='DenseFeatureLoss', pairs=MAPS),
    dict(type='DenseFeatureLoss', pairs=MAPS, standardize=False, hidden=5),
    dict(type='GlobalFeatureLoss', pairs=[*MAPS, *POOLED], l1_weight=0.1),
    dict(type='RelationLoss', pairs=[*MAPS[:1], *POOLED], queue=6),
    dict(type='RelationLoss', pairs=POOLED, queue=0),
    dict(type='ContrastiveLoss', pairs=POOLED, num_samples=8),
    dict(type='ContrastiveLoss', pairs=POOLED, num_samples=8,
         negatives='relax'),
]  # yapf: disable
each = pytest.mark.parametrize(
    'cfg', CONFIGS, ids=[f'{i}-{c["type"]}' for i, c in enumerate(CONFIGS)]
)

STUDENT = {0: (4, 4, 8, 8), 1: (4, 6, 4, 4), 2: (4, 8, 2, 2)}
TEACHER = {0: (4, 8, 8, 8), 1: (4, 12, 4, 4), 2: (4, 16, 2, 2)}
for shapes in (STUDENT, TEACHER):
    shapes.update({NORMS[i][0]: shapes[i] for i in range(3)})
    shapes.update({'fc:input': shapes[2][:2], 'fc': (4, 3)})


def build(cfg):
    """The loss, its two lists of features and data samples."""
    torch.manual_seed(0)
    loss = MODELS.build(copy.deepcopy(cfg)).train()
    shapes = [
        [table[pair[i]] for pair in cfg['pairs']] for i, table in enumerate((STUDENT, TEACHER))
    ]
    loss.build(*([torch.Size(s) for s in x] for x in shapes))
    loss.attach_teacher([nn.BatchNorm2d(s[1]) for s in shapes[1]])
    student, teacher = ([torch.randn(s) for s in x] for x in shapes)
    return loss, student, teacher, annotate([BaseDataElement() for _ in range(4)])


def annotate(samples):
    """Add everything that some loss asks for."""
    for i, sample in enumerate(samples):
        sample.set_metainfo(dict(sample_idx=i, img_shape=(32, 32), batch_input_shape=(32, 32)))
        sample.gt_label = torch.tensor([i % 3])
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[2.0, 2.0, 12.0, 20.0]] * i).reshape(-1, 4)
        )
    return samples


def test_every_loss_is_covered():
    # those of certain heads are tested with them, in test_heads.py
    covered = {cfg['type'] for cfg in CONFIGS} | {'LocalizationLoss', 'QueryKDLoss'}
    registered = {
        name
        for name, module in MODELS.module_dict.items()
        if isinstance(module, type)
        and issubclass(module, DistillLoss)
        and module.__module__.startswith('inrn_mm')
    }
    assert covered == registered


@each
def test_config_is_under_ten_lines(cfg):
    assert len(pprint.pformat(cfg, width=79).splitlines()) < 10


@each
def test_one_float32_scalar_per_pair(cfg):
    loss, *args = build(cfg)
    terms = loss(*args)
    assert len(terms) == len(cfg['pairs'])
    for term in terms:
        assert term.shape == () and term.dtype == torch.float32
        assert torch.isfinite(term) and term > 0


@each
def test_gradients_reach_student_and_connectors_only(cfg):
    """All of the loss's parameters, which DDP would else wait for."""
    loss, student, teacher, samples = build(cfg)
    student = [s.requires_grad_() for s in student]
    sum(loss(student, teacher, samples)).backward()
    assert all(s.grad.abs().sum() > 0 for s in student)
    assert all(not t.requires_grad for t in teacher)
    assert [n for n, p in loss.named_parameters() if p.grad is None] == []


@each
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_features_are_compared_in_float32(cfg, dtype):
    loss, student, teacher, samples = build(cfg)
    student, teacher = ([x.to(dtype) for x in y] for y in (student, teacher))
    same = copy.deepcopy(loss)
    torch.manual_seed(1)
    terms = loss(student, teacher, samples)
    torch.manual_seed(1)
    expected = same([x.float() for x in student], [x.float() for x in teacher], samples)
    torch.testing.assert_close(terms, expected, rtol=1e-6, atol=0)


@each
def test_autocast_runs_connectors_only(cfg):
    loss, student, teacher, samples = build(cfg)
    same = copy.deepcopy(loss)
    torch.manual_seed(1)
    expected = same(student, teacher, samples)
    torch.manual_seed(1)
    with torch.autocast('cpu', torch.bfloat16):
        terms = loss(student, teacher, samples)
    exact = not any(isinstance(m, (nn.Conv2d, nn.Linear)) for m in loss.modules())
    for term, value in zip(terms, expected):
        assert term.dtype == torch.float32
        torch.testing.assert_close(term, value, rtol=1e-6 if exact else 0.1, atol=1e-6)


@each
@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_what_is_not_finite_in_the_teacher_is_passed_on(cfg, value):
    """So that the run stops: one element of each pair's features."""
    for i in range(len(cfg['pairs'])):
        loss, student, teacher, samples = build(cfg)
        teacher[i].view(-1)[3] = value
        terms = loss([s.requires_grad_() for s in student], teacher, samples)
        assert not terms[i].isfinite()
        terms[i].backward()
        assert not student[i].grad.isfinite().all()


@each
def test_a_last_batch_of_one(cfg):
    """A lone 1x1 map, which the plain student trains with."""
    loss, student, teacher, samples = build(cfg)
    student, teacher = (
        [x[:1, :, :1, :1] if x.dim() == 4 else x[:1] for x in side] for side in (student, teacher)
    )
    before = copy.deepcopy(loss.state_dict())
    student = [s.requires_grad_() for s in student]
    terms = loss(student, teacher, samples[:1])
    sum(terms).backward()
    assert all(term.isfinite() for term in terms)
    # a value alone says nothing of the spread
    assert all(
        torch.equal(value, before[name])
        for name, value in loss.state_dict().items()
        if 'running' in name
    )


@each
def test_build_is_deterministic(cfg):
    first, second = (build(cfg)[0].state_dict() for _ in range(2))
    assert list(first) == list(second)
    assert all(torch.equal(first[k], second[k]) for k in first)


@each
def test_forward_does_not_wait_for_the_device(cfg):
    """Fake tensors have no values to wait for."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        loss, student, teacher, samples = build(cfg)
        student = [s.requires_grad_() for s in student]
        sum(loss(student, teacher, samples)).backward()


@each
def test_in_the_distiller(cfg):
    torch.manual_seed(0)
    model = MODELS.build(toy_config([copy.deepcopy(cfg)]))
    model.init_weights()
    model.train()
    batch = toy_batch(model)
    annotate(batch['data_samples'])
    losses = model(**batch, mode='loss')
    losses = {k: v for k, v in losses.items() if 'loss' in k}
    assert len(losses) == 1 + len(cfg['pairs'])
    sum(losses.values()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


@each
def test_its_weight_can_be_found(cfg):
    torch.manual_seed(0)
    model = MODELS.build(toy_config([dict(copy.deepcopy(cfg), weight='auto:0.1@1')]))
    model.init_weights()
    batch = toy_batch(model)
    annotate(batch['data_samples'])
    model(**batch, mode='loss')
    assert model.distill_losses[0].auto.fixed
    assert all(0 < scale < 1e9 for scale in model.distill_losses[0].auto.scales())


@each
def test_numbers_that_mean_nothing_are_refused(cfg):
    """A nan trains nothing, and says nothing."""
    kind = MODELS.get(cfg['type'])
    names = {'weight'} | {
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if 'float' in str(parameter.annotation)
    }
    for name in names:
        for value in (float('nan'), float('inf')):
            with pytest.raises(ValueError, match=f'{name} must be .* got {value}'):
                MODELS.build(copy.deepcopy(dict(cfg, **{name: value})))
    if 'temperature' in names:
        with pytest.raises(ValueError, match='temperature must be .* above 0, got 0'):
            MODELS.build(copy.deepcopy(dict(cfg, temperature=0)))


@pytest.mark.parametrize('mid_channels', [0, -1, 2.5])
def test_a_fusion_has_a_width(mid_channels):
    with pytest.raises(ValueError, match='mid_channels must be a whole number of at least 1'):
        MODELS.build(dict(type='ReviewLoss', pairs=MAPS, mid_channels=mid_channels))
