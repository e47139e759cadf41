from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from inrn_mm.engine import NonFiniteLossHook


@pytest.fixture
def runner(tmp_path, request):
    return SimpleNamespace(
        work_dir=str(tmp_path),
        iter=6,
        message_hub=MessageHub.get_instance(request.node.name),
        optim_wrapper=object(),
    )


def log(runner, **losses):
    for name, value in losses.items():
        runner.message_hub.update_scalar(f'train/{name}', value)
    return losses


def test_finite_losses_go_on(runner):
    hook = NonFiniteLossHook()
    hook.after_train_iter(runner, 0, None, log(runner, loss=1.0, acc=2.0))


def test_names_iteration_losses_and_last_checkpoint(runner, tmp_path):
    (tmp_path / 'epoch_1.pth').touch()
    outputs = log(runner, loss=float('nan'), loss_cls=1.0, loss_distill=float('inf'))
    with pytest.raises(
        RuntimeError,
        match=r'at iteration 7: loss, loss_distill\. The last good '
        r'checkpoint is .*epoch_1\.pth',
    ):
        NonFiniteLossHook().after_train_iter(runner, 0, None, outputs)


def test_without_checkpoint(runner):
    outputs = log(runner, loss=float('nan'))
    with pytest.raises(RuntimeError, match='No checkpoint had been written'):
        NonFiniteLossHook().after_train_iter(runner, 0, None, outputs)


def test_other_values_may_be_nan(runner):
    outputs = log(runner, loss=1.0, grad_norm=float('nan'))
    NonFiniteLossHook().after_train_iter(runner, 0, None, outputs)


def test_loss_scaler_may_skip_a_step(runner):
    runner.optim_wrapper = SimpleNamespace(loss_scaler=object())
    hook = NonFiniteLossHook()
    for value in (float('inf'), 1.0) * 20:
        hook.after_train_iter(runner, 0, None, log(runner, loss=value))
    with pytest.raises(RuntimeError, match='NaN or infinite'):
        for _ in range(20):
            # fits tell their losses now and then
            hook.after_train_iter(runner, 0, None, {})
            hook.after_train_iter(runner, 0, None, log(runner, loss=float('nan')))


def test_nan_weights_are_not_saved(runner):
    hook = NonFiniteLossHook()
    state = dict(a=torch.ones(2), count=torch.tensor(3))
    hook.before_save_checkpoint(runner, dict(state_dict=state))
    state['b'] = torch.tensor([1.0, float('nan')])
    with pytest.raises(RuntimeError, match=r'1 weights are NaN .*\(b\); no checkpoint'):
        hook.before_save_checkpoint(runner, dict(state_dict=state))


def test_names_the_images_of_the_batch(runner):
    from mmengine.structures import BaseDataElement

    samples = [BaseDataElement(metainfo=dict(img_path=f'{name}.jpg')) for name in 'ab']
    batch = dict(inputs=[], data_samples=[*samples, object()])
    with pytest.raises(RuntimeError, match=r'Its images are a\.jpg, b\.jpg: .*check_dataset\.py'):
        NonFiniteLossHook().after_train_iter(runner, 0, batch, log(runner, loss=float('nan')))
