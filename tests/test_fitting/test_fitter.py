from copy import deepcopy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from inrn_mm.fitting import Signal, SignalFitter, memory
from inrn_mm.fitting.memory import step_memory

SIREN = dict(type='SIREN', width=16, num_layers=1)
PIXEL = dict(type='SingleStageINRN', kind='pixel', levels=4, arch=dict(widths=[8], blocks=2))
FRAME = dict(type='SingleStageINRN', stem_width=8, arch=dict(widths=[6] * 3, blocks=[0, 1, 0]))
HNERV = dict(type='HNeRV', width=8, encoder_width=8)


def video(frames=4, size=(16, 24), seed=0):
    """A smooth gradient that moves."""
    y, x = np.mgrid[: size[0], : size[1]] / size[1]
    return Signal.from_array(
        np.stack(
            [
                np.stack([(np.sin(5 * (a + 0.1 * i)) + 1) * 127 for a in (x, y, x + y)], -1)
                for i in range(frames)
            ]
        ).astype(np.uint8)
    )


def numbers(*items):
    return torch.tensor(items)


@pytest.mark.parametrize('net', [SIREN, PIXEL, FRAME, HNERV])
def test_crops_and_chunks_are_parts_of_the_frame(net):
    fitter = SignalFitter(net, video())
    fitter(numbers(0, 1, 2, 3), mode='predict')
    (whole,) = fitter.decode([2])
    assert whole.shape == (3, 16, 24)
    assert whole.min() >= 0 and whole.max() <= 1
    (part,) = fitter.decode([2], crop=(3, 4, 8, 9), chunk=64)
    torch.testing.assert_close(part, whole[:, 3:11, 4:13])
    (chunked,) = fitter.decode([2], chunk=64)
    torch.testing.assert_close(chunked, whole)


@pytest.mark.parametrize('net', [SIREN, PIXEL])
def test_other_sizes_are_the_same_function(net):
    """Every third pixel of three times the size is a pixel of the frame."""
    fitter = SignalFitter(net, video(1))
    (whole,) = fitter.decode()
    (larger,) = fitter.decode(size=(48, 72))
    torch.testing.assert_close(larger[:, 1::3, 1::3], whole)
    (part,) = fitter.decode(size=(48, 72), crop=(5, 7, 20, 31))
    torch.testing.assert_close(part, larger[:, 5:25, 7:38])


@pytest.mark.parametrize('net', [SIREN, PIXEL, FRAME])
def test_any_size_and_times_between_frames(net):
    fitter = SignalFitter(net, video())
    a, b = fitter.decode([1, 1.5], size=(21, 30))
    assert a.shape == b.shape == (3, 21, 30)
    assert not torch.equal(a, b)
    (part,) = fitter.decode([1], size=(21, 30), crop=(2, 3, 5, 6))
    torch.testing.assert_close(part, a[:, 2:7, 3:9])


def test_tiles_are_windows_of_the_frame():
    fitter = SignalFitter(PIXEL, video(), tile=8)
    assert fitter.num_items == 4 * 3 * 5
    seen = torch.zeros(4, 16, 24)
    frames = fitter(numbers(0, 1, 2, 3), mode='tensor')
    for item in range(fitter.num_items):
        frame = item // len(fitter.corners)
        rows, columns = fitter._window(numbers(item % len(fitter.corners)))
        seen[frame, rows[0, :, None], columns[0]] = 1
    assert seen.all()
    # what a tile is trained on is what is decoded there
    target = fitter._target(numbers(3), rows, columns)
    assert torch.equal(target, fitter._target(numbers(3))[:, :, 8:, 16:])
    loss = fitter(numbers(fitter.num_items - 1), mode='loss')
    expected = fitter.loss(frames[3:, :, 8:, 16:], target)
    for name, value in expected.items():
        torch.testing.assert_close(loss[name], value)


