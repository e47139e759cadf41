"""Methods by name: what they pair, with which settings, and what they refuse."""

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from test_detectors import detector, student
from torch import nn
from toys import ToyModel, toy_batch, toy_config

from inrn_mm.distillation.methods import METHODS, Network, Place, choose_losses, list_methods
from inrn_mm.distillation.methods.pairing import pair_places

pytest.importorskip('mmdet')
pytest.importorskip('inrn_mm.classification')
STAGES = [(i, i) for i in range(4)]
LEVELS = [(f'neck[{i}]', f'neck[{i}]') for i in range(5)]
BOX_HEAD = ('roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_cls')
HEAD, POOLED = ('head.fc', 'head.fc'), ('head.fc:input', 'head.fc:input')
SYNC = dict(type='SyncBN')
PREACTIVATIONS = [
    ('backbone.stages.0.1.act:input', 'backbone.layer1.2.relu:input@-1'),
    ('backbone.stages.1.2.act:input', 'backbone.layer2.3.relu:input@-1'),
    ('backbone.stages.2.8.act:input', 'backbone.layer3.22.relu:input@-1'),
    ('backbone.stages.3.2.act:input', 'backbone.layer4.2.relu:input@-1'),
]
MARGINS = [f'backbone.{block}.bn3' for block in ('layer1.2', 'layer2.3', 'layer3.22', 'layer4.2')]
CONNECTOR = dict(type='NormedConv', norm_cfg=SYNC)

