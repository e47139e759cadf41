"""The rules of the distillation wrapper, on small networks."""

import copy
import gc
import weakref

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import MODELS
from mmengine.runner import load_checkpoint, save_checkpoint
from torch import nn
from toys import toy_batch, toy_config


def build(**kwargs):
    torch.manual_seed(0)
    model = MODELS.build(toy_config(**kwargs))
    model.init_weights()
    return model.train()


def total(losses):
    return sum(v for k, v in losses.items() if 'loss' in k)


def train_steps(model, steps=3):
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    for _ in range(steps):
        batch = toy_batch(model)
        optim.update_params(total(model(**batch, mode='loss')))


@pytest.fixture
def at_iteration():
    """Pretend that a runner is at an iteration."""
    hub = MessageHub.get_current_instance()
    old = dict(hub.runtime_info)
    yield lambda i: hub.update_info('iter', i)
    hub.runtime_info.clear()
    hub.runtime_info.update(old)


def test_loss_is_equation_3():
    model = build()
    losses = model(**toy_batch(model), mode='loss')
    batch = toy_batch(model)
    with torch.no_grad():
        teacher = model.teacher.net.backbone(batch['inputs'])
        student = model.student.backbone(batch['inputs'])
    for i in range(3):
        align = model.distill_losses[0].align[i].conv
        aligned = nn.functional.conv2d(student[i], align.weight, align.bias)
        expected = (aligned - teacher[i]).square().mean()
        torch.testing.assert_close(losses[f'loss_stage_mse.stage{i}'], expected)
    assert set(losses) == {'loss_cls', *(f'loss_stage_mse.stage{i}' for i in range(3))}


def test_teacher_is_unchanged_by_training():
    """Parameters and norm statistics, also after ``train()``."""
    model = build(teacher=dict(dropout=0.5))
    before = copy.deepcopy(model.teacher.net.state_dict())
    model.train()
    train_steps(model)
    after = model.teacher.net.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert not any(p.requires_grad or p.grad is not None for p in model.teacher.net.parameters())


def test_dropout_and_drop_path_of_the_teacher_are_off():
    model = build(teacher=dict(dropout=0.5)).train()
    batch = toy_batch(model)
    taps = [pair[1] for pair in model.bound[0].taps]
    first, second = (model.teacher(**batch, taps=taps) for _ in range(2))
    for tap in taps:
        assert torch.equal(first[tap][0], second[tap][0])
        assert not first[tap][0].requires_grad
    assert not any(m.training for m in model.teacher.net.modules())


def test_teacher_is_nobodys_child():
    model = build()
    names = [name for name, _ in model.named_parameters()]
    student = [name for name, _ in model.student.named_parameters()]
    assert names == student  # one set of modules, two views
    teacher = set(map(id, model.teacher.net.parameters()))
    assert not teacher & set(map(id, model.parameters()))
    assert not any('teacher' in key for key in model.state_dict())
    optim = build_optim_wrapper(model, dict(optimizer=dict(type='SGD', lr=0.1)))
    grouped = [p for g in optim.param_groups for p in g['params']]
    assert not teacher & set(map(id, grouped))


def test_ema_shares_the_teacher():
    model = build()
    ema = ExponentialMovingAverage(model).module
    assert ema.teacher is model.teacher
    assert ema.student is not model.student
    # the copy is consistent: its student is the modules that are averaged
    assert ema.student.backbone is ema.backbone is not model.backbone
    assert set(ema.state_dict()) == set(model.state_dict())


def test_checkpoint_loads_into_the_plain_student(tmp_path):
    model = build()
    train_steps(model)
    path = str(tmp_path / 'model.pth')
    save_checkpoint(dict(state_dict=model.state_dict()), path)
    plain = MODELS.build(dict(type='ToyModel'))
    state = torch.load(path, weights_only=True)['state_dict']
    result = plain.load_state_dict(state, strict=False)
    assert result.missing_keys == []
    assert all(k.startswith('distill_losses.') for k in result.unexpected_keys)
    batch = toy_batch(model)
    model.eval(), plain.eval()
    torch.testing.assert_close(plain(batch['inputs']), model(batch['inputs']))
    # and a plain checkpoint into the distilled config
    plain_path = str(tmp_path / 'plain.pth')
    nn.init.constant_(plain.fc.bias, 0.5)
    save_checkpoint(dict(state_dict=plain.state_dict()), plain_path)
    load_checkpoint(model, plain_path)
    assert model.student.fc.bias.eq(0.5).all()