def test_predictions_are_on_the_levels_of_the_signal():
    fitter = SignalFitter(FRAME, video())
    (sample,) = fitter(numbers(1), mode='predict')
    levels = sample['pred'] * 255
    torch.testing.assert_close(levels, levels.round())
    np.testing.assert_array_equal(
        fitter.to_pixels(sample['pred']), levels.round().permute(1, 2, 0).detach().numpy()
    )
    assert torch.equal(sample['gt'], fitter._target(numbers(1))[0])
    assert sample['frame'] == 1
    deep = SignalFitter(SIREN, Signal.from_array(np.full((4, 4), 40000, np.uint16)))
    assert deep.to_pixels(torch.full((1, 4, 4), 0.5)).dtype == np.uint16


def test_checkpoint_has_no_target_and_decodes_without():
    fitter = SignalFitter(HNERV, video())
    fitter(numbers(0, 1, 2, 3), mode='predict')
    assert not any('target' in name for name in fitter.state_dict())
    other = SignalFitter(HNERV, dict(shape=(4, 16, 24, 3)))
    other.load_state_dict(fitter.state_dict())
    torch.testing.assert_close([*other.decode([0.5])], [*fitter.decode([0.5])])
    with pytest.raises(ValueError, match='built without its target'):
        other(numbers(0), mode='loss')


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(frames=[4]), 'no frame 4: the signal has 4'),
        (dict(crop=(0, 0, 17, 4)), 'not inside 16 x 24'),
        (dict(size=(0, 4)), 'size is a height and a width'),
    ],
)
def test_decoding_what_is_not_there(arguments, message):
    with pytest.raises(ValueError, match=message):
        next(SignalFitter(SIREN, video()).decode(**arguments))


def test_tiles_of_frame_networks():
    with pytest.raises(ValueError, match='makes whole frames'):
        SignalFitter(FRAME, video(), tile=8)


def test_memory_is_that_of_the_saved_tensors(monkeypatch):
    """Doubling the pixels doubles it; too much is refused."""
    small = SignalFitter(PIXEL, video(1, (32, 32)))
    large = SignalFitter(PIXEL, video(1, (32, 64)))
    ratio = step_memory(large, 1) / step_memory(small, 1)
    assert 1.7 < ratio < 2.1
    # a layer's output of 8 channels in float32, and more than a few of them
    assert step_memory(small, 1) > 10 * 32 * 32 * 8 * 4
    monkeypatch.setattr(memory, 'free_memory', lambda device: 2**10)
    with pytest.raises(MemoryError, match='train on tiles .*model.tile=256'):
        small.check_memory(1)
    with pytest.raises(MemoryError, match='smaller tiles .*model.tile=4'):
        SignalFitter(PIXEL, video(1), tile=8).check_memory(1)
    with pytest.raises(MemoryError, match='give a smaller --size'):
        SignalFitter(FRAME, video()).check_memory(1)


def config(tmp_path, net=FRAME, **train):
    frames = tmp_path / 'frames'
    frames.mkdir(parents=True)
    for i, frame in enumerate(video().array()):
        Image.fromarray(frame).save(frames / f'{i}.png')
    cfg = Config.fromfile('configs/fitting/inrn_video.py')
    cfg.work_dir = str(tmp_path)
    del cfg.model.net  # update merges
    cfg.model.update(net=net, signal=dict(path=str(frames)), log_interval=4)
    cfg.optim_wrapper.optimizer.lr = 0.01
    cfg.train_cfg.update(train or dict(max_epochs=6, val_interval=2))
    cfg.default_hooks.checkpoint.interval = 12
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    cfg.experiment_name = tmp_path.name
    return cfg


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


@pytest.mark.smoke
def test_training_by_the_runner_and_exact_resume(tmp_path):
    runner = Runner.from_cfg(config(tmp_path / 'a'))
    runner.train()
    log = runner.message_hub.log_scalars
    psnr = log['val/psnr'].data[0]
    assert runner.iter == 24 and len(psnr) == 3
    assert psnr[-1] > psnr[0]
    # losses are read every fourth step
    assert len(log['train/loss'].data[0]) == 6
    assert log['val/encode_seconds'].current() > 0
    assert runner.optim_wrapper.get_lr()['lr'][0] < 1e-6

    cfg = config(tmp_path / 'b')
    cfg.load_from, cfg.resume = str(tmp_path / 'a' / 'iter_12.pth'), True
    resumed = Runner.from_cfg(cfg)
    resumed.train()
    assert resumed.iter == 24
    for a, b in zip(runner.model.parameters(), resumed.model.parameters()):
        assert torch.equal(a, b)


