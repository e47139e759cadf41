"""Detectors whose tokens, heads, samplers or sizes are special."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import BaseDataElement
from test_detectors import _configs, detector, student, teacher

pytest.importorskip('mmdet')

RESNET = dict(type='ResNet', depth=18, base_channels=8)


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def config(path):
    return Config.fromfile(_configs() / f'{path}.py').model


def transformer(path, channels, width, queries=10):
    """A DETR of few and narrow layers."""
    cfg = config(path)
    cfg.backbone = dict(RESNET, out_indices=[i for i in (1, 2, 3) if 8 * 2**i in channels])
    cfg.neck.update(in_channels=channels, out_channels=width, norm_cfg=None)
    cfg.num_queries = queries
    for part in (cfg.encoder, cfg.decoder):
        layer = part.layer_cfg
        part.num_layers = 2
        layer.self_attn_cfg.embed_dims = layer.ffn_cfg.embed_dims = width
        layer.ffn_cfg.feedforward_channels = 16
    cfg.decoder.layer_cfg.cross_attn_cfg.embed_dims = width
    cfg.positional_encoding.num_feats = width // 2
    cfg.bbox_head.update(embed_dims=width, num_classes=3)
    return cfg


def detr(width=16):
    return transformer('detr/detr_r50_8xb2-150e_coco', [64], width)


def deformable(width=16):
    return transformer('deformable_detr/deformable-detr_r50_16xb2-50e_coco', [16, 32, 64], width)


def rtmdet():
    """Its convolutions are shared by the levels, under a name for each."""
    cfg = config('rtmdet/rtmdet_tiny_8xb32-300e_coco')
    cfg.backbone.update(init_cfg=None, widen_factor=0.125)
    cfg.neck.update(in_channels=[32, 64, 128], out_channels=16, num_csp_blocks=1)
    cfg.bbox_head.update(in_channels=16, feat_channels=16, num_classes=3, exp_on_reg=False)
    return cfg


def fcos():
    cfg = config('fcos/fcos_r50-caffe_fpn_gn-head_1x_coco')
    cfg.backbone = dict(RESNET)
    cfg.neck.update(in_channels=[8, 16, 32, 64], out_channels=16)
    cfg.bbox_head.update(in_channels=16, feat_channels=16, num_classes=3, stacked_convs=1)
    cfg.bbox_head.norm_cfg = dict(type='BN')
    cfg.data_preprocessor.pad_size_divisor = 1
    return cfg


def pisa(cfg):
    """With the sampler that looks at the scores of the head."""
    other = config('pisa/faster-rcnn_r50_fpn_pisa_1x_coco')
    cfg.roi_head.type = other.roi_head.type
    cfg.roi_head.bbox_head.loss_bbox = other.roi_head.bbox_head.loss_bbox
    for name in ('sampler', 'isr', 'carl'):
        cfg.train_cfg.rcnn[name] = other.train_cfg.rcnn[name]
    cfg.train_cfg.rcnn.sampler.num = 16
    return cfg


def distilled(own, other, losses):
    cfg = dict(student=own, teacher=other, allow_random_teacher=True, distill_losses=losses)
    model = MODELS.build(dict(type='KnowledgeDistiller', **cfg)).train()
    for net in (model.student, model.teacher.net):
        for name, value in net.named_parameters():
            if 'level_embed' in name:  # mmdet leaves it as the memory was
                torch.nn.init.normal_(value)
    return model


def mse(*pairs):
    return [dict(type='StageMSELoss', pairs=list(pairs))]


def step(model, sizes=((75, 101), (60, 90))):
    """The distillation's terms of a step, after its backward pass."""
    from mmdet.testing import demo_mm_inputs

    data = demo_mm_inputs(2, [[3, *size] for size in sizes], num_classes=3)
    losses = model(**model.data_preprocessor(data, True), mode='loss')
    model.parse_losses(losses)[0].backward()
    terms = [v for k, v in losses.items() if k.startswith('loss_') and '.' in k]
    assert terms and all(term.isfinite() and term > 0 for term in terms)
    return terms


@pytest.mark.parametrize('width', [16, 32])
@pytest.mark.parametrize('layer', ['encoder', 'encoder.layers.0', 'encoder[2]'])
def test_deformable_encoders(layer, width):
    """Tokens of four levels, of equal or other width."""
    model = distilled(deformable(), deformable(width), mse((layer, layer)))
    step(model)
    assert model.encoder.layers[0].ffn.layers[1].weight.grad.abs().sum() > 0


