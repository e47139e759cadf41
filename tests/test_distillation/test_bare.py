"""A backbone alone as the student: no loss of its own, taught without labels."""

import copy

import pytest
import torch
from mmengine.model import ImgDataPreprocessor
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import nn
from toys import MEAN, STD, ToyBackbone

import inrn_mm  # noqa: F401
from inrn_mm.distillation.bare import BackboneOnly

ARCH = dict(widths=[4, 8], depths=[1, 1], stem='conv3')
STUDENT = dict(type='INRN', arch=ARCH)
INPUTS = dict(type='ImgDataPreprocessor', mean=MEAN, std=STD)
LOSSES = [
    dict(type='DenseFeatureLoss', pairs=[(1, 'backbone[1]')]),
    dict(type='GlobalFeatureLoss', pairs=[(-1, 'neck')]),
]


def build(**changes):
    cfg = dict(
        type='KnowledgeDistiller',
        student=STUDENT,
        teacher=dict(type='ToyModel'),
        allow_random_teacher=True,
        data_preprocessor=INPUTS,
        distill_losses=LOSSES,
    )
    model = MODELS.build(copy.deepcopy(dict(cfg, **changes)))
    model.init_weights()
    return model.train()


def images(count=4, side=16):
    return dict(inputs=[torch.randint(0, 256, (3, side, side)) for _ in range(count)])


def test_it_learns_without_labels():
    model = build()
    assert isinstance(model.student, BackboneOnly)
    assert isinstance(model.data_preprocessor, ImgDataPreprocessor)
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-2))
    batch = images()
    before = [p.clone() for p in model.parameters()]
    logs = [model.train_step(copy.deepcopy(batch), optimizer) for _ in range(30)]
    assert logs[-1]['loss'] < 0.8 * logs[0]['loss']
    # nothing is compared with a task's gradient, and there is none
    assert set(logs[0]) == {'loss', 'loss_dense_feature.stage1', 'loss_global_feature.stage-1'}
    assert not any(torch.equal(a, b) for a, b in zip(before, model.parameters()))


def test_the_weights_are_a_backbones(tmp_path):
    model = build()
    state = model.state_dict()
    assert {key.split('.')[0] for key in state} == {'backbone', 'distill_losses'}
    torch.save(dict(state_dict=state), tmp_path / 'a.pth')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'), prefix='backbone.')
    net = MODELS.build(dict(STUDENT, init_cfg=init))
    net.init_weights()
    for key, value in net.state_dict().items():
        assert torch.equal(value, state[f'backbone.{key}']), key


def test_it_predicts_pooled_features():
    model = build().eval()
    data = dict(images(2), data_samples=[BaseDataElement() for _ in range(2)])
    samples = model.val_step(data)
    out = model.student(model.data_preprocessor(images(2), False)['inputs'])
    assert [x.shape[1] for x in out] == [4, 8]
    assert [sample.features.shape for sample in samples] == [(8,), (8,)]


class Black(nn.Module):
    """A noise that leaves nothing."""

    def forward(self, image):
        assert image.min() >= 0 and image.max() <= 1
        return image * 0


@pytest.mark.parametrize('training', [True, False])
def test_noise_is_the_students_alone(training):
    student = BackboneOnly(STUDENT, INPUTS)
    student.noise = [Black()]
    student.train(training)
    seen = []
    student.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    batch = student.data_preprocessor(images(), True)
    before = batch['inputs'].clone()
    assert student(**batch, mode='loss') == {}
    black = -torch.tensor(MEAN).view(3, 1, 1) / torch.tensor(STD).view(3, 1, 1)
    expected = black.expand_as(before) if training else before
    torch.testing.assert_close(seen[0], expected)
    assert torch.equal(batch['inputs'], before)  # the teacher's


def test_noise_of_torchvision():
    cfg = dict(type='torchvision.transforms.v2.ColorJitter', brightness=0.4)
    student = BackboneOnly(STUDENT, INPUTS, noise=[cfg]).train()
    x = student.data_preprocessor(images(), True)['inputs']
    assert not torch.allclose(student._disturb(x), x)


def test_several_teachers_of_their_own_sizes():
    teachers = {
        name: dict(model=dict(type='ToyModel', widths=(4, 6, width)), size=size)
        for name, width, size in (('a', 8, (32, 32)), ('b', 10, (64, 48)))
    }
    losses = [
        dict(type='DenseFeatureLoss', pairs=[(1, 'backbone[2]')], teacher=name, name=name)
        for name in teachers
    ]
    model = build(teacher=teachers, distill_losses=losses)
    seen = {}
    for name, teacher in model.teachers.items():
        teacher.net.register_forward_pre_hook(
            lambda _, args, name=name: seen.update({name: tuple(args[0].shape[-2:])})
        )
    for side in (16, 24):
        log = model(**model.data_preprocessor(images(side=side), True), mode='loss')
        assert set(log) == {'loss_a.stage1', 'loss_b.stage1'}
        assert seen == dict(a=(32, 32), b=(64, 48))


@pytest.mark.parametrize('size', [(0, 32), (32.5, 32)])
def test_sizes_that_are_none(size):
    with pytest.raises(ValueError, match="A side of the teacher's size must be a whole number"):
        build(teacher=dict(model=dict(type='ToyModel'), size=size))


def test_a_backbone_that_is_no_mm_module():
    student = dict(type=ToyBackbone, widths=(4, 6, 8))
    model = build(student=student, distill_losses=[dict(LOSSES[0], pairs=[(2, 2)])])
    log = model(**model.data_preprocessor(images(), True), mode='loss')
    assert set(log) == {'loss_dense_feature.stage2'}


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(distill_losses=[]), 'a backbone alone, and nothing teaches it'),
        (dict(distill_losses=[dict(LOSSES[0], weight='auto:0.1')]), 'no task: give a number'),
        (dict(data_preprocessor=None), 'give data_preprocessor=dict'),
    ],
)
def test_what_cannot_train(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)
