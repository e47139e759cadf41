"""Class logits of all kinds of heads, compared with a teacher's."""

import copy

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from test_detectors import detector, student
from test_special_detectors import RESNET, config, deformable, detr, fcos, rtmdet

from inrn_mm.distillation.heads import find_logits
from inrn_mm.distillation.losses import LogitKDLoss

pytest.importorskip('mmdet')
CHANNELS = [8, 16, 32, 64]


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def gfl(kind='GFLHead'):
    cfg = config('gfl/gfl_r50_fpn_1x_coco')
    cfg.backbone = dict(RESNET)
    cfg.neck.update(in_channels=CHANNELS, out_channels=16)
    cfg.bbox_head.update(
        type=kind, in_channels=16, feat_channels=16, num_classes=3, stacked_convs=1
    )
    cfg.bbox_head.norm_cfg = dict(type='BN')
    return cfg


def cascade():
    cfg = config('cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco')
    cfg.backbone = dict(RESNET)
    cfg.neck.update(in_channels=CHANNELS, out_channels=16)
    cfg.rpn_head.update(in_channels=16, feat_channels=16)
    cfg.roi_head.bbox_roi_extractor.out_channels = 16
    for head in cfg.roi_head.bbox_head:
        head.update(in_channels=16, fc_out_channels=16, num_classes=3)
    for stage in cfg.train_cfg.rcnn:
        stage.sampler.num = 16
    cfg.train_cfg.rpn_proposal.nms_pre = cfg.test_cfg.rpn.nms_pre = 50
    return cfg


def faster():
    return detector('faster-rcnn_r50_fpn', dict(RESNET), CHANNELS)


def retinanet():
    return detector('retinanet_r50_fpn', dict(RESNET), CHANNELS)


def distilled(own, other, method, **kwargs):
    torch.manual_seed(0)
    model = dict(student=own, teacher=other, method=method, allow_random_teacher=True, **kwargs)
    model = MODELS.build(dict(type='KnowledgeDistiller', **model)).train()
    model.init_weights()
    # mmdet leaves parameters as the memory was until then, perhaps NaN
    model.teacher.net.init_weights()
    return model


def terms(model, size=(64, 64)):
    """The distillation's terms of one step."""
    from mmdet.testing import demo_mm_inputs

    data = demo_mm_inputs(2, [[3, *size]] * 2, num_classes=3)
    losses = model(**model.data_preprocessor(data, True), mode='loss')
    return {k: v for k, v in losses.items() if k.startswith('loss_') and '.' in k}


def check_taught(model, found):
    total = sum(found.values())
    assert total.isfinite() and total > 0
    total.backward()
    assert sum(p.grad.abs().sum() for p in model.student.parameters() if p.grad is not None) > 0


@pytest.mark.parametrize(('make', 'kind', 'layers', 'strides'), [
    (retinanet, 'dense', 5, (8, 16, 32, 64, 128)),
    (gfl, 'dense', 5, (8, 16, 32, 64, 128)),
    (rtmdet, 'dense', 3, (8, 16, 32)),
    (faster, 'two-stage', 1, ()),
    (cascade, 'two-stage', 3, ()),
    (detr, 'queries', 1, ()),
], ids=lambda x: getattr(x, '__name__', ''))  # yapf: disable
def test_where_logits_are(make, kind, layers, strides):
    found = find_logits(MODELS.build(make()))
    assert (found.kind, len(found.layers), found.strides) == (kind, layers, strides)
    assert found.num_classes == 3 and found.anchors == (9 if make is retinanet else 1)


@pytest.mark.parametrize(('own', 'other', 'method'), [
    (retinanet, retinanet, 'kd'), (fcos, gfl, 'kd'), (rtmdet, fcos, 'kd'), (gfl, rtmdet, 'kd'),
    (cascade, faster, 'kd'), (faster, cascade, 'kd'), (cascade, cascade, 'dkd'),
    (cascade, cascade, 'dist'), (gfl, gfl, 'ld'),
], ids=lambda x: getattr(x, '__name__', str(x)))  # yapf: disable
def test_a_step_of_each_kind_of_head(own, other, method):
    model = distilled(own(), other(), method)
    check_taught(model, terms(model))


