"""What a teacher is, what it sees, and at which size."""

import copy

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModel, ImgDataPreprocessor
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import nn
from toys import ToyModel, toy_batch, toy_config

from inrn_mm.distillation.inputs import SizeAdapter
from inrn_mm.distillation.probe import likely_channels, named_sizes, needed_divisor, probe, run
from inrn_mm.distillation.taps import Tap

TWIN = dict(type='LogitKDLoss', pairs=[('fc', 'fc')])
NORMAL = dict(mean=[100.0, 110.0, 120.0], std=[10.0, 20.0, 30.0], bgr_to_rgb=True)


@MODELS.register_module(force=True)
class Raw(ToyModel):
    """A model whose config says how it normalises, or does not."""

    def __init__(self, data_preprocessor=None, in_channels=3, size=None, **kwargs):
        # as mmpretrain's classifiers, which fill in the type
        cfg = dict(data_preprocessor or {})
        cfg.setdefault('type', 'ImgDataPreprocessor')
        super().__init__(data_preprocessor=MODELS.build(cfg), **kwargs)
        first = self.backbone.stages[0][0]
        self.backbone.stages[0][0] = nn.Conv2d(in_channels, first.out_channels, 3, 2, 1)
        if size:
            self.backbone.img_size = size

    def forward(self, inputs, data_samples=None, mode='tensor'):
        size = getattr(self.backbone, 'img_size', None)
        if size and tuple(inputs.shape[-2:]) != (size, size):
            raise ValueError(f'Input size {tuple(inputs.shape[-2:])} is not ({size}, {size}).')
        return super().forward(inputs, data_samples, mode)


@MODELS.register_module(force=True)
class Pyramid(ToyModel):
    """Adds an enlarged deep map to a shallow one, as FPNs of YOLO and RTMDet."""

    def __init__(self, data_preprocessor=None, **kwargs):
        super().__init__(data_preprocessor=ImgDataPreprocessor(**(data_preprocessor or {})))
        self.top = nn.Conv2d(14, 5, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        _, shallow, deep = self.backbone(inputs)
        return self.top(torch.cat([shallow, nn.functional.interpolate(deep, scale_factor=2)], 1))


def build(losses, student=None, teacher=None, **kwargs):
    cfg = toy_config(losses, **kwargs)
    cfg.update(student=student or dict(type='Raw'), teacher=teacher or dict(type='Raw'))
    return MODELS.build(cfg)


def twin_loss(**kwargs):
    """Loss under a teacher of the same weights: 0 if it sees the same."""
    model = build([TWIN], **kwargs).eval()
    for teacher in model.teachers.values():
        teacher.net.load_state_dict(model.student.state_dict(), strict=False)
    batch = toy_batch(model)
    assert batch['inputs'].abs().max() < 20  # normalised
    return model(**batch, mode='loss')['loss_logit_kd.fc'].item()


@pytest.mark.parametrize(
    'kwargs',
    [
        # mmpretrain's way: beside the model
        dict(data_preprocessor=NORMAL),
        dict(data_preprocessor=NORMAL, teacher=dict(a=dict(model=dict(type='Raw')))),
        dict(data_preprocessor=NORMAL, teacher=dict(model=dict(type='Raw'))),
        # nowhere but in the student
        dict(student=dict(type='Raw', data_preprocessor=NORMAL)),
        # the student's own beside that of all
        dict(student=dict(type='Raw', data_preprocessor=NORMAL), data_preprocessor=NORMAL),
        # in the teacher's entry
        dict(
            student=dict(type='Raw', data_preprocessor=NORMAL),
            teacher=dict(a=dict(model=dict(type='Raw'), data_preprocessor=NORMAL)),
        ),
    ],
)
def test_twins_see_the_same(kwargs):
    assert twin_loss(**copy.deepcopy(kwargs)) == pytest.approx(0, abs=1e-6)


def test_a_teacher_that_names_its_inputs_gets_them():
    other = dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0])
    assert twin_loss(data_preprocessor=NORMAL, teacher=dict(
        type='Raw', data_preprocessor=other)) > 1e-3  # yapf: disable
    # also raw pixels, where they are named
    model = build(
        [TWIN], data_preprocessor=NORMAL, teacher=dict(type='Raw', data_preprocessor=dict(std=None))
    )
    pixels = model.teacher.inputs(toy_batch(model)['inputs'])
    assert pixels.max() > 100


def test_the_teachers_own_preprocessor_beside_that_of_the_student():
    """The config's top level, beside a student that names another."""
    other = dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0])
    model = build(
        [TWIN], student=dict(type='Raw', data_preprocessor=NORMAL), data_preprocessor=other
    )
    assert model.data_preprocessor.mean.flatten().tolist() == NORMAL['mean']
    assert model.teacher.net.data_preprocessor.std.flatten().tolist() == [255.0] * 3
    pixels = model.teacher.inputs(toy_batch(model)['inputs'])
    assert pixels.min() >= 0 and pixels.max() <= 1


