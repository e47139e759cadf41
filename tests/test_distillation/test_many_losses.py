"""Several losses and teachers, the student as its own, what is logged."""

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import MODELS
from torch import nn
from torch.utils.checkpoint import checkpoint
from toys import toy_batch, toy_config

from inrn_mm.distillation.gradient_ratios import layer_gradients
from inrn_mm.visualization.features import paired_features

MSE = 'StageMSELoss'


def build(losses, **kwargs):
    torch.manual_seed(0)
    model = MODELS.build({**toy_config(losses), **kwargs})
    model.init_weights()
    return model.train()


@pytest.fixture
def iteration_0():
    hub = MessageHub.get_current_instance()
    old = dict(hub.runtime_info)
    hub.update_info('iter', 0)
    yield
    hub.runtime_info.clear()
    hub.runtime_info.update(old)


def test_several_teachers():
    wide = dict(model=dict(type='ToyModel', widths=(8, 12, 16)))
    odd = dict(model=dict(type='ToyModel', widths=(5, 7, 9)))
    model = build(
        [
            dict(type=MSE, pairs=[(1, 1)], teacher='wide', name='a'),
            dict(type=MSE, pairs=[(1, 1)], teacher='odd', name='b'),
        ],
        teacher=dict(wide=wide, odd=odd),
    )
    assert [loss.align[0].conv.out_channels for loss in model.distill_losses] == [12, 7]
    losses = model(**toy_batch(model), mode='loss')
    assert losses['loss_a.stage1'] > 0 and losses['loss_b.stage1'] > 0


def test_only_the_teachers_at_work_run():
    cfg = dict(model=dict(type='ToyModel'))
    model = build(
        [
            dict(type=MSE, pairs=[(1, 1)], teacher='a'),
            dict(type=MSE, pairs=[(0, 0)], teacher='b', weight=0.0),
        ],
        teacher=dict(a=cfg, b=cfg),
    )
    model.teachers['b'].net.forward = None  # would fail if called
    model(**toy_batch(model), mode='loss')


def test_student_teaches_itself():
    """Deep to shallow, the deep side without gradient."""
    model = build([dict(type=MSE, pairs=[(0, 2)], teacher='self')], teacher=None)
    batch = toy_batch(model)
    losses = model(**batch, mode='loss')
    losses['loss_stage_mse.stage0'].backward()
    assert model.backbone.stages[0][0].weight.grad.abs().sum() > 0
    assert model.backbone.stages[2][0].weight.grad is None
    assert not model.teachers


def pictures(model):
    """Names and shapes that are drawn side by side."""
    return [
        [(name, tuple(value.shape)) for name, value in row]
        for row in paired_features(model, toy_batch(model))
    ]


def test_pictures_of_several_teachers_and_of_the_student_itself():
    teachers = {
        name: dict(model=dict(type='ToyModel', widths=widths))
        for name, widths in (('wide', (8, 12, 16)), ('odd', (5, 7, 9)))
    }
    teachers['idle'] = dict(model=dict(type='ToyModel'))
    model = build(
        [
            dict(type=MSE, pairs=[(1, 1)], teacher='wide', name='a'),
            dict(type=MSE, pairs=[(1, 1)], teacher='odd', name='b'),
            dict(type=MSE, pairs=[(0, 2)], teacher='self'),
        ],
        teacher=teachers,
    )
    model.teachers['idle'].net.forward = None  # would fail if called
    one, two = 'backbone[1]', 'backbone[2]'
    assert pictures(model) == [
        [(f'student {one}', (6, 8, 8)), (f'wide {one}', (12, 8, 8))],
        [(f'student {one}', (6, 8, 8)), (f'odd {one}', (7, 8, 8))],
        [('student backbone[0]', (4, 16, 16)), (f'student {two}', (8, 4, 4))],
    ]  # yapf: disable


