"""The losses beside the code that their authors, or MMRazor, published.

Same features, same weights: the loss and the student's gradient have to agree.
"""

import sys
from types import SimpleNamespace

import pytest
import torch
from loss_checks import features, make
from mmengine.structures import BaseDataElement, InstanceData
from published import assert_near, copy_fusions, copy_weights, load
from torch import nn

SHAPES = [(4, 8, 16, 16), (4, 12, 8, 8), (4, 16, 4, 4)]
WIDER = [(4, 16, 16, 16), (4, 24, 8, 8), (4, 32, 4, 4)]
LABELS = torch.tensor([1, 0, 6, 3])


class Net(nn.Module):
    """A network of mdistiller whose features are known."""

    def __init__(self, feats=(), logits=None, pooled=None, norms=()):
        super().__init__()
        # what they call the stem's features is left out by all methods
        feats = [feats[0], *feats] if feats else []
        self.known = dict(feats=feats, preact_feats=feats, pooled_feat=pooled)
        self.logits = torch.zeros(4, 7) if logits is None else logits
        self.norms = norms

    def forward(self, image):
        return self.logits, self.known

    def get_stage_channels(self):
        return [x.shape[1] for x in self.known['feats']]

    def get_bn_before_relu(self):
        return self.norms


def train(distiller, **kwargs):
    """Their weighted loss."""
    distiller.train()
    return distiller.forward_train(image=None, target=LABELS, **kwargs)[1]['loss_kd']


def assert_same(ours, theirs, student):
    """Value and gradient."""
    assert ours.item() > 0
    assert_near(ours.flatten(), theirs.flatten(), rtol=1e-5)
    mine = torch.autograd.grad(ours.sum(), student)
    others = torch.autograd.grad(theirs.sum(), student)
    for a, b in zip(mine, others):
        assert_near(a, b, rtol=1e-3)


def cfg(name, **values):
    return SimpleNamespace(**{name: SimpleNamespace(**values)})


def labelled():
    return [
        BaseDataElement(metainfo=dict(sample_idx=i), gt_label=label)
        for i, label in zip((3, 0, 17, 12), LABELS)
    ]


def logits():
    (student,) = features((4, 7), scale=3, grad=True)
    (teacher,) = features((4, 7), seed=1, scale=5)
    return student, teacher


def maps(shapes, targets, seed=0):
    return (features(*shapes, seed=seed, grad=True), features(*targets, seed=seed + 1))


def test_kd(mdistiller):
    s, t = logits()
    theirs = mdistiller.KD(
        Net(logits=s),
        Net(logits=t),
        cfg('KD', TEMPERATURE=4, LOSS=SimpleNamespace(CE_WEIGHT=0.1, KD_WEIGHT=0.9)),
    )
    loss = make('LogitKDLoss', [(4, 7)])
    assert_same(0.9 * sum(loss([s], [t])), train(theirs), [s])


def test_dkd(mdistiller):
    s, t = logits()
    theirs = mdistiller.DKD(
        Net(logits=s), Net(logits=t), cfg('DKD', CE_WEIGHT=1, ALPHA=1, BETA=8, T=4, WARMUP=20)
    )
    loss = make('DecoupledKDLoss', [(4, 7)])
    (ours,) = loss([s], [t], labelled())
    assert_same(ours, train(theirs, epoch=20), [s])


@pytest.mark.parametrize('targets', [SHAPES, WIDER])
def test_at(mdistiller, targets):
    s, t = maps(SHAPES, targets)
    theirs = mdistiller.AT(
        Net(s), Net(t), cfg('AT', P=2, LOSS=SimpleNamespace(CE_WEIGHT=1, FEAT_WEIGHT=1000))
    )
    loss = make('AttentionTransferLoss', SHAPES, targets)
    assert_same(1000 * sum(loss(s, t)), train(theirs), s)


@pytest.mark.parametrize('target', [(4, 24, 8, 8), (4, 24, 4, 4), (4, 24, 16, 16)])
def test_fitnet(mdistiller, monkeypatch, target):
    s, t = maps([(4, 12, 8, 8)], [target])
    # the package hides its modules behind the classes of the same names
    monkeypatch.setattr(
        sys.modules['mdistiller.distillers.FitNet'],
        'get_feat_shapes',
        lambda *args: ([s[0].shape], [t[0].shape]),
    )
    theirs = mdistiller.FitNet(
        Net(s),
        Net(t),
        cfg(
            'FITNET',
            LOSS=SimpleNamespace(CE_WEIGHT=1, FEAT_WEIGHT=100),
            HINT_LAYER=0,
            INPUT_SIZE=None,
        ),
    )
    loss = make('FitNetLoss', [(4, 12, 8, 8)], [target])
    copy_weights(loss.regressors, theirs.conv_reg)
    assert_same(100 * sum(loss(s, t)), train(theirs), s)


