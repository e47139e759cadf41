"""A teacher that is no better than random stops the training."""

import copy
import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from toys import ToyDataset, ToyModel, toy_batch, toy_config

from inrn_mm.engine import TeacherCheckHook
from inrn_mm.engine.hooks.teacher_check_hook import randomized
from inrn_mm.engine.run_config import add_hooks

WIDTHS = (8, 12, 16)


@DATASETS.register_module()
class AugmentedToys(ToyDataset):
    """Toys under noise of all three random generators."""

    def __init__(self):
        self.pipeline = []  # remembers what it was asked for

    def __getitem__(self, i):
        data = super().__getitem__(i)
        self.pipeline.append(i)
        noise = torch.rand(()) + np.random.rand() + random.random()
        return dict(data, inputs=data['inputs'] + noise)


@MODELS.register_module()
class OtherTask(ToyModel):
    """A network whose loss needs what the toys do not have."""

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'loss':
            return data_samples[0].gt_masks
        return super().forward(inputs, data_samples, mode)


@pytest.fixture(scope='module')
def teachers(tmp_path_factory):
    """Paths of a trained and of an untrained teacher."""
    torch.manual_seed(1)  # well above the loss of other random weights
    folder = tmp_path_factory.mktemp('teachers')
    net = ToyModel(WIDTHS)
    net.init_weights()
    torch.save(net.state_dict(), folder / 'random.pth')
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    batch = toy_batch(net, 8)
    for _ in range(40):
        loss, _ = net.parse_losses(net(**batch, mode='loss'))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(net.state_dict(), folder / 'trained.pth')
    return folder


def run(work_dir, checkpoint, epochs=1, hook=dict(), model=None, **kwargs):
    hooks = [] if hook is None else [dict(type='TeacherCheckHook', **hook)]
    runner = Runner.from_cfg(
        Config(
            dict(
                model=model or toy_config(teacher_checkpoint=str(checkpoint)),
                work_dir=str(work_dir),
                train_dataloader=dict(
                    batch_size=2,
                    num_workers=0,
                    sampler=dict(type='InfiniteSampler', shuffle=True),
                    collate_fn=dict(type='pseudo_collate'),
                    dataset=dict(type='AugmentedToys'),
                ),
                optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05)),
                train_cfg=dict(by_epoch=False, max_iters=4 * epochs),
                default_hooks=dict(
                    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=4)
                ),
                custom_hooks=hooks,
                randomness=dict(seed=1),
                log_level='WARNING',
                experiment_name=f'{work_dir.name}-{epochs}-{len(hooks)}',
                **kwargs,
            )
        )
    )
    runner.train()
    return runner


def test_untrained_teacher_stops_the_run(teachers, tmp_path):
    with pytest.raises(
        ValueError,
        match=r'no better than random: the loss of .*random\.pth on 4 '
        r'training samples is [\d.]+, that of the same network with '
        r"random weights [\d.]+; .*type='TeacherCheckHook', "
        r'num_batches=0',
    ):
        run(tmp_path, teachers / 'random.pth')


def test_check_leaves_the_training_as_it_is(teachers, tmp_path):
    checked = run(tmp_path, teachers / 'trained.pth')
    plain = run(tmp_path, teachers / 'trained.pth', hook=None)
    for key, value in plain.model.state_dict().items():
        assert torch.equal(checked.model.state_dict()[key], value), key
    assert checked.train_dataloader.dataset.pipeline == plain.train_dataloader.dataset.pipeline
    saved = torch.load(teachers / 'trained.pth')
    for key, value in checked.model.teacher.net.state_dict().items():
        assert torch.equal(saved[key], value), key


def test_can_be_switched_off(teachers, tmp_path):
    run(tmp_path, teachers / 'random.pth', hook=dict(num_batches=0))


def test_resumed_training_is_not_checked_again(teachers, tmp_path, monkeypatch):
    run(tmp_path, teachers / 'trained.pth')
    monkeypatch.setattr(TeacherCheckHook, '_check', None)  # would fail
    run(tmp_path, teachers / 'trained.pth', epochs=2, resume=True)


@pytest.mark.parametrize('teacher', [dict(type='OtherTask'), dict(type='ToyModel', num_classes=7)])
def test_teacher_of_another_task_is_left_out(teacher, tmp_path, capfd, monkeypatch):
    """Neither its missing loss nor its other classes stop the run."""
    classes = teacher.pop('num_classes', None)
    net = MODELS.build(dict(teacher, widths=WIDTHS))
    torch.save(net.state_dict(), tmp_path / 't.pth')
    model = toy_config(teacher_checkpoint=str(tmp_path / 't.pth'))
    model['teacher'] = dict(teacher, widths=WIDTHS)
    if classes:
        counts = iter([{7}, {3}])
        monkeypatch.setattr(
            'inrn_mm.engine.hooks.teacher_check_hook.class_counts', lambda net: next(counts)
        )
    said = []
    monkeypatch.setattr(
        'inrn_mm.engine.hooks.teacher_check_hook.print_log', lambda text, *_: said.append(text)
    )
    run(tmp_path, None, model=model)
    assert ['other classes' if classes else 'no loss of these samples' in text for text in said]
    assert len(said) == 1


def test_random_copy_forgets_everything(teachers):
    net = ToyModel(WIDTHS)
    net.load_state_dict(torch.load(teachers / 'trained.pth'))
    net.backbone.init_cfg = [dict(type='Pretrained', checkpoint=str(teachers / 'trained.pth'))]
    before = copy.deepcopy(net.state_dict())
    other = randomized(net)
    for key, value in other.named_parameters():
        if value.dim() > 1:
            assert not torch.equal(before[key], value), key
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert other.backbone.stages[0][1].training
    assert not other.backbone.stages[0][3].training


def test_tools_add_the_check_to_distilled_trainings():
    plain = Config(dict(model=dict(type='ToyModel')))
    distilled = Config(
        dict(model=dict(type='KnowledgeDistiller'), custom_hooks=[dict(type='EMAHook')])
    )
    chosen = Config(
        dict(
            model=dict(type='KnowledgeDistiller'),
            custom_hooks=[dict(type='TeacherCheckHook', num_batches=0)],
        )
    )
    for cfg, expected in ((plain, []), (distilled, [{}]), (chosen, [dict(num_batches=0)])):
        add_hooks(cfg)
        assert [
            {k: v for k, v in hook.items() if k != 'type'}
            for hook in cfg.custom_hooks
            if hook['type'] == 'TeacherCheckHook'
        ] == expected