def test_prediction_is_the_student_alone():
    model = build().eval()
    model.teachers = None
    model.distill_losses.forward = None
    batch = toy_batch(model)
    out = model(**batch, mode='predict')
    torch.testing.assert_close(torch.stack([s.scores for s in out]), model.student(batch['inputs']))
    assert torch.equal(model(batch['inputs']), model.student(batch['inputs']))


def test_testing_needs_no_teacher_weights():
    """They are read when training begins."""
    cfg = toy_config()
    cfg.update(allow_random_teacher=False, teacher_checkpoint='nowhere/teacher.pth')
    model = MODELS.build(cfg).eval()
    model.test_step(
        dict(inputs=[torch.rand(3, 32, 32)], data_samples=toy_batch(model, 1)['data_samples'])
    )
    with pytest.raises(FileNotFoundError, match='nowhere/teacher.pth'):
        model.init_weights()


def test_no_weights_for_the_teacher():
    cfg = toy_config()
    cfg['allow_random_teacher'] = False
    with pytest.raises(ValueError, match='set teacher_checkpoint'):
        MODELS.build(cfg).init_weights()


def test_teacher_weights_are_those_of_the_checkpoint(tmp_path):
    teacher = MODELS.build(dict(type='ToyModel', widths=(8, 12, 16)))
    nn.init.constant_(teacher.fc.bias, 0.25)
    save_checkpoint(dict(state_dict=teacher.state_dict()), str(tmp_path / 't.pth'))
    model = build(teacher_checkpoint=str(tmp_path / 't.pth'))
    for key, value in teacher.state_dict().items():
        assert torch.equal(model.teacher.net.state_dict()[key], value), key
    # the student's weights are not touched by it
    assert not model.student.fc.bias.eq(0.25).any()


def test_checkpoint_of_another_network(tmp_path):
    other = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    save_checkpoint(dict(state_dict=other.state_dict()), str(tmp_path / 'other.pth'))
    with pytest.raises(ValueError, match='another architecture'):
        build(teacher_checkpoint=str(tmp_path / 'other.pth'))


def test_teacher_stops_at_the_deepest_layer():
    model = build(losses=[dict(type='StageMSELoss', pairs=[(1, 1)])])
    net = model.teacher.net
    net.neck.forward = net.fc.forward = None  # would fail if called
    model(**toy_batch(model), mode='loss')
    with pytest.raises(TypeError):
        net(toy_batch(model)['inputs'])


def test_no_teacher_work_while_all_weights_are_zero(at_iteration):
    schedule = dict(stop=5)
    model = build(losses=[dict(type='StageMSELoss', pairs=[(0, 0), (2, 2)], schedule=schedule)])
    at_iteration(4)
    losses = model(**toy_batch(model), mode='loss')
    assert losses['loss_stage_mse.stage0'] > 0
    at_iteration(5)
    model.teacher.net.forward = None  # would fail if called
    losses = model(**toy_batch(model), mode='loss')
    assert losses['loss_stage_mse.stage0'] == 0
    total(losses).backward()
    # DDP waits for a gradient of every parameter
    assert all(p.grad is not None for p in model.parameters())
    assert all(p.grad.eq(0).all() for p in model.distill_losses.parameters())


def test_zero_weight_is_the_plain_run():
    """Same seed, same weights: the teacher takes no random numbers."""
    model = build(losses=[dict(type='StageMSELoss', pairs=[(0, 0)], weight=0.0)])
    after_model = torch.rand(1)
    torch.manual_seed(0)
    plain = MODELS.build(dict(type='ToyModel'))
    plain.init_weights()
    assert torch.equal(torch.rand(1), after_model)
    train_steps(model)
    train_steps(plain.train())
    for key, value in plain.state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key


def test_weights_and_schedule(at_iteration):
    losses = [
        dict(
            type='StageMSELoss', pairs=[(0, 0), (1, 1)], weight=[2.0, 0.5], schedule=dict(warmup=1)
        )
    ]
    model = build(losses=losses)
    batch = toy_batch(model)
    model.eval()  # the same norm statistics each time
    values = []
    for i in (0, 1):
        at_iteration(i)
        values.append(model(**batch, mode='loss'))
    plain = build().eval()(**batch, mode='loss')
    for i, weight in enumerate((2.0, 0.5)):
        name = f'loss_stage_mse.stage{i}'
        torch.testing.assert_close(values[0][name] * 2, values[1][name])
        torch.testing.assert_close(values[1][name], weight * plain[name])