# What the configs of these methods said one by one before methods had names.
TWO_STAGE = dict(
    inrn=dict(type='StageMSELoss', pairs=STAGES, weight=1.0),
    at=dict(type='AttentionTransferLoss', pairs=STAGES, weight=1000.0),
    fitnet=dict(
        type='FitNetLoss',
        pairs=[(1, 1)],
        weight=1.0,
        connector=dict(type='HintRegressor', norm_cfg=SYNC),
    ),
    cwd=dict(type='ChannelWiseLoss', pairs=LEVELS, temperature=1.0, weight=10.0),
    pkd=dict(type='PearsonLoss', pairs=LEVELS[:4], weight=6.0),
    mgd=dict(type='MaskedGenerativeLoss', pairs=LEVELS[:4], mask_ratio=0.45, weight=5e-7),
    fgd=dict(
        type='FocalGlobalLoss',
        pairs=LEVELS[:4],
        temperature=0.5,
        alpha=5e-5,
        beta=2.5e-5,
        gamma=5e-5,
        lambda_=5e-7,
    ),
    fbkd=dict(
        type='AttentionGuidedLoss',
        pairs=LEVELS[:4],
        alpha=7e-5,
        beta=4e-3,
        gamma=7e-5,
        pools=[8, 4, 2, 2],
        reductions=[4, 4, 2, 2],
    ),
    review=dict(type='ReviewLoss', pairs=LEVELS, mid_channels=256, norm_cfg=SYNC, weight=1.0),
    ofd=dict(
        type='OverhaulLoss',
        pairs=PREACTIVATIONS,
        margin_layers=MARGINS,
        weight=1e-5,
        connector=CONNECTOR,
    ),
    kd=dict(type='LogitKDLoss', pairs=[BOX_HEAD], temperature=1.0, weight=1.0, same_proposals=True),
    dkd=dict(
        type='DecoupledKDLoss',
        pairs=[BOX_HEAD],
        same_proposals=True,
        label_layer='roi_head.bbox_head.loss_cls:input[1]',
        alpha=1.0,
        beta=0.25,
        temperature=1.0,
    ),
    dist=dict(
        type='DISTLoss',
        pairs=[BOX_HEAD],
        same_proposals=True,
        beta=2.0,
        gamma=2.0,
        temperature=1.0,
        schedule=dict(warmup=500),
    ),
)
IMAGENET = dict(
    inrn=TWO_STAGE['inrn'],
    at=TWO_STAGE['at'],
    fitnet=dict(type='FitNetLoss', pairs=[(1, 1)], weight=1.0),
    cwd=dict(type='ChannelWiseLoss', pairs=[(3, 3)], temperature=1.0, weight=10.0),
    pkd=dict(type='PearsonLoss', pairs=[(3, 3)], weight=6.0),
    mgd=dict(
        type='MaskedGenerativeLoss', pairs=[(3, 3)], mask='channels', mask_ratio=0.15, weight=7e-5
    ),
    review=dict(type='ReviewLoss', pairs=[*STAGES, POOLED], mid_channels=512, weight=1.0),
    ofd=dict(type='OverhaulLoss', pairs=PREACTIVATIONS, margin_layers=MARGINS, weight=1e-4),
    crd=dict(
        type='ContrastiveLoss', pairs=[POOLED], num_negatives=16384, temperature=0.07, weight=0.8
    ),
    kd=dict(type='LogitKDLoss', pairs=[HEAD], temperature=1.0, weight=0.5),
    dkd=dict(
        type='DecoupledKDLoss',
        pairs=[HEAD],
        alpha=1.0,
        beta=0.5,
        temperature=1.0,
        schedule=dict(warmup=1, by_epoch=True),
    ),
    dist=dict(type='DISTLoss', pairs=[HEAD], beta=2.0, gamma=2.0, temperature=1.0),
)
EARLY = [(0, 0), (1, 1), (2, 2)]
CIFAR_RELU = [f'backbone.layer{i}.4.relu:input@-1' for i in (1, 2, 3)]
INRN_ACT = [f'backbone.stages.{block}.act:input' for block in ('0.1', '1.8', '2.2')]
CIFAR = dict(
    inrn=dict(type='StageMSELoss', pairs=EARLY, weight=1.0),
    fitnet=dict(type='FitNetLoss', pairs=[(1, 1)], weight=100.0),
    mgd=dict(IMAGENET['mgd'], pairs=[(2, 2)]),
    review=dict(
        type='ReviewLoss',
        pairs=[*zip(range(3), CIFAR_RELU), POOLED],
        schedule=dict(warmup=20, by_epoch=True),
        weight=5.0,
    ),
    ofd=dict(
        type='OverhaulLoss',
        pairs=list(zip(INRN_ACT, CIFAR_RELU)),
        margin_layers=[f'backbone.layer{i}.4.bn2' for i in (1, 2, 3)],
        weight=1e-3,
    ),
    kd=dict(type='LogitKDLoss', pairs=[HEAD], temperature=4.0, weight=0.9),
    dkd=dict(IMAGENET['dkd'], beta=8.0, temperature=4.0, schedule=dict(warmup=20, by_epoch=True)),
    dist=dict(IMAGENET['dist'], temperature=4.0, schedule=dict(warmup=100)),
)  # yapf: disable


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def classifier(backbone, width, num_classes=7):
    return dict(
        _scope_='mmpretrain',
        type='ImageClassifier',
        backbone=backbone,
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(type='mmpretrain.LinearClsHead', num_classes=num_classes, in_channels=width),
    )


def narrow(depth):
    return dict(type='mmpretrain.ResNet', depth=depth, base_channels=4)


@pytest.fixture(scope='module')
def networks():
    """The students and teachers that the tables are of, narrower, as methods see them."""
    m = dict(type='INRN', arch=dict(widths=[8, 8, 16, 16], depths=[2, 2, 8, 2]))
    s = dict(type='INRN', arch=dict(widths=[8, 8, 16], depths=[2, 8, 2]), stem='conv3')
    r101 = dict(type='mmdet.ResNet', depth=101, base_channels=4)
    with DefaultScope.overwrite_default_scope('mmdet'):
        pairs = dict(
            TWO_STAGE=[
                detector('faster-rcnn_r50_fpn', m, [8, 8, 16, 16]),
                detector('faster-rcnn_r50_fpn', r101, [16, 32, 64, 128]),
            ],
            IMAGENET=[classifier(m, 16), classifier(narrow(101), 128)],
            CIFAR=[classifier(s, 16), classifier(dict(type='CIFARResNet', arch='32x4'), 256)],
        )
        return {
            name: [
                Network(MODELS.build(cfg), role) for cfg, role in zip(cfgs, ('student', 'teacher'))
            ]
            for name, cfgs in pairs.items()
        }