def test_training_in_bfloat16_is_as_good(tmp_path):
    psnr = []
    amp = dict(type='CPUAmpOptimWrapper')
    if torch.cuda.is_available():
        amp = dict(type='AmpOptimWrapper', dtype='bfloat16')
    for name, wrapper in (('float', {}), ('bfloat', amp)):
        cfg = config(tmp_path / name, max_epochs=12, val_interval=12)
        cfg.optim_wrapper.update(wrapper)
        runner = Runner.from_cfg(cfg)
        dtypes = set()
        runner.model.net.register_forward_hook(lambda net, args, out: dtypes.add(out.dtype))
        runner.train()
        assert (torch.bfloat16 in dtypes) == (name == 'bfloat')
        psnr.append(runner.message_hub.get_scalar('val/psnr').current())
    assert psnr[1] == pytest.approx(psnr[0], abs=0.5)


def test_ssim_is_exact_in_mixed_precision():
    """Of the one frame, whose moments are kept."""
    fitter = SignalFitter(SIREN, video(1), loss=dict(type='FittingLoss', alpha=0.0))
    with torch.autocast('cpu', torch.bfloat16):
        target = fitter._target(numbers(0))
        loss = fitter.loss(target, target, fitter._target_moments(target))
    assert abs(loss['loss_ssim'].item()) < 1e-5


def test_compiled_training_is_the_same():
    torch.manual_seed(0)
    fitter = SignalFitter(FRAME, video())
    compiled = SignalFitter(FRAME, video(), compile=dict(backend='aot_eager', fullgraph=True))
    # what is saved has the plain network's names
    compiled.load_state_dict(fitter.state_dict())
    losses = []
    for model in (fitter, compiled):
        loss = sum(model(numbers(0, 2), mode='loss').values())
        loss.backward()
        losses.append(loss)
    torch.testing.assert_close(*losses)
    for a, b in zip(fitter.parameters(), compiled.parameters()):
        torch.testing.assert_close(a.grad, b.grad)


def test_schedule_follows_the_time(tmp_path):
    cfg = config(tmp_path)
    cfg.default_hooks.param_scheduler.max_seconds = 0.5
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    runner = Runner.from_cfg(cfg)
    runner.train()
    seconds = runner.message_hub.get_info('encode_seconds')
    assert 0.5 <= seconds < 2
    assert runner.iter == runner.max_iters != 24
    assert runner.optim_wrapper.get_lr()['lr'][0] < 1e-4
    assert (tmp_path / f'iter_{runner.iter}.pth').is_file()


def test_training_ends_at_a_quality(tmp_path):
    cfg = config(tmp_path)
    cfg.default_hooks.param_scheduler.target_psnr = 1.0
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 9  # one step after the first evaluation
    assert (tmp_path / 'iter_9.pth').is_file()


def test_hnerv_and_tiles_train(tmp_path):
    for name, net, more in (('hnerv', HNERV, {}), ('pixel', PIXEL, dict(tile=8))):
        cfg = config(tmp_path / name, net, max_epochs=1, val_interval=1)
        cfg.model.update(more)
        cfg.train_dataloader.batch_size = 2
        runner = Runner.from_cfg(cfg)
        before = deepcopy(runner.model.state_dict())
        runner.train()
        assert runner.iter == runner.model.num_items // 2
        assert any(
            not torch.equal(before[name], value)
            for name, value in runner.model.state_dict().items()
        )


def test_length_is_given_once(tmp_path):
    cfg = config(tmp_path, max_epochs=1, max_iters=3)
    with pytest.raises(ValueError, match='max_epochs or max_iters, one'):
        Runner.from_cfg(cfg).train()
    with pytest.raises(ValueError, match='at least one step, not -5'):
        Runner.from_cfg(config(tmp_path / 'none', max_epochs=-5)).train()


def test_limits_are_positive():
    from inrn_mm.fitting import BudgetHook

    with pytest.raises(ValueError, match='max_seconds must be positive'):
        BudgetHook(max_seconds=0)
    with pytest.raises(ValueError, match="'wall' or 'cpu'"):
        BudgetHook(clock='sun')