def test_pictures_without_a_teacher():
    model = build([dict(type=MSE, pairs=[(0, 2)], teacher='self')], teacher=None)
    ((_, deep),) = pictures(model)
    assert deep == ('student backbone[2]', (8, 4, 4))


def test_picture_of_the_last_of_several_calls():
    layer = 'backbone.stages.1.2:input@-1'
    model = build([dict(type=MSE, pairs=[(layer, 1)])])
    stages = model.backbone.stages
    stages[2][2] = stages[1][2]  # one ReLU for two stages
    batch = toy_batch(model)
    (((_, drawn), _),) = paired_features(model, batch)
    expected = stages[2][:2](model.backbone(batch['inputs'])[1])
    assert drawn.min() < 0  # before the ReLU, which works in place
    torch.testing.assert_close(drawn, expected[0])


def test_raw_and_weighted_are_logged():
    model = build(
        [dict(type=MSE, pairs=[(0, 0)], weight=4.0), dict(type=MSE, pairs=[(1, 1)], name='plain')]
    ).eval()
    losses = model(**toy_batch(model), mode='loss')
    torch.testing.assert_close(losses['loss_stage_mse.stage0'], 4 * losses['raw_stage_mse.stage0'])
    assert not losses['raw_stage_mse.stage0'].requires_grad
    # a weight of one needs no second entry
    assert 'raw_plain.stage1' not in losses
    total, _ = model.parse_losses(losses)
    torch.testing.assert_close(
        total, losses['loss_cls'] + losses['loss_stage_mse.stage0'] + losses['loss_plain.stage1']
    )


def test_gradient_ratio(iteration_0):
    model = build([dict(type=MSE, pairs=[(1, 1)], weight=3.0)]).eval()
    batch = toy_batch(model)
    losses = model(**batch, mode='loss')
    ratio = losses['grad_ratio_stage_mse.stage1']
    assert all(p.grad is None for p in model.parameters())

    # the same by hand
    feature = model.backbone(batch['inputs'])[1].detach()
    feature.requires_grad_()
    x = model.neck(model.backbone.stages[2](feature)).flatten(1)
    labels = torch.tensor([s.label for s in batch['data_samples']])
    task = nn.functional.cross_entropy(model.fc(x) * model.scale, labels)
    with torch.no_grad():
        target = model.teacher.net.backbone(batch['inputs'])[1]
    mse = (model.distill_losses[0].align[0].conv(feature) - target).square().mean()
    (task,) = torch.autograd.grad(task, feature)
    (mse,) = torch.autograd.grad(3 * mse, feature)
    torch.testing.assert_close(ratio, mse.norm() / task.norm())


def test_gradient_ratio_before_an_in_place_layer(iteration_0):
    """The network goes on from the tapped tensor, through a copy."""
    layer = 'backbone.stages.1.1'
    model = build([dict(type=MSE, pairs=[(layer, layer)])])
    assert model._clone
    losses = model(**toy_batch(model), mode='loss')
    assert 0 < losses[f'grad_ratio_stage_mse.{layer}'] < 1e3


def test_gradient_ratio_of_half_precision():
    """Gradients of 1e-8 are zero in float16, training scales its loss."""
    x = torch.ones(4, 1000, dtype=torch.float16, requires_grad=True)
    term, task = 2e-5 * x.float().mean(), 6e-5 * x.float().mean()
    ratio = layer_gradients(dict(term=(term, [x])), task)['term'].ratio
    torch.testing.assert_close(ratio.item(), 1 / 3, rtol=1e-2, atol=0)


class Checkpointed(nn.Module):
    """A stage that mmdet's blocks would run so, with ``with_cp=True``."""

    def __init__(self, stage):
        super().__init__()
        self.stage = stage

    def forward(self, x):
        return checkpoint(self.stage, x, use_reentrant=True)


def checkpointed(layer, stage, **kwargs):
    model = build([dict(type=MSE, pairs=[(layer, 1)], **kwargs)])
    # at the same path, under a wrapper
    stage = model.backbone.stages[stage]
    stage.forward = Checkpointed(nn.Sequential(*stage)).forward
    return model


