"""Images without labels beside those of the task."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from toys import ToyDataset, toy_batch, toy_config

import inrn_mm  # noqa: F401
from inrn_mm.engine.run_config import add_hooks

TAPS = [(0, 0), (2, 2)]
LOSS = dict(type='StageMSELoss', pairs=TAPS)


def raw(count=2):
    return dict(inputs=[torch.rand(3, 32, 32) * 255 for _ in range(count)])


def build(losses=None):
    model = MODELS.build(toy_config(losses or [LOSS], ratio_interval=0))
    model.init_weights()
    return model.eval()  # whose norms do not depend on the batch


@pytest.mark.parametrize('count', [1, 6])
def test_each_image_counts_alike(count):
    model = build()
    batch, extra = toy_batch(model), raw(count)
    alone = model(**batch, mode='loss')
    samples = batch['data_samples'][:1] * count
    others = model.loss(model.data_preprocessor(copy.deepcopy(extra), True)['inputs'], samples)
    model.unlabeled = extra
    both = model(**batch, mode='loss')
    assert model.unlabeled is None
    assert both['loss_cls'] == alone['loss_cls']
    for key in ('loss_stage_mse.stage0', 'loss_stage_mse.stage2'):
        expected = (4 * alone[key] + count * others[key]) / (4 + count)
        torch.testing.assert_close(both[key], expected)
    # and is gone
    assert model(**batch, mode='loss')['loss_stage_mse.stage0'] == alone['loss_stage_mse.stage0']


def test_gradients_of_both():
    model = build()
    batch, extra = toy_batch(model), raw()
    pixels = []
    model.student.backbone.register_forward_pre_hook(lambda _, args: pixels.append(args[0]))
    model.unlabeled = extra
    model.train()
    loss, _ = model.parse_losses(model(**batch, mode='loss'))
    loss.backward()
    assert [len(x) for x in pixels] == [4, 2]
    assert all(p.grad is not None for p in model.parameters())


def test_losses_of_annotations_are_those_of_the_labelled():
    losses = [LOSS, dict(type='DecoupledKDLoss', pairs=[('fc', 'fc')])]
    model = build(losses)
    batch = toy_batch(model)
    for sample in batch['data_samples']:
        sample.gt_label = torch.tensor([sample.label])
    alone = model(**batch, mode='loss')
    model.unlabeled = raw()
    both = model(**batch, mode='loss')
    assert both['loss_decoupled_kd.fc'] == alone['loss_decoupled_kd.fc']
    assert both['loss_stage_mse.stage2'] != alone['loss_stage_mse.stage2']


@DATASETS.register_module()
class BareToys(ToyDataset):
    """Three images without labels."""

    seen: list = []

    def __len__(self):
        return 3

    def __getitem__(self, i):
        self.seen.append(i)
        return dict(inputs=super().__getitem__(i)['inputs'])


def runner(tmp_path, **changes):
    loader = dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='pseudo_collate'),
    )
    cfg = Config(
        dict(
            model=toy_config([LOSS]),
            train_dataloader=dict(loader, dataset=dict(type='ToyDataset')),
            unlabeled_dataloader=dict(loader, dataset=dict(type='BareToys')),
            train_cfg=dict(by_epoch=True, max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            work_dir=str(tmp_path),
            default_scope='mmengine',
            experiment_name=tmp_path.name,
            **changes,
        )
    )
    add_hooks(cfg)
    return cfg


def test_a_training_with_both(tmp_path):
    BareToys.seen.clear()
    cfg = runner(tmp_path)
    Runner.from_cfg(cfg).train()
    # eight iterations are four rounds of two batches, and as many images each
    assert len(BareToys.seen) == 12
    assert sorted(BareToys.seen) == sorted([0, 1, 2] * 4)
    assert len({tuple(BareToys.seen[i : i + 3]) for i in range(0, 12, 3)}) > 1  # shuffled anew


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        (dict(type='ToyModel'), 'is for a distiller, and ToyModel is none'),
        (toy_config([dict(type='DecoupledKDLoss', pairs=[('fc', 'fc')])]), 'read annotations'),
    ],
)
def test_nothing_learns_from_them(tmp_path, model, message):
    cfg = runner(tmp_path)
    cfg.model = model
    with pytest.raises(ValueError, match=message):
        Runner.from_cfg(cfg).train()
