"""Distilled training under mmengine's Runner."""

import os
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner
from toys import toy_batch, toy_config

SCHEDULED = [
    dict(type='StageMSELoss', pairs=[(0, 0), (2, 2)], schedule=dict(warmup=3, decay=(3, 8)))
]


def run(work_dir, epochs=2, losses=SCHEDULED, **kwargs):
    cfg = dict(
        model=toy_config(losses, teacher=dict(dropout=0.3)),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='pseudo_collate'),
            dataset=dict(type='ToyDataset'),
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        randomness=dict(seed=1),
        log_level='WARNING',
        experiment_name=f'{work_dir.name}-{epochs}',
    )
    # the random teacher is the same in every run
    torch.manual_seed(5)
    runner = Runner.from_cfg(Config({**cfg, **kwargs}))
    with torch.random.fork_rng():
        torch.manual_seed(6)
        for p in runner.model.teacher.net.parameters():
            torch.nn.init.normal_(p, std=0.3)
    runner.train()
    return runner


@pytest.mark.smoke
def test_resume_equals_an_uninterrupted_run(tmp_path):
    # weights that are found before the interruption, and after it
    losses = [
        *SCHEDULED,
        *(dict(SCHEDULED[0], name=f'a{n}', weight=f'auto:0.1@{n}') for n in (2, 6)),
    ]
    full = run(tmp_path / 'full', 3, losses)
    run(tmp_path / 'half', 1, losses)
    resumed = run(tmp_path / 'half', 3, losses, resume=True)
    assert resumed.iter == full.iter == 12
    assert resumed.model.distill_losses[1].auto.fixed and resumed.model.distill_losses[2].auto.fixed
    assert 'train/weight_a2.stage0' in full.message_hub.log_scalars
    for key, value in full.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key
    assert any(k.startswith('distill_losses.') for k in full.model.state_dict())


def test_schedule_in_epochs_under_a_loop_of_iterations(tmp_path):
    losses = [dict(type='StageMSELoss', pairs=[(0, 0)], schedule=dict(stop=2, by_epoch=True))]
    with pytest.raises(ValueError, match='IterBasedTrainLoop stays in epoch'):
        run(tmp_path, 1, losses, train_cfg=dict(by_epoch=False, max_iters=9))


@pytest.mark.smoke
def test_no_teacher_in_the_saved_file(tmp_path):
    runner = run(tmp_path, 1)
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    assert set(saved['state_dict']) == set(runner.model.state_dict())
    student = sum(p.numel() for p in runner.model.parameters())
    stored = sum(v.numel() for v in saved['state_dict'].values()) - sum(
        b.numel() for b in runner.model.student.buffers() if b.dim() < 3
    )
    assert stored == student
    logged = runner.message_hub.log_scalars
    assert {'train/loss_stage_mse.stage0', 'train/loss_stage_mse.stage2'} <= set(logged)


def test_ema_and_gradient_accumulation(tmp_path):
    runner = run(
        tmp_path,
        1,
        [dict(type='StageMSELoss', pairs=[(0, 0)], weight='auto:0.1@3')],
        custom_hooks=[dict(type='EMAHook', momentum=0.5)],
        optim_wrapper=dict(accumulative_counts=2, optimizer=dict(type='SGD', lr=0.05)),
    )
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    assert not any('teacher' in k for k in saved['ema_state_dict'])
    (auto,) = (loss.auto for loss in runner.model.distill_losses)
    assert auto.fixed and torch.equal(
        saved['state_dict']['distill_losses.0.auto.log_scale'], auto.log_scale
    )
    # the averaged weights are the ones to deploy
    plain = MODELS.build(dict(type='ToyModel'))
    assert plain.load_state_dict(saved['state_dict'], strict=False).missing_keys == []
    assert not torch.equal(saved['state_dict']['fc.weight'], runner.model.fc.weight)


# no schedule: what a runner left behind in this process would count
CONSTANT = [dict(type='StageMSELoss', pairs=[(0, 0), (2, 2)])]


def _find_weight(rank):
    """Ranks with other images find the same weight."""
    model = MODELS.build(
        toy_config([dict(type='StageMSELoss', pairs=[(1, 1)], weight='auto:0.1@2')])
    )
    model.init_weights()
    half = slice(2 * rank, 2 * rank + 2)
    batch = {name: value[half] for name, value in toy_batch(model).items()}
    for _ in range(3):
        model(**batch, mode='loss')
    (scale,) = model.distill_losses[0].auto.scales()
    both = [None, None]
    dist.all_gather_object(both, scale)
    assert both[0] == both[1] > 0


def _gradients(rank, port, path):
    """One training step of a rank on its half of the batch."""
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    dist.init_process_group('gloo', rank=rank, world_size=2)
    torch.manual_seed(0)
    losses = CONSTANT + [dict(type='StageMSELoss', pairs=[(1, 1)], weight=0.0, name='idle')]
    model = MODELS.build(toy_config(losses))
    model.init_weights()
    model.eval()  # norms of half a batch differ from those of the whole
    batch = toy_batch(model)
    half = slice(2 * rank, 2 * rank + 2)
    ddp = MMDistributedDataParallel(model, find_unused_parameters=False)
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0))
    for _ in range(2):  # a parameter left out would fail the second step
        optim.zero_grad()
        out = ddp(
            inputs=batch['inputs'][half], data_samples=batch['data_samples'][half], mode='loss'
        )
        sum(out.values()).backward()
    _find_weight(rank)
    if rank == 0:
        torch.save({n: p.grad for n, p in model.named_parameters()}, path)
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_gloo_available(), reason='this torch has no gloo')
def test_two_ranks_have_the_gradient_of_one(tmp_path):
    """Under DDP without ``find_unused_parameters``."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    path = str(tmp_path / 'grads.pth')
    # a fork would inherit OpenMP's locks but not its threads, and hang
    mp.start_processes(_gradients, (port, path), nprocs=2, start_method='spawn')
    torch.manual_seed(0)
    model = MODELS.build(toy_config(CONSTANT))
    model.init_weights()
    sum(model.eval()(**toy_batch(model), mode='loss').values()).backward()
    grads = torch.load(path, weights_only=True)
    for name, p in model.named_parameters():
        torch.testing.assert_close(grads[name], p.grad, msg=name)