def test_ofd(mdistiller):
    s, t = maps(SHAPES, WIDER)
    norms = [nn.BatchNorm2d(shape[1]) for shape in WIDER]
    for norm in norms:
        norm.weight.data.uniform_(-1, 1)
        # some channels are hardly ever negative
        norm.bias.data.uniform_(-1, 4)
    theirs = mdistiller.OFD(
        Net(s),
        Net(t, norms=norms),
        cfg(
            'OFD',
            LOSS=SimpleNamespace(CE_WEIGHT=1, FEAT_WEIGHT=1e-3),
            CONNECTOR=SimpleNamespace(KERNEL_SIZE=1),
        ),
    )
    loss = make('OverhaulLoss', SHAPES, WIDER)
    loss.attach_teacher(norms)
    copy_weights(loss.connectors, theirs.connectors)
    assert_same(1e-3 * sum(loss(s, t)), train(theirs), s)


def test_review(mdistiller):
    s, t = maps(SHAPES, WIDER)
    (vector,), (target,) = maps([(4, 16)], [(4, 32)])
    theirs = mdistiller.ReviewKD(
        Net(s, pooled=vector),
        Net(t, pooled=target),
        cfg(
            'REVIEWKD',
            SHAPES=[1, 4, 8, 16],
            OUT_SHAPES=[1, 4, 8, 16],
            IN_CHANNELS=[8, 12, 16, 16],
            OUT_CHANNELS=[16, 24, 32, 32],
            CE_WEIGHT=1,
            REVIEWKD_WEIGHT=5,
            WARMUP_EPOCHS=20,
            STU_PREACT=False,
            MAX_MID_CHANNEL=512,
        ),
    )
    # the stem's features are not reviewed
    theirs.student.known['feats'] = s
    loss = make('ReviewLoss', SHAPES + [(4, 16)], WIDER + [(4, 32)])
    copy_fusions(loss, theirs)
    assert_same(5 * sum(loss(s + [vector], t + [target])), train(theirs, epoch=20), s + [vector])


def test_crd_over_two_steps(mdistiller, monkeypatch):
    """The second step sees moved memories and the first one's constant."""
    theirs = mdistiller.CRD(
        Net(),
        Net(),
        cfg(
            'CRD',
            LOSS=SimpleNamespace(CE_WEIGHT=1, FEAT_WEIGHT=0.8),
            FEAT=SimpleNamespace(STUDENT_DIM=16, TEACHER_DIM=32, DIM=8),
            NCE=SimpleNamespace(K=10, MOMENTUM=0.5, TEMPERATURE=0.07),
        ),
        num_data=20,
    )
    loss = make(
        'ContrastiveLoss', [(4, 16)], [(4, 32)], num_samples=20, embed_dims=8, num_negatives=10
    ).train()
    copy_weights(loss.student_embeds, theirs.embed_s)
    copy_weights(loss.teacher_embeds, theirs.embed_t)
    theirs.contrast.memory_v1.copy_(loss.student_memory[0])
    theirs.contrast.memory_v2.copy_(loss.teacher_memory[0])
    index = torch.tensor([3, 0, 17, 12])
    for step in range(2):
        columns = (index[:, None] + torch.arange(11) * (step + 1)) % 20
        monkeypatch.setattr(loss, 'draw', lambda *args: columns)
        (s,), (t,) = maps([(4, 16)], [(4, 32)], seed=2 * step)
        theirs.student.known['pooled_feat'] = s
        theirs.teacher.known['pooled_feat'] = t
        assert_same(
            0.8 * loss([s], [t], labelled())[0],
            train(theirs, index=index, contrastive_index=columns),
            [s],
        )
    torch.testing.assert_close(theirs.contrast.memory_v1, loss.student_memory[0])
    torch.testing.assert_close(theirs.contrast.memory_v2, loss.teacher_memory[0])


def test_dist(monkeypatch):
    theirs = load(monkeypatch, 'DIST_KD', 'segmentation/losses/dist_kd.py').DIST(2.0, 2.0)
    s, t = logits()
    assert_same(make('DISTLoss', [(4, 7)])([s], [t])[0], theirs(s, t), [s])


def test_cwd(monkeypatch):
    theirs = load(monkeypatch, 'mmrazor', 'mmrazor/models/losses/cwd.py')
    theirs = theirs.ChannelWiseDivergence(tau=4.0, loss_weight=50.0)
    s, t = maps([(2, 8, 7, 9)], [(2, 8, 7, 9)])
    loss = make('ChannelWiseLoss', [(2, 8, 7, 9)], temperature=4.0)
    assert_same(50 * loss(s, t)[0], theirs(s[0], t[0]), s)


def test_pkd(monkeypatch):
    theirs = load(monkeypatch, 'mmrazor', 'mmrazor/models/losses/pkd_loss.py')
    theirs = theirs.PKDLoss(loss_weight=6.0)
    s, t = maps(SHAPES, SHAPES)
    loss = make('PearsonLoss', SHAPES)
    assert_same(6 * sum(loss(s, t)), theirs(tuple(s), tuple(t)), s)