def test_student_with_reentrant_checkpointing(iteration_0):
    model = checkpointed(1, stage=2)
    losses = model(**toy_batch(model), mode='loss')
    assert not any('grad_ratio' in name for name in losses)
    assert model.ratio_interval == 0
    model.parse_losses(losses)[0].backward()
    assert model.backbone.stages[1][0].weight.grad.abs().sum() > 0


def test_layers_inside_of_checkpointing_learn_nothing(iteration_0):
    model = checkpointed('backbone.stages.1.0', stage=1)
    with pytest.raises(ValueError, match=r"stages\.1\.0' runs without auto"):
        model(**toy_batch(model), mode='loss')
    with torch.no_grad():  # as when losses are looked at
        model(**toy_batch(model), mode='loss')


def test_gradient_ratio_only_at_the_interval(iteration_0):
    hub = MessageHub.get_current_instance()
    model = build([dict(type=MSE, pairs=[(1, 1)])], ratio_interval=5)
    keys = []
    for i in (4, 5, 6):
        hub.update_info('iter', i)
        keys.append('grad_ratio_stage_mse.stage1' in model(**toy_batch(model), mode='loss'))
    assert keys == [False, True, False]
    model.ratio_interval = 0
    hub.update_info('iter', 0)
    losses = model(**toy_batch(model), mode='loss')
    assert set(losses) == {'loss_cls', 'loss_stage_mse.stage1'}


def test_margins_come_from_the_loaded_teacher(tmp_path):
    """OFD's, which the teacher's norm layers tell."""
    teacher = MODELS.build(dict(type='ToyModel', widths=(8, 12, 16)))
    nn.init.constant_(teacher.backbone.stages[1][1].bias, -2.0)
    torch.save(teacher.state_dict(), tmp_path / 't.pth')
    model = build(
        [dict(type='OverhaulLoss', pairs=[('backbone.stages.1.1', 'backbone.stages.1.1')])],
        teacher_checkpoint=str(tmp_path / 't.pth'),
    )
    # far below the mean of a standard normal's negative half
    assert model.distill_losses[0].margin0.max() < -2


def test_margins_of_a_norm_with_two_names():
    loss = MODELS.build(dict(type='OverhaulLoss', pairs=[(1, 1)], margin_layers=['other']))
    loss.build([torch.Size((1, 4, 8, 8))], [torch.Size((1, 6, 8, 8))])
    net = nn.Module()
    net.norm = net.other = nn.BatchNorm2d(6)
    loss.attach_teacher([None], net)
    assert loss.margin0.lt(0).all()


def test_margins_of_a_stage_after_its_relu():
    model = build(
        [dict(type='OverhaulLoss', pairs=[(1, 1)], margin_layers=['backbone.stages.1.1'])]
    )
    batch = toy_batch(model)
    model(**batch, mode='loss')
    with pytest.raises(ValueError, match='layer 1 has no negative value'):
        model(**batch, mode='loss')


@pytest.mark.parametrize(
    'losses, teacher, message',
    [
        (
            [dict(type=MSE, pairs=[(0, 0)])],
            dict(a=dict(model=dict(type='ToyModel')), b=dict(model=dict(type='ToyModel'))),
            'must say which teacher it takes',
        ),
        (
            [dict(type=MSE, pairs=[(0, 0)], teacher='c')],
            None,
            "the teacher 'c', which is not there",
        ),
        ([dict(type=MSE, pairs=[(0, 0)])], dict(self=dict(model='x')), 'a dict of names'),
        (
            [dict(type=MSE, pairs=[(0, 0)], same_proposals=True)],
            dict(type='ToyModel'),
            'ToyModel has none',
        ),
    ],
)
def test_bad_teachers(losses, teacher, message):
    with pytest.raises(ValueError, match=message):
        build(losses, teacher=teacher)