def test_normalized_targets_have_unit_scale():
    losses = [dict(type='StageMSELoss', pairs=[(0, 0)], normalize=True)]
    model = build(losses=losses)
    nn.init.zeros_(model.distill_losses[0].align[0].conv.weight)
    value = model(**toy_batch(model), mode='loss')['loss_stage_mse.stage0']
    torch.testing.assert_close(value, torch.ones(()), atol=1e-3, rtol=0)


def test_features_are_released_after_the_loss():
    model = build()
    seen = []
    hooks = [
        net.backbone.stages[i].register_forward_hook(
            lambda m, a, out: seen.append(weakref.ref(out)) or None
        )
        for net in (model.teacher.net, model.student)
        for i in range(3)
    ]
    total(model(**toy_batch(model), mode='loss')).backward()
    for hook in hooks:
        hook.remove()
    gc.collect()
    assert len(seen) == 6
    assert all(ref() is None for ref in seen)


@pytest.mark.parametrize(
    'cast',
    [lambda m: m.double(), lambda m: m.to(torch.bfloat16), lambda m: nn.Sequential(m).double()],
)
def test_teacher_follows_the_model(cast):
    model = build()
    batch = toy_batch(model)
    model(**batch, mode='loss')  # it is loaded
    cast(model)
    (dtype,) = {p.dtype for p in model.parameters()}
    assert dtype != torch.float32
    batch['inputs'] = batch['inputs'].to(dtype)
    model(**batch, mode='loss')
    assert {p.dtype for p in model.teacher.net.parameters()} == {dtype}


def test_a_copy_that_moves_leaves_the_teacher():
    """As mmengine's EMA on another device."""
    model = build()
    batch = toy_batch(model)
    before = model(**batch, mode='loss')
    copy.deepcopy(model).double()
    after = model(**batch, mode='loss')
    torch.testing.assert_close(before, after)


def test_teacher_sees_its_own_normalisation():
    """Other mean, standard deviation and channel order than the student."""
    mean, std = [10.0, 20.0, 30.0], [30.0, 20.0, 10.0]
    model = build(teacher=dict(mean=mean, std=std, bgr_to_rgb=True))
    calls = []
    model.teacher.net.register_forward_pre_hook(lambda _, args: calls.append(args[0]))
    model(**toy_batch(model), mode='loss')
    expected = toy_batch(model.teacher.net)['inputs']
    torch.testing.assert_close(calls[0], expected)


def test_bf16_autocast_keeps_the_loss_in_float32():
    model = build()
    batch = toy_batch(model)
    with torch.autocast('cpu', torch.bfloat16):
        losses = model(**batch, mode='loss')
    assert losses['loss_stage_mse.stage0'].dtype == torch.float32
    reference = model(**batch, mode='loss')
    for name in losses:
        torch.testing.assert_close(
            losses[name], reference[name], rtol=0.05, atol=0.02, check_dtype=False
        )


def test_overwritten_layers_are_cloned():
    """A norm's output, which an in-place ReLU overwrites."""
    layer = 'backbone.stages.1.1'
    model = build(losses=[dict(type='StageMSELoss', pairs=[(layer, layer)])])
    assert model.teacher.clone and model._clone
    batch = toy_batch(model)
    loss = model(**batch, mode='loss')[f'loss_stage_mse.{layer}']
    with torch.no_grad():
        features = []
        for net in (model.student, model.teacher.net):
            x = net.backbone.stages[0](batch['inputs'])
            features.append(net.backbone.stages[1][:2](x))
        align = model.distill_losses[0].align[0].conv
        expected = (align(features[0]) - features[1]).square().mean()
    torch.testing.assert_close(loss, expected)


def test_sizes_are_aligned():
    """A student's stage of another size than the teacher's."""
    model = build(losses=[dict(type='StageMSELoss', pairs=[(0, 1), (2, 1)])])
    losses = model(**toy_batch(model), mode='loss')
    total(losses).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_vectors_are_aligned_by_a_linear_layer():
    model = build(losses=[dict(type='StageMSELoss', pairs=[('fc:input', 'fc:input')])])
    assert isinstance(model.distill_losses[0].align[0].conv, nn.Linear)
    losses = model(**toy_batch(model), mode='loss')
    assert losses['loss_stage_mse.fc:input'] > 0