@pytest.mark.parametrize('make', [detr, deformable])
def test_a_step_between_queries(make):
    """What the teacher sees stands for the ground truth of the student's matching."""
    model = distilled(make(), make(), dict(type='kd', min_score=0.0))
    found = terms(model)
    assert list(found) == ['loss_query_kd.bbox_head[0]', 'loss_query_kd.bbox_head[1]']
    check_taught(model, found)


def short_detr():
    """Its one layer is its last, which the teacher's is."""
    cfg = detr()
    cfg.decoder.num_layers = 1
    return cfg


@pytest.mark.parametrize('make', [retinanet, rtmdet, gfl, faster, cascade, short_detr])
def test_a_teacher_of_the_same_weights_teaches_nothing(make):
    method = dict(type='kd', **(dict(min_score=0.0) if make is short_detr else {}))
    model = distilled(make(), make(), method)
    model.teacher.net.load_state_dict(model.student.state_dict())
    model.student.eval()  # as the teacher: norms and dropout
    for name, term in terms(model).items():
        assert term.abs() < 1e-5, name


def test_few_confident_places_are_not_lost_among_all_others():
    """Ten times the background does not make what is seen count less."""
    sizes = [(1, 3, 4, 4), (1, 3, 16, 16)]
    loss = LogitKDLoss(
        [(0, 0)], temperature=1.0, use_sigmoid=True, num_classes=3, average='confidence'
    )
    found = []
    for size in sizes:
        teacher = torch.full(size, -20.0)
        teacher[0, 1, 2, 2] = 4.0
        (term,) = loss([torch.full(size, -20.0)], [teacher])
        found.append(float(term))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_focus_is_on_what_the_networks_see_differently():
    settings = dict(pairs=[(0, 0)], temperature=1.0, use_sigmoid=True, average='confidence')
    student, teacher = torch.full((1, 1, 1, 8), -4.0), torch.full((1, 1, 1, 8), -6.0)
    teacher[..., 0] = 3.0
    student.requires_grad_()
    shares = []
    for focus in (0.0, 2.0):
        (term,) = LogitKDLoss(**settings, focus=focus)([student], [teacher])
        (grad,) = torch.autograd.grad(term, student)
        shares.append(float(grad[..., 0].abs().sum() / grad.abs().sum()))
    assert shares[0] < 0.9 and shares[1] > 0.999
    by_hand = (3 - (-4)) * torch.sigmoid(torch.tensor(3.0))  # KL of one score
    gap = torch.sigmoid(torch.tensor(3.0)) - torch.sigmoid(torch.tensor(-4.0))
    softplus = torch.nn.functional.softplus
    kl = by_hand - softplus(torch.tensor(3.0)) + softplus(torch.tensor(-4.0))
    others = 7 * torch.sigmoid(torch.tensor(-6.0))
    expected = kl * gap**2 / (torch.sigmoid(torch.tensor(3.0)) + others).clamp(min=1)
    torch.testing.assert_close(term, expected, rtol=1e-3, atol=0)
    with pytest.raises(ValueError, match='focus is for sigmoid scores'):
        LogitKDLoss([(0, 0)], focus=2.0)