@pytest.mark.parametrize(('kind', 'method'), [
    (kind, method) for kind in ('TWO_STAGE', 'IMAGENET', 'CIFAR') for method in globals()[kind]
])  # yapf: disable
def test_losses_are_those_of_the_former_configs(networks, kind, method):
    found = METHODS.get(method)(*networks[kind])
    assert found['distill_losses'] == [globals()[kind][method]]
    weights = dict(IMAGENET=0.5, CIFAR=0.1)
    assert found.get('task_weight', 1) == (weights.get(kind, 1) if method == 'kd' else 1)


def places(*strides):
    return [Place(i, stride, 1) for i, stride in enumerate(strides)]


@pytest.mark.parametrize(('own', 'other', 'expected'), [
    ((4, 8, 16, 32), (4, 8, 16, 32), [(0, 0), (1, 1), (2, 2), (3, 3)]),
    ((4, 8, 16, 32, 64), (8, 16, 32, 64, 128), [(1, 0), (2, 1), (3, 2), (4, 3)]),
    ((8, 16, 32), (4, 8, 16, 32), [(0, 1), (1, 2), (2, 3)]),
    ((4, 8, 16, 32), (14,) * 12, [(2, 11)]),  # a transformer of patches of 14
    ((16,) * 12, (16,) * 24, [(i, 2 * i + 1) for i in range(12)]),
    ((16,) * 12, (4, 8, 16, 16, 32), [(5, 2), (11, 3)]),
    ((4, 8), (32, 64), [(1, 1)]),  # nothing in common: the deepest
])  # yapf: disable
def test_places_are_paired_by_stride(own, other, expected):
    pairs = pair_places(places(*own), places(*other))
    assert [(a.layer, b.layer) for a, b in pairs] == expected


def test_what_is_found_of_a_network(networks):
    own, _ = networks['TWO_STAGE']
    assert [place.stride for place in own.stages] == [4, 8, 16, 32]
    assert [place.stride for place in own.levels] == [4, 8, 16, 32, 64]
    assert [place.channels for place in own.stages] == [8, 8, 16, 16]
    assert networks['CIFAR'][0].is_small and not networks['IMAGENET'][0].is_small


def vit(**kwargs):
    return dict(
        type='mmpretrain.VisionTransformer',
        arch=dict(embed_dims=16, num_layers=3, num_heads=2, feedforward_channels=16),
        img_size=64,
        **kwargs,
    )


@pytest.mark.parametrize('out_type', ['cls_token', 'featmap'])
def test_blocks_of_a_transformer(out_type):
    """Where its output is a class token the blocks have the maps."""
    network = Network(MODELS.build(classifier(vit(out_type=out_type), 16)))
    layers = ['backbone.layers.0', 'backbone.layers.1', 'backbone.layers.2']
    assert [place.layer for place in network.stages] == (layers if out_type == 'cls_token' else [2])
    assert {place.stride for place in network.stages} == {16}


def toys(method, **kwargs):
    return MODELS.build(dict(toy_config([]), method=method, **kwargs))


def test_settings_in_place_of_the_methods_own():
    model = toys(dict(type='inrn', weight=3.0, schedule=dict(warmup=5)))
    (loss,) = model.distill_losses
    assert loss.weights == [3.0] * 3 and loss.schedule.warmup == 5