@pytest.mark.parametrize('size', [(64, 64), (97, 131), (50, 200)])
def test_a_level_of_a_deformable_encoder_under_a_map(size):
    model = distilled(student('retinanet_r50_fpn'), deformable(), mse(('neck[1]', 'encoder[1]')))
    step(model, [size, size])
    _, tap = model.bound[0].taps[0]
    _, layout = model.bound[0]._layouts[0]
    samples = [BaseDataElement(metainfo=dict(img_shape=size, batch_input_shape=size))]
    features = model.teacher(torch.rand(1, 3, *size), samples, [tap])
    (level,) = features.maps(tap, layout)
    # stride 16, rounded up layer by layer
    assert level.shape == (1, 16, -(-size[0] // 16), -(-size[1] // 16))


@pytest.mark.parametrize('width', [16, 32])
def test_encoders_of_detr(width):
    step(distilled(detr(), detr(width), mse(('encoder', 'encoder'))))
    step(distilled(student('retinanet_r50_fpn'), detr(width), mse((3, 'encoder'))))


@pytest.mark.parametrize(
    'networks, losses, message',
    [
        ((detr, detr), mse(('decoder', 'decoder')), "'decoder' of DETR gives .* no map of an im"),
        (
            (detr, detr),
            [dict(type='LogitKDLoss', pairs=[('bbox_head.fc_cls', 'bbox_head.fc_cls')])],
            'its first axis has 2 items for one image',
        ),
        ((detr, detr), mse(('decoder.layers.1',) * 2), 'its 10 items are neither'),
        (
            (lambda: student('retinanet_r50_fpn'), deformable),
            mse(('neck[0]', 'encoder')),
            "'encoder' 4 times",
        ),
        (
            (lambda: student('retinanet_r50_fpn'), rtmdet),
            mse(('bbox_head.cls_convs.0.conv', 'bbox_head.cls_convs.0.0.conv')),
            "run differently often: .*conv' 5 and .* 3 times",
        ),
        (
            (
                lambda: student('retinanet_r50_fpn'),
                lambda: detector(
                    'retinanet_r50_fpn', dict(RESNET, strides=(1, 1, 2, 2)), [8, 16, 32, 64]
                ),
            ),
            [
                dict(
                    type='LogitKDLoss',
                    pairs=[('bbox_head.retina_cls', 'bbox_head.retina_cls')],
                    use_sigmoid=True,
                )
            ],
            r'the student gives \(8, 8\) of them .* and the teacher \(16, 16\)',
        ),
    ],
    ids=['decoder', 'logits of all layers', 'queries', 'levels', 'calls', 'strides'],
)
def test_what_cannot_be_compared_is_said_at_build(networks, losses, message):
    with pytest.raises(ValueError, match=message):
        distilled(*(network() for network in networks), losses)


def test_a_teacher_whose_neck_wants_multiples():
    """Its pipeline pads to them, its config does not say so."""
    model = distilled(fcos(), rtmdet(), mse(('neck[0]', 'neck[0]'), ('neck[1]', 'neck[1]')))
    assert model.teacher.sizes.divisor == 32
    step(model, [(75, 101), (75, 101)])


def test_shared_layers_by_all_of_their_names():
    layers = [f'bbox_head.cls_convs.{i}.0.conv' for i in (1, 2)]
    model = distilled(rtmdet(), rtmdet(), mse(layers))
    step(model, [(64, 64), (64, 96)])
    assert list(model.teacher.num_calls.values()) == [3]


def test_samplers_that_look_at_the_scores():
    """PISA's calls without autograd are no part of the loss."""
    logits = ('roi_head.bbox_head.fc_cls',) * 2
    labels = 'roi_head.bbox_head.loss_cls:input[1]'
    losses = [
        dict(type='LogitKDLoss', pairs=[logits], same_proposals=True),
        dict(
            type='DecoupledKDLoss', pairs=[logits], same_proposals=True, label_layer=f'{labels}@-1'
        ),
    ]
    own = pisa(student('faster-rcnn_r50_fpn'))
    model = distilled(own, teacher('faster-rcnn_r50_fpn'), losses)
    rois = []
    extractor = 'roi_head.bbox_roi_extractor'
    for net in (model.student, model.teacher.net):
        net.get_submodule(extractor).register_forward_pre_hook(lambda _, args: rois.append(args[1]))
    step(model)
    # the sampler's for each image, the loss's, and the same for the teacher
    assert len(rois) == 4 and torch.equal(rois[2], rois[3])
    losses[1]['label_layer'] = labels
    model = distilled(pisa(student('faster-rcnn_r50_fpn')), teacher('faster-rcnn_r50_fpn'), losses)
    with pytest.raises(ValueError, match='where label_layer runs several times, name the call'):
        step(model)