@pytest.mark.parametrize(
    'teacher, message',
    [
        (
            dict(a=dict(model=dict(type='Raw'), checkpont='x.pth')),
            r"The teacher 'a' has the unknown key 'checkpont' \(did you mean 'checkpoint'\?\)",
        ),
        (dict(a=dict(model=dict(type='Raw'), option=dict())), "unknown key 'option'"),
        (
            dict(model=dict(type='Raw'), zzz=1),
            "The teacher 'teacher' has the unknown key 'zzz'; it",
        ),
    ],
)
def test_mistyped_keys(teacher, message):
    with pytest.raises(ValueError, match=message):
        build([TWIN], teacher=teacher)


@pytest.mark.parametrize('channels', [1, 2, 4, 6, 13])
def test_images_of_other_channels(channels):
    cfg = dict(type='Raw', in_channels=channels)
    model = build([dict(type='StageMSELoss', pairs=[(1, 1)])], cfg, dict(cfg, widths=(5, 6, 7)))
    model.init_weights()
    samples = toy_batch(MODELS.build(dict(type='ToyModel')))['data_samples']
    losses = model(torch.rand(4, channels, 32, 32), samples, mode='loss')
    assert losses['loss_stage_mse.stage1'] > 0


def test_channels_that_differ_are_said_with_the_cause():
    with pytest.raises(ValueError, match=r'shape \(1, 1, 64, 64\) does not reach .* channels'):
        build([TWIN], dict(type='Raw', in_channels=1), dict(type='Raw'))


def test_likely_channels():
    """YOLOX' stem puts 2 x 2 pixels into one."""
    assert list(likely_channels(nn.Sequential(nn.Conv2d(24, 8, 1)))) == [3, 24, 6, 1]
    assert list(likely_channels(nn.Linear(2, 2))) == [3, 1]


@pytest.mark.parametrize('size', [32, 48])
def test_a_teacher_of_a_fixed_size(size, caplog):
    """It gets resized images; both sides are probed at its size."""
    MMLogger.get_current_instance()
    model = build(
        [dict(type='FitNetLoss', pairs=[(1, 0)])],
        dict(type='Raw', data_preprocessor=NORMAL),
        dict(type='Raw', size=48),
    )
    model.init_weights()
    assert model.teacher.sizes.fixed == (48, 48)
    # half as large, as in training: transposed and not 1x1
    assert isinstance(model.distill_losses[0].regressors[0].conv, nn.ConvTranspose2d)
    seen = []
    model.teacher.net.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    batch = toy_batch(model)
    batch['inputs'] = torch.rand(4, 3, size, size)
    assert model(**batch, mode='loss')['loss_fit_net.stage1'] > 0
    assert seen[0].shape == (4, 3, 48, 48)
    assert (size == 48) == torch.equal(seen[0], batch['inputs'])


def test_a_student_of_a_fixed_size():
    model = build([dict(type='StageMSELoss', pairs=[(1, 1)])], dict(type='Raw', size=96))
    batch = toy_batch(model)
    batch['inputs'] = torch.rand(4, 3, 96, 96)
    assert model(**batch, mode='loss')['loss_stage_mse.stage1'] > 0


def test_students_and_teachers_of_different_fixed_sizes():
    model = build(
        [dict(type='StageMSELoss', pairs=[(1, 1)])],
        dict(type='Raw', size=96),
        dict(type='Raw', size=40),
    )
    batch = toy_batch(model)
    batch['inputs'] = torch.rand(4, 3, 96, 96)
    assert model(**batch, mode='loss')['loss_stage_mse.stage1'] > 0


def test_no_size_that_is_named_does():
    teacher = dict(type='Raw', size=50)
    model = MODELS.build(teacher)
    model.backbone.img_size = None
    assert not list(named_sizes(model))
    with pytest.raises(ValueError, match=r"reach the layer 'fc': it ends in ValueError \(Input si"):
        probe(MODELS.build(teacher), [Tap('fc')], torch.zeros(1, 3, 64, 64), None)


def test_how_networks_are_run():
    class Plain(nn.Module):
        def forward(self, pixel_values, head_mask=None, **kwargs):  # Hugging Face's
            return pixel_values, head_mask

    class Passing(nn.Module):
        def forward(self, *args, **kwargs):  # LoRAModel's
            return args, kwargs

    assert run(Plain(), 1, 2) == (1, None)
    assert run(Passing(), 1, 2) == ((1, 2), dict(mode='tensor'))


def test_named_sizes():
    net = nn.Sequential(nn.Identity(), nn.Identity(), nn.Identity(), nn.Identity())
    net[0].img_size = 224
    net[1].image_size = (96, 128)
    net[2].pretrained_cfg = dict(input_size=(3, 336, 336))
    net[3].config = type('Config', (), dict(image_size=384))
    assert list(named_sizes(net)) == [(224, 224), (96, 128), (336, 336), (384, 384)]


