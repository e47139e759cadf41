"""A resumed training is the uninterrupted one, whatever is random in it."""

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

import inrn_mm  # noqa: F401, registers the hook


@DATASETS.register_module()
class NoisyData(Dataset):
    """Numbers with an augmentation."""

    metainfo: dict = {}

    def __len__(self):
        return 6

    def __getitem__(self, i):
        return dict(inputs=i + torch.rand(4))


@MODELS.register_module()
class DropoutModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, inputs, mode):
        if mode == 'predict':
            return [dict(drawn=torch.rand(()))]
        loss = nn.functional.dropout(self.fc(torch.stack(inputs))).square()
        return dict(loss=loss.mean())


def run(work_dir, iterations, resume=False):
    loader = dict(batch_size=2, num_workers=0, dataset=dict(type='NoisyData'))
    runner = Runner.from_cfg(
        Config(
            dict(
                model=dict(type='DropoutModel'),
                work_dir=str(work_dir),
                train_dataloader=dict(loader, sampler=dict(type='InfiniteSampler')),
                val_dataloader=dict(loader, sampler=dict(type='DefaultSampler')),
                val_evaluator=dict(type='DumpResults', out_file_path=f'{work_dir}.pkl'),
                val_cfg=dict(),
                train_cfg=dict(by_epoch=False, max_iters=iterations, val_interval=4),
                optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
                default_hooks=dict(
                    checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False)
                ),
                custom_hooks=[dict(type='EpochSeedHook')],
                randomness=dict(seed=1),
                resume=resume,
                log_level='ERROR',
                experiment_name=f'{work_dir.name}-{iterations}',
            )
        )
    )
    runner.train()
    return runner.model.fc.weight


def test_loop_of_iterations(tmp_path):
    whole = run(tmp_path / 'whole', 8)
    run(tmp_path / 'parts', 2)  # where the whole run does not validate
    run(tmp_path / 'parts', 4, resume=True)
    assert torch.equal(run(tmp_path / 'parts', 8, resume=True), whole)