def test_several_methods_and_losses_beside_them():
    model = toys(['inrn', dict(type='at', name='maps')])
    assert [loss.name for loss in model.distill_losses] == ['stage_mse', 'maps']
    losses = [dict(type='PearsonLoss', pairs=[(2, 2)])]
    model = MODELS.build(dict(toy_config(losses), method='inrn'))
    assert [loss.name for loss in model.distill_losses] == ['stage_mse', 'pearson']


def test_several_teachers():
    cfg = toy_config([])
    teacher = dict(model=cfg['teacher'])
    cfg.update(teacher=dict(one=teacher, two=teacher), method='inrn')
    names = [bound.names[0] for bound in MODELS.build(cfg).bound]
    assert names == ['inrn_one.stage0', 'inrn_two.stage0']
    cfg['method'] = [dict(type='inrn', teacher='two'), 'at']
    names = [bound.names[0] for bound in MODELS.build(cfg).bound]
    assert names == ['inrn_two.stage0', 'at_one.stage0', 'at_two.stage0']
    cfg['method'] = dict(type='inrn', teacher='three')
    with pytest.raises(ValueError, match=r"'three', which is not there; choose one of \['one', 't"):
        MODELS.build(cfg)


def test_task_weight_scales_the_students_losses_alone():
    losses = {}
    for weight in (None, 1.0, 0.25):
        torch.manual_seed(0)
        model = toys('inrn', task_weight=weight)
        losses[weight] = model(**toy_batch(model), mode='loss')
    for name, value in losses[1.0].items():
        share = 0.25 if name == 'loss_cls' else 1.0
        torch.testing.assert_close(losses[0.25][name], share * value)
        torch.testing.assert_close(losses[None][name], value)
    with pytest.raises(ValueError, match='task_weight must be a finite number at least 0'):
        toys('inrn', task_weight=-1.0)


def test_unknown_method_lists_all():
    with pytest.raises(ValueError, match="no method 'pdk': choose one of .*'at'.*'pkd'"):
        toys('pdk')


def test_a_method_that_does_not_fit_names_those_that_do():
    with pytest.raises(ValueError, match='ToyModel are not known; methods that fit both are at, '):
        toys('kd')
    with pytest.raises(ValueError, match='is no detector, whose boxes'):
        toys('fgd')


def test_a_method_needs_a_teacher():
    with pytest.raises(ValueError, match="The method 'pkd' needs a teacher"):
        MODELS.build(dict(type='KnowledgeDistiller', student=dict(type='ToyModel'), method='pkd'))


def test_auto_says_what_it_takes(monkeypatch):
    said = []
    monkeypatch.setattr(
        'inrn_mm.distillation.methods.auto.print_log', lambda text, *_: said.append(text)
    )
    own = MODELS.build(student('retinanet_r50_fpn'))
    cfg = choose_losses('auto', own, dict(teacher=own))
    assert [loss['type'] for loss in cfg['distill_losses']] == ['PearsonLoss', 'LogitKDLoss']
    assert said == ["The method 'auto' is pkd and kd here."]
    choose_losses('auto', ToyModel(), dict(teacher=ToyModel()))
    assert said[1].startswith("The method 'auto' is pkd here (ld: the class logits")


def test_the_random_stream_of_the_student_stays():
    torch.manual_seed(0)
    first = toys(None, distill_losses=[dict(type='StageMSELoss', pairs=[(0, 0)])])
    drawn = torch.rand(1)
    torch.manual_seed(0)
    second = toys('inrn')
    assert torch.equal(drawn, torch.rand(1))
    assert all(map(torch.equal, first.student.parameters(), second.student.parameters()))


def test_own_methods_may_be_registered():
    @METHODS.register_module(name='own')
    def choose_own(student, teacher):
        return dict(distill_losses=[dict(type='StageMSELoss', pairs=[(0, 0)])])

    try:
        assert 'own' in list_methods()
        assert isinstance(toys('own').distill_losses[0], nn.Module)
    finally:
        METHODS._module_dict.pop('own')
