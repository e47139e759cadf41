"""Weights that are found from the ratio of gradients."""

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import MODELS
from test_many_losses import checkpointed
from toys import toy_batch, toy_config

from inrn_mm.distillation.auto_weight import AutoWeight

MSE = 'StageMSELoss'


@pytest.fixture(autouse=True)
def iteration_1():
    """Where no ratios are due."""
    hub = MessageHub.get_current_instance()
    before = hub.runtime_info.copy()
    hub.update_info('iter', 1)
    yield hub
    hub.runtime_info.clear()
    hub.runtime_info.update(before)


def build(weight, pairs=((0, 0), (1, 1)), schedule=None, **kwargs):
    torch.manual_seed(0)
    loss = dict(type=MSE, pairs=list(pairs), weight=weight, schedule=schedule)
    model = MODELS.build(toy_config([loss], **kwargs))
    model.init_weights()
    return model.eval()


def step(model):
    return model(**toy_batch(model), mode='loss')


def test_each_pair_gets_its_share(iteration_1):
    model = build('auto:0.1@3', ratio_interval=5)
    iteration_1.update_info('iter', 5)
    for _ in range(4):  # from the first iteration on, and when it is fixed
        losses = step(model)
        for stage in (0, 1):
            ratio = losses[f'grad_ratio_stage_mse.stage{stage}']
            torch.testing.assert_close(ratio.item(), 0.1, rtol=1e-4, atol=0)
            weight = losses[f'weight_stage_mse.stage{stage}']
            expected = weight * losses[f'raw_stage_mse.stage{stage}']
            torch.testing.assert_close(losses[f'loss_stage_mse.stage{stage}'], expected)
    assert weight != losses['weight_stage_mse.stage0']  # each pair has its own


def test_it_is_the_mean_of_iterations():
    auto = AutoWeight.parse('auto:0.5@3', 1)
    for ratio in (0.1, 1.0, 10.0):
        (tried,) = auto.trial_scales()
        auto.update([tried * 0.5 * ratio], [0.5], ['a'])
    assert auto.scales() == [pytest.approx(1.0)]


def test_batches_that_tell_nothing_do_not_count():
    auto = AutoWeight.parse('auto:0.5@4', 1)
    for ratio in (0.1, float('nan'), 0.0, 0.1):
        (tried,) = auto.trial_scales()
        auto.update([tried * torch.tensor(0.5 * ratio)], [0.5], ['a'])
    assert auto.scales() == [pytest.approx(10.0)]


@pytest.mark.parametrize('size', [1e8, 1e-13])
def test_sizes_beyond_float16_are_found(size):
    """A term whose gradient at a float16 feature is infinite, or zero."""
    model = build('auto:0.1@8', pairs=[(1, 1)])
    loss = model.distill_losses[0]
    terms = loss.forward
    loss.forward = lambda *args: [size * term for term in terms(*args)]
    model.backbone.stages[1].register_forward_hook(lambda _, x, out: out.half())
    model.backbone.stages[2].register_forward_pre_hook(lambda _, x: x[0].float())
    for _ in range(8):
        step(model)
    (scale,) = loss.auto.scales()
    for _ in range(2):
        plain = build('auto:0.1@1', pairs=[(1, 1)])
        step(plain)
    (expected,) = plain.distill_losses[0].auto.scales()
    assert scale * size == pytest.approx(expected, rel=0.05)


def test_a_schedule_is_on_top():
    model = build('auto:0.1@2', pairs=[(1, 1)], schedule=dict(warmup=3))  # at iteration 1: 2/4
    step(model), step(model)
    losses = step(model)
    (scale,) = model.distill_losses[0].auto.scales()
    torch.testing.assert_close(losses['weight_stage_mse.stage1'].item(), 0.5 * 0.1 * scale)
    expected = build('auto:0.1@1', pairs=[(1, 1)])
    step(expected)
    assert scale == pytest.approx(expected.distill_losses[0].auto.scales()[0], rel=1e-4)


def test_nothing_is_measured_once_it_is_fixed(monkeypatch, caplog):
    model = build('auto:0.1@2', ratio_interval=0)
    grad, calls = torch.autograd.grad, []
    monkeypatch.setattr(torch.autograd, 'grad', lambda *a, **k: calls.append(1) or grad(*a, **k))
    with torch.no_grad():
        losses = step(model)  # as when losses are looked at: no iteration
    assert losses['loss_stage_mse.stage0'] == 0 and not calls
    step(model), step(model)
    assert calls
    calls.clear()
    with torch.profiler.profile() as profile:
        step(model)
    assert not calls
    reads = [event for event in profile.events() if event.name == 'aten::_local_scalar_dense']
    plain = build(1.0)
    with torch.profiler.profile() as profile:
        step(plain)
    assert len(reads) == len(
        [event for event in profile.events() if event.name == 'aten::_local_scalar_dense']
    )


def test_it_is_logged_in_a_line(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'inrn_mm.distillation.auto_weight.print_log', lambda text, *args: lines.append(text)
    )
    model = build('auto:0.1@2')
    for _ in range(4):
        step(model)
    (line,) = lines
    assert "for 0.1 of the task's gradient: stage_mse.stage0 " in line


def test_state_is_below_the_losses():
    plain = set(MODELS.build(dict(type='ToyModel')).state_dict())
    model = build('auto:0.1@2')
    added = set(model.state_dict()) - plain
    assert added and all(key.startswith('distill_losses.0.') for key in added)
    assert added - set(build(1.0).state_dict()) == {
        f'distill_losses.0.auto.{name}' for name in ('log_scale', 'seen', 'steps')
    }
    for _ in range(2):
        step(model)
    other = build('auto:0.2@2')
    step(other)  # what it knew of its own state is forgotten
    other.load_state_dict(model.state_dict())
    assert other.distill_losses[0].auto.fixed
    assert other.distill_losses[0].auto.scales() == model.distill_losses[0].auto.scales()


@pytest.mark.parametrize(
    'weight',
    ['auto', 'auto:', 'auto:x', 'auto:0.1@', 'auto:0.1@x', 'auto:0.1@1.5', 'Auto:1', '', '0.5'],
)
def test_strings_that_are_no_weight(weight):
    with pytest.raises(ValueError, match=r"weight must be a number, .* 'auto:0\.1'.* got '"):
        build(weight)


@pytest.mark.parametrize(
    ('weight', 'message'),
    [
        ('auto:0', 'share of an automatic weight must be a finite number above 0'),
        ('auto:-1', 'above 0'),
        ('auto:nan', 'finite'),
        ('auto:0.1@0', 'iterations of an automatic weight must be a whole number of at least 1'),
    ],
)
def test_numbers_that_mean_nothing(weight, message):
    with pytest.raises(ValueError, match=message):
        build(weight)


def test_a_layer_that_the_task_does_not_train():
    model = build('auto:0.1@2')
    model.backbone.stages[0].requires_grad_(False)
    step(model)
    with pytest.raises(ValueError, match=r"'auto:0\.1@2' of stage_mse\.stage0 cannot be found"):
        step(model)


def test_student_with_reentrant_checkpointing():
    model = checkpointed(1, stage=2, weight='auto:0.1')
    with pytest.raises(ValueError, match=r'reentrant way .* give a number, or set with_cp=False'):
        step(model)


def test_under_autocast():
    model = build('auto:0.1@2')
    with torch.autocast('cpu', torch.bfloat16):
        step(model), step(model)
    plain = build('auto:0.1@2')
    step(plain), step(plain)
    found, expected = (m.distill_losses[0].auto.scales() for m in (model, plain))
    assert found == pytest.approx(expected, rel=0.05)
