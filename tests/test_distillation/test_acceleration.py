"""The teacher's options, against the plain float32 path."""

import copy

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn
from toys import toy_batch, toy_config

from inrn_mm.distillation import acceleration

PAIRS = [(0, 0), (1, 1), (2, 2)]


def trained_norms(net):
    """Statistics and scales as training leaves them."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)


def build(pairs=PAIRS, options=None, **kwargs):
    torch.manual_seed(0)
    model = MODELS.build(
        toy_config(
            losses=[dict(type='StageMSELoss', pairs=pairs)], teacher_options=options, **kwargs
        )
    )
    model.init_weights()
    trained_norms(model.teacher.net)
    return model.train()


def distilled(model):
    losses = model(**toy_batch(model), mode='loss')
    return {k: v for k, v in losses.items() if 'stage_mse' in k}


def kinds(net):
    return [type(m).__name__ for m in net.modules()]


@pytest.mark.parametrize('options, on, tolerance', [
    (None, [], 0),
    (dict(fold_bn=False, channels_last=False), [], 0),
    (dict(fold_bn=True), ['fold_bn'], 1e-5),
    (dict(channels_last=True), ['channels_last'], 1e-5),
    (dict(dtype='bfloat16'), ['dtype'], 0.05),
    (dict(compile=dict(backend='eager')), ['compile'], 0),
    (dict(fold_bn=True, channels_last=True, dtype='bfloat16', compile=dict(
        backend='aot_eager')),
     ['fold_bn', 'channels_last', 'dtype', 'compile'], 0.05),
])  # yapf: disable
def test_losses_are_those_of_the_plain_teacher(options, on, tolerance):
    plain = distilled(build())
    model = build(options=options)
    for _ in range(2):  # the first batch is also the one of the gate
        model.backbone.load_state_dict(build().backbone.state_dict())
        losses = distilled(model)
        assert model.teacher.acceleration.active == on
        for name, value in plain.items():
            assert value.dtype == losses[name].dtype == torch.float32
            torch.testing.assert_close(losses[name], value, rtol=tolerance, atol=0)
    sum(losses.values()).backward()
    assert not any(p.requires_grad for p in model.teacher.net.parameters())
    assert not any(m.training for m in model.teacher.net.modules())


def test_folding_leaves_no_norm_to_compute():
    model = build(options=dict(fold_bn=True))
    distilled(model)
    assert 'BatchNorm2d' not in kinds(model.teacher.net)
    assert 'BatchNorm2d' in kinds(model.student)


@pytest.mark.parametrize(
    'layer',
    [
        'backbone.stages.1.0',  # the convolution's output
        'backbone.stages.1.1:input',
        'backbone.stages.1.1',  # the norm's output, overwritten by the ReLU
    ],
)
def test_tapped_layers_are_not_folded(layer):
    pairs = [(1, layer), (2, 2)]
    plain, model = build(pairs), build(pairs, dict(fold_bn=True))
    norms = [model.teacher.net.backbone.stages[i][1] for i in range(3)]
    losses, expected = distilled(model), distilled(plain)
    assert kinds(model.teacher.net).count('BatchNorm2d') == 1
    torch.testing.assert_close(losses, expected)
    kept = model.teacher.net.backbone.stages[1][1]
    torch.testing.assert_close(kept.weight, norms[1].weight)


def test_overhaul_margins_are_those_of_the_unfolded_norms():
    loss = dict(
        type='OverhaulLoss',
        pairs=[(1, 'backbone.stages.1.0')],
        margin_layers=['backbone.stages.1.1'],
    )
    margins = []
    for options in (None, dict(fold_bn=True)):
        torch.manual_seed(0)
        model = MODELS.build(toy_config(losses=[loss], teacher_options=options))
        trained_norms(model.teacher.net)
        model.init_weights()
        model(**toy_batch(model), mode='loss')
        margins.append(model.distill_losses[0].margin0)
    assert margins[0].any()
    assert torch.equal(*margins)


def test_norm_without_parameters_is_left_alone():
    model = build(options=dict(fold_bn=True))
    stage = model.teacher.net.backbone.stages[1]
    stage[1] = nn.BatchNorm2d(12, affine=False).eval()
    plain = copy.deepcopy(model.teacher.net)
    distilled(model)
    assert model.teacher.acceleration.active == ['fold_bn']
    assert kinds(model.teacher.net).count('BatchNorm2d') == 1
    batch = toy_batch(model)['inputs']
    torch.testing.assert_close(model.teacher.net(batch), plain(batch))


def test_option_that_changes_the_features_switches_itself_off(monkeypatch):
    """A convolution that standardises its weights must not be folded."""

    class Standardized(nn.Conv2d):
        def forward(self, x):
            return nn.functional.conv2d(x, self.weight.sign(), self.bias, self.stride, self.padding)

    model = build(options=dict(fold_bn=True, channels_last=True))
    stage = model.teacher.net.backbone.stages[1]
    stage[0] = Standardized(8, 12, 3, 2, 1).requires_grad_(False)
    plain = copy.deepcopy(model.teacher.net)
    said = []
    monkeypatch.setattr(acceleration, 'print_log', lambda text, *_: said.append(text))
    distilled(model)
    assert model.teacher.acceleration.active == ['channels_last']
    assert "teacher's fold_bn is off: the cosine" in said[0]
    assert "teacher's channels_last is on" in said[1]
    assert kinds(model.teacher.net).count('BatchNorm2d') == 3
    batch = toy_batch(model)['inputs']
    torch.testing.assert_close(model.teacher.net(batch), plain(batch))


def test_low_precision_that_fails_the_gate_is_off():
    model = build(options=dict(dtype='bfloat16', min_cosine=1 - 1e-9))
    plain = distilled(build())
    torch.testing.assert_close(distilled(model), plain, rtol=0, atol=0)
    assert not model.teacher.acceleration.active


def test_options_that_do_not_run_are_off(monkeypatch):
    """Such as bfloat16 in a layer that has no kernel for it."""

    def refuse(self, net, taps):
        net.backbone.forward = None
        return net

    monkeypatch.setattr(acceleration.Acceleration, '_channels_last', refuse)
    model = build(options=dict(channels_last=True, fold_bn=True))
    torch.testing.assert_close(distilled(model), distilled(build()))
    assert model.teacher.acceleration.active == ['fold_bn']


def test_features_come_in_the_teachers_type():
    model = build(options=dict(dtype='bfloat16', channels_last=True))
    batch = toy_batch(model)
    taps = [t for _, t in model.bound[0].taps]
    features = model.teacher(**batch, taps=taps)
    # ToyModel's stages end with a ReLU: the convolution's type is kept
    assert {f[0].dtype for f in features.values()} == {torch.bfloat16}
    assert all(f[0].is_contiguous(memory_format=torch.channels_last) for f in features.values())


def test_each_teacher_has_its_own_options():
    cfg = toy_config(
        losses=[
            dict(type='StageMSELoss', pairs=[(i, i)], teacher=name, name=name)
            for i, name in enumerate('ab')
        ]
    )
    net = cfg['teacher']
    cfg['teacher'] = dict(a=dict(model=net), b=dict(model=net, options=dict(fold_bn=True)))
    cfg['teacher_options'] = dict(channels_last=True)
    model = MODELS.build(cfg)
    model(**toy_batch(model), mode='loss')
    active = {k: t.acceleration.active for k, t in model.teachers.items()}
    assert active == dict(a=['channels_last'], b=['fold_bn'])


def test_unknown_type():
    with pytest.raises(ValueError, match="'bfloat16', 'float16' or None"):
        acceleration.Acceleration(dtype='int8')