def test_mgd_of_classifiers(monkeypatch):
    theirs = load(monkeypatch, 'MGD', 'cls/mmcls/distillation/losses/mgd.py')
    theirs = theirs.MGDLoss(8, 12, 'loss')
    s, t = maps([(2, 8, 7, 9)], [(2, 12, 7, 9)])
    loss = make(
        'MaskedGenerativeLoss',
        [(2, 8, 7, 9)],
        [(2, 12, 7, 9)],
        mask='channels',
        mask_ratio=0.15,
        weight=7e-5,
    )
    copy_weights(loss, theirs)
    torch.manual_seed(1)
    expected = theirs(s[0], t[0])
    torch.manual_seed(1)
    assert_same(loss.weights[0] * loss(s, t)[0], expected, s)


def test_mgd_of_detectors(monkeypatch):
    theirs = load(monkeypatch, 'MGD', 'det/mmdet/distillation/losses/mgd.py')
    theirs = theirs.FeatureLoss(8, 8, 'loss')
    s, t = maps([(2, 8, 7, 9)], [(2, 8, 7, 9)])
    loss = make('MaskedGenerativeLoss', [(2, 8, 7, 9)])
    copy_weights(loss, theirs)
    # theirs masks the large random numbers, ours the small ones
    rand = torch.rand
    torch.manual_seed(1)
    expected = theirs(s[0], t[0])
    torch.manual_seed(1)
    monkeypatch.setattr(torch, 'rand', lambda *a, **k: 1 - rand(*a, **k))
    assert_same(loss.weights[0] * loss(s, t)[0], expected, s)


def test_fbkd(monkeypatch):
    file = 'mmrazor/models/architectures/connectors/{}_connector.py'
    base = load(monkeypatch, 'mmrazor', file.format('base'))
    monkeypatch.setitem(sys.modules, 'theirs.losses.base_connector', base)
    connectors = load(monkeypatch, 'mmrazor', file.format('fbkd'))
    theirs = load(monkeypatch, 'mmrazor', 'mmrazor/models/losses/fbkd_loss.py').FBKDLoss()
    settings = dict(in_channels=8, reduction=4, sub_sample=True, maxpool_stride=4)
    student = connectors.FBKDStudentConnector(**settings)
    teacher = connectors.FBKDTeacherConnector(**settings)
    s, t = maps([(2, 8, 20, 26)], [(2, 8, 20, 26)])
    # theirs pools by mmcv's 2 and then by 4
    loss = make('AttentionGuidedLoss', [(2, 8, 20, 26)], pools=8, reductions=4)
    blocks = (loss.student_relations[0], loss.teacher_relations[0])
    for mine, other in zip(blocks, (student.student_non_local, teacher.teacher_non_local)):
        nn.init.normal_(mine.norm.weight)  # zero at first
        copy_weights(mine, other)
    for name, layer in (
        ('features', student.adaptation_layers),
        ('channels', student.channel_wise_adaptation),
        ('places', student.spatial_wise_adaptation),
        ('relations', student.non_local_adaptation),
    ):
        copy_weights(loss.adapters[0][name], layer)
    expected = theirs(student.forward_train(s[0]), teacher.forward_train(t[0]))
    assert_same(loss(s, t)[0], expected, s)


def test_fgd(monkeypatch):
    import mmcv.cnn
    import mmengine.model

    # where they were in mmcv 1
    for name in ('constant_init', 'kaiming_init'):
        monkeypatch.setattr(mmcv.cnn, name, getattr(mmengine.model, name), raising=False)
    theirs = load(monkeypatch, 'FGD', 'mmdet/distillation/losses/fgd.py')
    theirs = theirs.FeatureLoss(
        8, 12, 'loss', alpha_fgd=5e-5, beta_fgd=2.5e-5, gamma_fgd=5e-5, lambda_fgd=5e-7
    )
    s, t = maps([(2, 8, 10, 12)], [(2, 12, 10, 12)])
    loss = make('FocalGlobalLoss', [(2, 8, 10, 12)], [(2, 12, 10, 12)])
    for block in (loss.student_context[0], loss.teacher_context[0]):
        nn.init.normal_(block.transform[-1].weight)  # zero at first
    copy_weights(loss.align, theirs.align)
    for mine, mask, add in (
        (loss.student_context[0], theirs.conv_mask_s, theirs.channel_add_conv_s),
        (loss.teacher_context[0], theirs.conv_mask_t, theirs.channel_add_conv_t),
    ):
        copy_weights(mine.attention, mask)
        copy_weights(mine.transform, add)
    boxes = [torch.tensor([[3.0, 5, 40, 61], [20, 10, 30, 30]]), torch.tensor([[50.0, 2, 90, 20]])]
    shape = (80, 96)
    samples = [
        BaseDataElement(metainfo=dict(batch_input_shape=shape), gt_instances=InstanceData(bboxes=x))
        for x in boxes
    ]
    expected = theirs(s[0], t[0], boxes, [dict(img_shape=shape)] * 2)
    assert_same(loss(s, t, samples)[0], expected, s)
