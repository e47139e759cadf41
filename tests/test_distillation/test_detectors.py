"""Distilling real detectors and classifiers of the mm packages."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, init_default_scope

import inrn_mm  # noqa: F401
from inrn_mm.distillation.proposals import check_same_boxes
from inrn_mm.distillation.taps import Tap

mmdet = pytest.importorskip('mmdet')

TINY = dict(widths=[8, 8, 16, 16], depths=[1, 1, 1, 1])


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def detector(base, backbone, channels):
    """A base config of mmdet, narrow enough for a test."""
    cfg = Config.fromfile(f'{_configs()}/_base_/models/{base}.py').model
    cfg.backbone = backbone
    cfg.neck.update(in_channels=channels, out_channels=16)
    narrow = dict(in_channels=16, feat_channels=16)
    if 'roi_head' in cfg:
        cfg.rpn_head.update(narrow)
        cfg.roi_head.bbox_roi_extractor.out_channels = 16
        cfg.roi_head.bbox_head.update(in_channels=16, fc_out_channels=16, num_classes=3)
        cfg.train_cfg.rcnn.sampler.num = 16
        cfg.train_cfg.rpn_proposal.nms_pre = 50
        cfg.test_cfg.rpn.nms_pre = 50
    else:
        cfg.bbox_head.update(narrow, num_classes=3, stacked_convs=1)
    return cfg


def _configs():
    from pathlib import Path

    return Path(mmdet.__file__).parent / '.mim' / 'configs'


def student(base, **kwargs):
    return detector(base, dict(type='INRN', arch=TINY, **kwargs), TINY['widths'])


def teacher(base):
    return detector(base, dict(type='ResNet', depth=18, base_channels=16), [16, 32, 64, 128])


def batch(model):
    from mmdet.testing import demo_mm_inputs

    data = demo_mm_inputs(2, [[3, 64, 64], [3, 48, 64]], num_classes=3)
    return model.data_preprocessor(data, True)


def distilled(base, pairs=None, distill_losses=None):
    return MODELS.build(
        dict(
            type='KnowledgeDistiller',
            student=student(base),
            teacher=teacher(base),
            allow_random_teacher=True,
            distill_losses=distill_losses or [dict(type='StageMSELoss', pairs=pairs)],
        )
    ).train()


@pytest.mark.parametrize('base', ['faster-rcnn_r50_fpn', 'retinanet_r50_fpn'])
def test_stage_features_need_the_teachers_backbone_only(base):
    model = distilled(base, [(i, i) for i in range(4)])
    net = model.teacher.net
    calls = []
    for name, child in net.named_children():
        child.register_forward_hook(lambda *_, name=name: calls.append(name))
    net.backbone.register_forward_pre_hook(lambda *_: calls.append('backbone'))
    losses = model(**batch(model), mode='loss')
    # not even the end of the backbone's forward, after the last stage
    assert calls == ['backbone']
    total, log = model.parse_losses(losses)
    total.backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    assert all(f'loss_stage_mse.stage{i}' in log for i in range(4))


@pytest.mark.parametrize('loss', [
    dict(type='PearsonLoss', weight=6.),
    dict(type='ChannelWiseLoss', temperature=1., weight=10.),
    dict(type='MaskedGenerativeLoss', mask_ratio=0.45, weight=5e-7),
    dict(type='FocalGlobalLoss', temperature=0.5),
    dict(type='AttentionGuidedLoss', pools=[8, 4, 2, 2]),
    dict(type='ReviewLoss', mid_channels=8),
], ids=lambda loss: loss['type'])  # yapf: disable
@pytest.mark.smoke
def test_a_step_of_the_losses_on_fpn_levels(loss):
    """PKD, CWD, MGD, FGD, FBKD and ReviewKD under Faster R-CNN."""
    pairs = [(f'neck[{i}]', f'neck[{i}]') for i in range(4)]
    model = distilled('faster-rcnn_r50_fpn', distill_losses=[dict(loss, pairs=pairs)])
    losses = model(**batch(model), mode='loss')
    total, log = model.parse_losses(losses)
    assert all(value.isfinite() for value in log.values())
    terms = [
        value for name, value in losses.items() if name.startswith('loss_') and 'neck[' in name
    ]
    assert len(terms) == 4 and all(term > 0 for term in terms)
    weights = dict(model.backbone.named_parameters())
    # of the distillation alone, whatever the task teaches
    gradients = torch.autograd.grad(sum(terms), list(weights.values()), retain_graph=True)
    for name, gradient in zip(weights, gradients):
        assert gradient.isfinite().all(), name
    assert sum(gradient.abs().sum() for gradient in gradients) > 0
    before = [value.clone() for value in weights.values()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    total.backward()
    optimizer.step()
    for old, (name, new) in zip(before, weights.items()):
        assert new.isfinite().all() and not torch.equal(old, new), name


def test_neck_layers_by_module_path():
    layers = [f'neck.fpn_convs.{i}.conv' for i in range(4)]
    model = distilled('faster-rcnn_r50_fpn', [(x, x) for x in layers])
    model.teacher.net.rpn_head.forward = None  # would fail if called
    losses = model(**batch(model), mode='loss')
    assert all(losses[f'loss_stage_mse.{x}'] > 0 for x in layers)


def test_shared_head_is_compared_at_every_level():
    layer = 'bbox_head.cls_convs.0.conv'
    model = distilled('retinanet_r50_fpn', [(layer, layer)])
    assert list(model.teacher.num_calls.values()) == [5]
    assert model(**batch(model), mode='loss')[f'loss_stage_mse.{layer}'] > 0


def test_inrn_teacher_stops_at_the_stage():
    model = MODELS.build(
        dict(
            type='KnowledgeDistiller',
            student=student('retinanet_r50_fpn'),
            teacher=student('retinanet_r50_fpn'),
            allow_random_teacher=True,
            distill_losses=[dict(type='StageMSELoss', pairs=[(1, 1)])],
        )
    )
    calls = []
    for i, stage in enumerate(model.teacher.net.backbone.stages):
        stage.register_forward_pre_hook(lambda *_, i=i: calls.append(i))
    assert model(**batch(model), mode='loss')['loss_stage_mse.stage1'] > 0
    assert calls == [0, 1]


@pytest.mark.parametrize(
    'layer, same, message',
    [
        ('roi_head.bbox_head.fc_cls', False, 'set same_proposals=True'),
        ('roi_head.mask_head.conv_logits', True, 'is for the box head'),
    ],
)
def test_roi_layers_need_the_same_boxes(layer, same, message):
    tap = Tap(layer)
    with pytest.raises(ValueError, match=message):
        check_same_boxes([tap], same)


def test_roi_logits_of_other_proposals_are_refused():
    logits = 'roi_head.bbox_head.fc_cls'
    with pytest.raises(ValueError, match='set same_proposals=True'):
        distilled(
            'faster-rcnn_r50_fpn', distill_losses=[dict(type='DISTLoss', pairs=[(logits, logits)])]
        )


def test_rpn_and_same_proposals_of_one_teacher():
    logits, rpn = 'roi_head.bbox_head.fc_cls', 'rpn_head.rpn_cls'
    model = distilled(
        'faster-rcnn_r50_fpn',
        distill_losses=[
            dict(type='LogitKDLoss', pairs=[(logits, logits)], same_proposals=True),
            dict(type='ChannelWiseLoss', pairs=[(rpn, rpn)]),
        ],
    )
    losses = model(**batch(model), mode='loss')
    assert losses[f'loss_logit_kd.{logits}'] > 0
    assert losses[f'loss_channel_wise.{rpn}'] > 0


@pytest.mark.smoke
def test_logits_of_the_same_proposals():
    """The teacher's RoI head scores the student's sampled boxes, no RPN."""
    logits = ['roi_head.bbox_head.fc_cls'] * 2
    labels = 'roi_head.bbox_head.loss_cls:input[1]'
    model = distilled(
        'faster-rcnn_r50_fpn',
        distill_losses=[
            dict(type='LogitKDLoss', pairs=[logits], same_proposals=True),
            dict(type='DecoupledKDLoss', pairs=[logits], same_proposals=True, label_layer=labels),
            dict(type='StageMSELoss', pairs=[(3, 3)]),
        ],
    )
    net = model.teacher.net
    net.rpn_head.forward = None  # would fail if called
    seen = []
    for side in (model.student, net):
        side.roi_head.bbox_roi_extractor.register_forward_pre_hook(
            lambda _, args: seen.append(args[1])
        )
        side.roi_head.bbox_head.fc_cls.register_forward_hook(
            lambda _, args, out: seen.append(out.detach())
        )
    losses = model(**batch(model), mode='loss')
    boxes, student, same_boxes, scores = seen
    assert torch.equal(boxes, same_boxes)
    cfg = model.distill_losses[0]
    p, q = (x.div(cfg.temperature).log_softmax(1) for x in (scores, student))
    expected = (p.exp() * (p - q)).sum(1).mean() * cfg.temperature**2
    layer = logits[0]
    weighted = cfg.weights[0] * expected
    torch.testing.assert_close(losses[f'loss_logit_kd.{layer}'], weighted)
    assert losses[f'loss_decoupled_kd.{layer}'] > 0
    assert losses['loss_stage_mse.stage3'] > 0


@pytest.mark.smoke
def test_transformer_teacher():
    """Tokens of a ViT for maps of INRN."""
    pytest.importorskip('mmpretrain')
    vit = dict(
        _scope_='mmpretrain',
        type='ImageClassifier',
        data_preprocessor=dict(num_classes=3),
        backbone=dict(
            type='VisionTransformer',
            arch=dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=16),
            img_size=64,
            patch_size=16,
        ),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=16),
    )
    model = MODELS.build(
        dict(
            type='KnowledgeDistiller',
            student=student('retinanet_r50_fpn'),
            teacher=vit,
            allow_random_teacher=True,
            distill_losses=[dict(type='StageMSELoss', pairs=[(2, 'backbone.layers.1')])],
        )
    ).train()
    losses = model(**batch(model), mode='loss')
    assert losses['loss_stage_mse.stage2'] > 0


@pytest.mark.smoke
def test_prediction_equals_the_plain_detector():
    model = distilled('faster-rcnn_r50_fpn', [(3, 3)]).eval()
    plain = MODELS.build(student('faster-rcnn_r50_fpn')).eval()
    state = model.state_dict()
    assert plain.load_state_dict(state, strict=False).missing_keys == []
    data = batch(plain)
    with torch.no_grad():
        ours = model(**data, mode='predict')
        theirs = plain(**batch(plain), mode='predict')
    for a, b in zip(ours, theirs):
        torch.testing.assert_close(a.pred_instances.bboxes, b.pred_instances.bboxes)
    assert model.with_rpn and model.backbone is model.student.backbone


@pytest.mark.parametrize(
    'base, cfg',
    [
        ('faster-rcnn_r50_fpn', dict()),
        ('faster-rcnn_r50_fpn', dict(neck=dict(type='PAFPN'))),
        ('retinanet_r50_fpn', dict()),
    ],
)
def test_inrn_under_necks_and_heads(base, cfg):
    cfg_ = student(base)
    cfg_.merge_from_dict(cfg) if hasattr(cfg_, 'merge_from_dict') else [
        cfg_[k].update(v) for k, v in cfg.items()
    ]
    model = MODELS.build(cfg_).train()
    total, _ = model.parse_losses(model(**batch(model), mode='loss'))
    total.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_inrn_under_detr():
    """One map, as DETR takes it."""
    path = _configs() / 'detr' / 'detr_r50_8xb2-150e_coco.py'
    cfg = Config.fromfile(path).model
    cfg.backbone = dict(type='INRN', arch=TINY, out_indices=(3,))
    cfg.neck.in_channels = [16]
    cfg.neck.out_channels = 32
    cfg.num_queries = 5
    for part in ('encoder', 'decoder'):
        layer = cfg[part].layer_cfg
        cfg[part].num_layers = 1
        layer.self_attn_cfg.embed_dims = layer.ffn_cfg.embed_dims = 32
        layer.ffn_cfg.feedforward_channels = 32
    cfg.decoder.layer_cfg.cross_attn_cfg.embed_dims = 32
    cfg.positional_encoding.num_feats = 16
    cfg.bbox_head.update(embed_dims=32, num_classes=3)
    model = MODELS.build(cfg).train()
    total, _ = model.parse_losses(model(**batch(model), mode='loss'))
    total.backward()
    assert all(p.grad is not None for p in model.backbone.parameters())


def test_classifiers():
    pytest.importorskip('mmpretrain')
    init_default_scope('mmpretrain')
    from mmpretrain.structures import DataSample

    def classifier(backbone, channels):
        return dict(
            _scope_='mmpretrain',
            type='ImageClassifier',
            data_preprocessor=dict(num_classes=3, mean=[127.0] * 3, std=[50.0] * 3),
            backbone=backbone,
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=3, in_channels=channels),
        )

    model = MODELS.build(
        dict(
            type='KnowledgeDistiller',
            student=classifier(dict(type='INRN', arch=TINY, out_indices=3), 16),
            teacher=classifier(dict(type='ResNet_CIFAR', depth=18, base_channels=8), 64),
            allow_random_teacher=True,
            distill_losses=[
                dict(
                    type='StageMSELoss',
                    pairs=[('backbone.stages.1', 1), (3, 3), ('head.fc', 'head.fc')],
                )
            ],
        )
    ).train()
    data = model.data_preprocessor(
        dict(
            inputs=[torch.rand(3, 32, 32) * 255 for _ in range(2)],
            data_samples=[DataSample().set_gt_label(i) for i in range(2)],
        ),
        True,
    )
    losses = model(**data, mode='loss')
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert len(losses) == 4