def test_ld_is_mmdets_own():
    """Value and gradient equal those of LDHead under the same teacher."""
    from mmdet.testing import demo_mm_inputs

    model = distilled(gfl(), gfl(), 'ld')
    theirs = gfl('LDHead')
    theirs.bbox_head.loss_ld = dict(type='KnowledgeDistillationKLDivLoss', loss_weight=0.25, T=10)
    theirs.type = 'KnowledgeDistillationSingleStageDetector'
    theirs.teacher_config = dict(model=gfl())
    theirs = MODELS.build(theirs)
    theirs.train()
    theirs.load_state_dict(model.student.state_dict(), strict=False)
    theirs.teacher_model.load_state_dict(model.teacher.net.state_dict())

    data = demo_mm_inputs(2, [[3, 64, 64], [3, 48, 64]], num_classes=3)
    data = model.data_preprocessor(data, True)
    expected = theirs(**copy.deepcopy(data), mode='loss')['loss_ld']
    losses = model(**data, mode='loss')
    found = [losses[f'loss_localization.bbox_head[1][{i}]'] for i in range(5)]
    torch.testing.assert_close(torch.stack(found), torch.stack(expected))
    assert sum(found) > 0
    for loss in (expected, found):
        sum(loss).backward()
    for (name, ours), other in zip(
        model.student.bbox_head.named_parameters(), theirs.bbox_head.parameters()
    ):
        if other.grad is not None:
            torch.testing.assert_close(ours.grad, other.grad, msg=name)


@pytest.mark.parametrize(('own', 'other', 'method', 'text'), [
    (retinanet, gfl, 'kd', 'scores 9 boxes at a place and GFL 1; methods that fit both are'),
    (faster, gfl, 'kd', 'regions and places'),
    (gfl, fcos, 'ld', 'the teacher FCOS predicts no distributions'),
])  # yapf: disable
def test_what_cannot_be_compared(own, other, method, text):
    with pytest.raises(ValueError, match=text):
        distilled(own(), other(), method)


def other_classes(cfg, number):
    heads = cfg.roi_head.bbox_head if 'roi_head' in cfg else cfg.bbox_head
    for head in heads if isinstance(heads, list) else [heads]:
        head.num_classes = number
    return cfg


@pytest.mark.parametrize(('make', 'method'), [
    (retinanet, 'kd'), (faster, 'kd'), (faster, 'dkd'), (faster, 'dist'), (detr, 'kd'),
])  # yapf: disable
def test_a_teacher_of_more_classes(make, method):
    """Classes in another order are found, what the teacher lacks is masked."""
    with pytest.raises(ValueError, match='their classes differ, 3 and 5.*methods that fit'):
        distilled(make(), other_classes(make(), 5), method)
    settings = dict(min_score=0.0) if make is detr else {}
    model = distilled(
        make(), other_classes(make(), 5), dict(type=method, **settings), class_map=[4, -1, 0]
    )
    check_taught(model, terms(model))


@pytest.mark.parametrize('use_sigmoid', [True, False])
def test_mapped_classes_are_compared_with_their_own(use_sigmoid):
    teacher = torch.randn(6, 6)
    loss = LogitKDLoss([('a', 'a')], temperature=1.0, use_sigmoid=use_sigmoid, class_map=[4, -1, 0])
    student = torch.randn(6, 3 if use_sigmoid else 4)
    student[:, [0, 2]] = teacher[:, [4, 0]]
    if not use_sigmoid:
        student[:, 3] = teacher[:, 5]  # the background
        loss.build([student.shape], [teacher.shape])
    (term,) = loss([student], [teacher[:, :5] if use_sigmoid else teacher])
    assert term.abs() < 1e-6


def test_class_maps_that_mean_nothing():
    with pytest.raises(ValueError, match='share no class'):
        LogitKDLoss([(0, 0)], class_map=[-1, -1])
    loss = LogitKDLoss([('fc', 'fc')], class_map=[0, 7, 2])
    with pytest.raises(ValueError, match="up to 7, while 'fc' scores 3 classes and the teacher 5"):
        loss.build([torch.Size((2, 3))], [torch.Size((2, 5))])


def test_inrn_students_find_their_logits_too():
    assert find_logits(MODELS.build(student('retinanet_r50_fpn'))).anchors == 9
