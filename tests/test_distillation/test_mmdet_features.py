"""What mmdet's users do with a plain detector, with a distilled one."""

import copy

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from tiny_coco import tiny_config, tiny_one_stage

from inrn_mm.ops import find_operators

pytest.importorskip('mmdet')


def distilled(paths, work_dir, model=None, **kwargs):
    cfg = tiny_config(paths, model, epochs=1)
    student = cfg['model']
    cfg['model'] = dict(
        type='KnowledgeDistiller',
        student=student,
        teacher=copy.deepcopy(student),
        allow_random_teacher=True,
        distill_losses=[dict(type='StageMSELoss', pairs=[(3, 3)])],
    )
    cfg.update(work_dir=str(work_dir), log_level='WARNING', **kwargs)
    return Config(cfg)


@pytest.fixture(scope='module')
def trained(tiny_coco, tmp_path_factory):
    """A distilled detector after an epoch with EMA, pictures and scaled lr."""
    from mmdet.visualization import DetLocalVisualizer  # noqa: F401

    work_dir = tmp_path_factory.mktemp('distilled')
    cfg = distilled(
        tiny_coco,
        work_dir,
        auto_scale_lr=dict(enable=True, base_batch_size=4),
        visualizer=dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
        custom_hooks=[dict(type='EMAHook', momentum=0.1)],
    )
    cfg.default_hooks.visualization = ConfigDict(type='DetVisualizationHook', draw=True, interval=1)
    runner = Runner.from_cfg(cfg)
    with DefaultScope.overwrite_default_scope('mmdet'):
        runner.train()
    cfg.dump(work_dir / 'distilled.py')
    return runner, work_dir


def test_learning_rate_is_scaled(trained):
    runner, _ = trained
    # 2 images against 4
    assert runner.optim_wrapper.get_lr()['lr'] == [0.01]


def test_visualization_hook_draws(trained):
    assert list(trained[1].rglob('vis_image/*.jpg')) or list(trained[1].rglob('vis_image/*.png'))


@pytest.mark.smoke
def test_ema_weights_are_the_ones_saved(trained):
    runner, work_dir = trained
    saved = torch.load(work_dir / 'epoch_1.pth', weights_only=False)
    name = 'backbone.stem.0.conv.weight'
    assert not torch.equal(saved['state_dict'][name], runner.model.state_dict()[name])
    assert torch.equal(saved['ema_state_dict'][f'module.{name}'], runner.model.state_dict()[name])


@pytest.mark.smoke
def test_inferencer(trained, tiny_coco):
    """The distilled config and the plain one detect the same."""
    from pathlib import Path

    from mmdet.apis import DetInferencer

    runner, work_dir = trained
    plain = Config.fromfile(work_dir / 'distilled.py')
    plain.model = plain.model.student
    plain.dump(work_dir / 'plain.py')
    image = str(next(Path(tiny_coco['img_dir']).iterdir()))
    results = []
    for name in ('distilled', 'plain'):
        inferencer = DetInferencer(
            str(work_dir / f'{name}.py'),
            str(work_dir / 'epoch_1.pth'),
            device='cpu',
            show_progress=False,
        )
        results.append(inferencer(image)['predictions'][0])
    assert results[0] == results[1]
    assert results[0]['scores']


def test_init_detector(trained, tiny_coco):
    """mmdet's looks for a backbone in the config, unless it has options."""
    from pathlib import Path

    from mmdet.apis import inference_detector, init_detector

    _, work_dir = trained
    cfg, checkpoint = Config.fromfile(work_dir / 'distilled.py'), str(work_dir / 'epoch_1.pth')
    image = str(next(Path(tiny_coco['img_dir']).iterdir()))
    model = init_detector(copy.deepcopy(cfg), checkpoint, device='cpu', cfg_options={})
    assert model.student.dataset_meta['classes'] and model.student.cfg is model.cfg
    cfg.model = cfg.model.student
    plain = init_detector(cfg, checkpoint, device='cpu')
    one, two = (inference_detector(net, image).pred_instances for net in (model, plain))
    assert torch.equal(one.bboxes, two.bboxes) and len(one)


def test_sync_bn_conversion_reaches_the_student(tiny_coco, tmp_path):
    cfg = distilled(tiny_coco, tmp_path)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    converted = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    kinds = {type(m) for m in converted.student.modules()}
    assert torch.nn.SyncBatchNorm in kinds
    assert torch.nn.BatchNorm2d not in kinds


@pytest.mark.parametrize('stages', [1, pytest.param(2, marks=pytest.mark.smoke)])
def test_mixed_precision(tiny_coco, tmp_path, stages):
    """What --amp makes of the config; without a GPU, the CPU's bfloat16,
    for which mmcv's compiled RoIAlign and focal loss have no kernels."""
    if find_operators() == 'compiled' and (stages == 2 or torch.cuda.is_available()):
        pytest.skip('compiled operators have no kernels for bfloat16')
    model = None
    if stages == 1:
        model = tiny_one_stage('_base_/models/retinanet_r50_fpn.py')
    cfg = distilled(tiny_coco, tmp_path, model)
    if torch.cuda.is_available():
        cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype='bfloat16')
    else:
        cfg.optim_wrapper.type = 'CPUAmpOptimWrapper'
    runner = Runner.from_cfg(cfg)
    seen = dict(student=set(), teacher=set())
    model = runner.model
    for name, net in (('student', model.student), ('teacher', model.teacher.net)):
        net.backbone.stages[3].register_forward_hook(
            lambda module, args, out, name=name: seen[name].add(out.dtype)
        )
    before = copy.deepcopy(model.state_dict())
    with DefaultScope.overwrite_default_scope('mmdet'):
        runner.train()
    # validation runs in float32
    assert torch.bfloat16 in seen['student']
    assert seen['teacher'] == {torch.bfloat16}
    name = 'distill_losses.0.align.0.conv.weight'
    after = model.state_dict()[name]
    assert after.dtype == torch.float32
    assert not torch.equal(after.cpu(), before[name].cpu())
    assert all(value.isfinite().all() for value in model.state_dict().values())
