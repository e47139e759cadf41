"""Trainings that begin with a file of another training."""

import logging

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import Runner
from toys import ToyModel, toy_config

PLAIN = dict(type='ToyModel')
WIDE = dict(type='ToyModel', widths=(8, 12, 16))
SGD = dict(type='SGD', lr=0.01)


def run(work_dir, model=PLAIN, optimizer=SGD, schedules=1, load_from=None, resume=False, **hook):
    runner = Runner.from_cfg(
        Config(
            dict(
                model=model,
                work_dir=str(work_dir),
                train_dataloader=dict(
                    batch_size=2,
                    num_workers=0,
                    sampler=dict(type='DefaultSampler', shuffle=True),
                    collate_fn=dict(type='pseudo_collate'),
                    dataset=dict(type='ToyDataset'),
                ),
                optim_wrapper=dict(optimizer=optimizer),
                param_scheduler=[dict(type='ConstantLR', factor=1.0)] * schedules,
                train_cfg=dict(by_epoch=True, max_epochs=1 + resume),
                default_hooks=dict(
                    checkpoint=dict(type='AtomicCheckpointHook', interval=1, **hook)
                ),
                custom_hooks=[
                    dict(type='CheckpointFitHook'),
                    dict(type='TeacherCheckHook', num_batches=0),
                ],
                load_from=load_from and str(load_from),
                resume=resume,
                log_level='WARNING',
                experiment_name=str(work_dir).replace('/', '-')[-60:],
            )
        )
    )
    runner.train()
    return runner


@pytest.fixture(scope='module')
def teachers(tmp_path_factory):
    folder = tmp_path_factory.mktemp('teachers')
    for number in range(2):
        torch.save(MODELS.build(WIDE).state_dict(), folder / f'{number}.pth')
    return folder


def distilled(teacher):
    """Its loss has no weights, so that the file has the same names."""
    losses = [dict(type='LogitKDLoss', pairs=[('fc', 'fc')])]
    return toy_config(losses, teacher_checkpoint=str(teacher))


@pytest.fixture(scope='module')
def plain_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('plain')
    run(folder)
    return folder / 'epoch_1.pth'


def test_weights_of_another_network(tmp_path, caplog):
    torch.save({f'module.net.{k}': v for k, v in ToyModel().state_dict().items()}, tmp_path / 'a')
    with pytest.raises(ValueError, match=r'load_from=.* is of another network.*Pretrained'):
        run(tmp_path / 'run', load_from=tmp_path / 'a')


def test_weights_of_a_part_are_enough(tmp_path, monkeypatch):
    """As in every fine-tuning: a head of other classes, a backbone alone."""
    state = ToyModel().state_dict()
    first = next(iter(state))
    torch.save({first: state[first] + 1}, tmp_path / 'a.pth')
    said = []
    monkeypatch.setattr(
        'inrn_mm.engine.hooks.checkpoint_fit_hook.print_log',
        lambda message, _, level: said.append((message, level)),
    )
    run(tmp_path / 'run', load_from=tmp_path / 'a.pth')
    assert 'they keep their initial values' in said[0][0] and said[0][1] == logging.WARNING


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(model=WIDE), 'another architecture'),
        (dict(optimizer=dict(type='AdamW', lr=0.01)), 'another optimizer .*momentum, not betas'),
        (dict(schedules=2), '1 schedules, not 2'),
    ],
)
def test_resuming_another_training(plain_run, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run(tmp_path, load_from=plain_run, resume=True, **options)


def test_resuming_the_same_training(plain_run, tmp_path):
    assert run(tmp_path, load_from=plain_run, resume=True).epoch == 2


def test_plain_and_distilled(plain_run, teachers, tmp_path):
    model = distilled(teachers / '0.pth')
    with pytest.raises(ValueError, match='of a plain training and the config is of a distilled'):
        run(tmp_path / 'a', model, load_from=plain_run, resume=True)
    run(tmp_path / 'b', model)
    with pytest.raises(ValueError, match='of a distilled training and the config is of a plain'):
        run(tmp_path / 'c', load_from=tmp_path / 'b' / 'epoch_1.pth', resume=True)


def test_another_teacher_is_noticed(teachers, tmp_path):
    run(tmp_path, distilled(teachers / '0.pth'))
    path = tmp_path / 'epoch_1.pth'
    with pytest.raises(ValueError, match=r'another than the training began with: .*1\.pth'):
        run(tmp_path, distilled(teachers / '1.pth'), load_from=path, resume=True)
    # the same weights in another file are the same teacher
    content = torch.load(teachers / '0.pth')
    torch.save(dict(state_dict=content, meta={}), tmp_path / 'copy.pth')
    run(tmp_path, distilled(tmp_path / 'copy.pth'), load_from=path, resume=True)


@pytest.mark.parametrize('part', ['meta', 'message_hub', 'optimizer', 'param_schedulers'])
def test_files_of_which_a_part_is_gone(plain_run, tmp_path, part):
    content = torch.load(plain_run, weights_only=False)
    del content[part]
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=f'has no {part}, so .*load_from={tmp_path}'):
        run(tmp_path / 'run', load_from=tmp_path / 'a.pth', resume=True)


def test_a_run_that_keeps_no_optimizer_can_be_resumed(tmp_path):
    """mmengine's own way to small checkpoints."""
    run(tmp_path, save_optimizer=False)
    path = tmp_path / 'epoch_1.pth'
    assert run(tmp_path, load_from=path, resume=True, save_optimizer=False).epoch == 2