@pytest.mark.parametrize('named', [dict(), dict(pad_size_divisor=8), dict(pad_size_divisor=32)])
def test_the_teachers_own_padding(named):
    """A student that pads to nothing, under a neck that wants multiples."""
    preprocessor = dict(pad_value=3, **named)
    model = build(
        [dict(type='PearsonLoss', pairs=[(1, 'top'), (2, 2)])],
        dict(type='Raw'),
        dict(type='Pyramid', data_preprocessor=preprocessor),
    )
    divisor = max(named.get('pad_size_divisor', 8), 8)
    assert model.teacher.sizes.divisor == divisor
    model.init_weights()
    samples = [
        BaseDataElement(metainfo=dict(img_shape=(75, 101), batch_input_shape=(75, 101)), label=i)
        for i in range(2)
    ]
    seen = []
    model.teacher.net.register_forward_pre_hook(
        lambda _, args: seen.append((args[0], [x.batch_input_shape for x in args[1]]))
    )
    inputs = torch.rand(2, 3, 75, 101)
    losses = model(inputs, samples, mode='loss')
    ((images, shapes),) = seen
    assert torch.equal(images[..., :75, :101], inputs)
    size = tuple(-(-side // divisor) * divisor for side in (75, 101))
    assert tuple(images.shape[-2:]) == size and shapes == [size] * 2
    assert images[..., 75:, :].eq(3).all() and images[..., 101:].eq(3).all()
    # the student's data samples stay
    assert samples[0].batch_input_shape == (75, 101)
    # places are compared where they are: padding is cut off
    with torch.no_grad():
        (own, tapped), _ = model.bound[0].taps
        features = model.teacher(inputs, samples, [tapped])
        (top,) = features.maps(tapped, model.bound[0]._layouts[0][1])
    assert top.shape == (2, 5, 19, 26) == (2, 5, *model.backbone(inputs)[1].shape[-2:])
    assert torch.equal(top, features[tapped][0][..., :19, :26])
    assert losses['loss_pearson.stage2'] > 0


def test_needed_divisor():
    net = MODELS.build(dict(type='Pyramid')).eval()
    assert needed_divisor(net, [Tap('top')], 64, 3) == 8
    assert needed_divisor(net, [Tap('backbone', index=0)], 64, 3) == 1  # ends before the neck


def test_padding_of_mmyolos_samples():
    adapt = SizeAdapter(ImgDataPreprocessor(pad_size_divisor=32))
    samples = dict(bboxes_labels=torch.zeros(1, 6), img_metas=[dict(batch_input_shape=(30, 40))])
    images, padded, share = adapt(torch.rand(1, 3, 30, 40), samples)
    assert images.shape == (1, 3, 32, 64) and share == (30 / 32, 40 / 64)
    assert padded['img_metas'] == [dict(batch_input_shape=(32, 64))]
    assert samples['img_metas'] == [dict(batch_input_shape=(30, 40))]


@pytest.mark.parametrize(
    'teacher, layers',
    [
        (dict(type='mmdet.ResNet', depth=18, base_channels=8), (1, 'layer2', 3)),
        (dict(type='INRN', arch=dict(widths=[8, 8, 8, 8], depths=[1, 1, 1, 1])), (1, -1)),
        (dict(type='torchvision.models.resnet18', weights=None), ('layer2', 'layer4')),
    ],
    ids=lambda value: value['type'] if isinstance(value, dict) else '',
)
def test_networks_that_are_no_mm_models(teacher, layers, tmp_path):
    pytest.importorskip(teacher['type'].split('.')[0] if '.' in teacher['type'] else 'torch')
    state = MODELS.build(dict(teacher)).state_dict()
    torch.save(state, tmp_path / 'teacher.pth')
    mean = dict(mean=[1.0, 2.0, 3.0], std=[255.0] * 3)
    for entry in (teacher, dict(a=dict(model=teacher, data_preprocessor=mean))):
        cfg = toy_config(
            [dict(type='StageMSELoss', pairs=[(1, x) for x in layers[:1]] + [
                (2, layers[-1])])])  # yapf: disable
        cfg.update(teacher=copy.deepcopy(entry))
        if 'a' in entry:
            cfg['teacher']['a']['checkpoint'] = str(tmp_path / 'teacher.pth')
        else:
            cfg['teacher_checkpoint'] = str(tmp_path / 'teacher.pth')
        model = MODELS.build(cfg)
        model.init_weights()
        losses = model.train()(**toy_batch(model), mode='loss')
        assert losses['loss_stage_mse.stage2'] > 0
        assert not isinstance(model.teacher.net, BaseModel)
        assert model.teacher.inputs.is_identity == ('a' not in entry)
        assert all(torch.equal(v, state[k]) for k, v in model.teacher.net.state_dict().items())


def test_a_bare_student_is_refused():
    with pytest.raises(ValueError, match='The student INRN is no model that can be trained'):
        build([TWIN], dict(type='INRN'))
