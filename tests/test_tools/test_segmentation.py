"""Segmentors of mmsegmentation: distilled by the tools, and the shipped configs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmengine.runner import load_checkpoint
from PIL import Image
from tool_runs import ROOT, dump_config, logged

import inrn_mm  # noqa: F401
from inrn_mm.distillation.configs import published_weights
from inrn_mm.distillation.methods import choose_losses
from inrn_mm.engine.tta import augment_test
from inrn_mm.utils.config_types import model_package

pytest.importorskip('mmseg')
BN = dict(type='BN')
SIDE = 64  # the last stage has more than one place
CLASSES = ('ground', 'disc')


def segmentor(widths=(8, 8, 16, 16), num_classes=2):
    """An encoder and decoder of mmseg with a tiny INRN."""
    head = dict(
        type='FCNHead',
        in_channels=widths[-1],
        in_index=3,
        channels=8,
        num_convs=1,
        num_classes=num_classes,
        norm_cfg=BN,
        dropout_ratio=0.0,
    )
    return dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[128.0] * 3,
            std=[64.0] * 3,
            bgr_to_rgb=True,
            size=(SIDE, SIDE),
        ),
        backbone=dict(type='INRN', arch=dict(widths=list(widths), depths=[1] * 4), norm_cfg=BN),
        decode_head=head,
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(cfg)


def make_set(folder, count=4):
    """Discs on grey ground, with their masks."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for name in ('images', 'masks'):
        (folder / name).mkdir()
    for i in range(count):
        disc = (rows - 20 - 6 * i) ** 2 + (columns - 32) ** 2 < 240
        image = np.where(disc[..., None], 220, 90).repeat(3, 2).astype(np.uint8)
        Image.fromarray(image).save(folder / 'images' / f'{i}.jpg')
        Image.fromarray(disc.astype(np.uint8)).save(folder / 'masks' / f'{i}.png')


def whole_config(root, widths=(8, 8, 16, 16)):
    """A training of three steps and its evaluation, without any base."""
    load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
    dataset = dict(
        type='BaseSegDataset',
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        metainfo=dict(classes=CLASSES, palette=[[0, 0, 0], [255, 0, 0]]),
        pipeline=[*load, dict(type='PackSegInputs')],
    )
    loader = dict(batch_size=2, num_workers=0, dataset=dataset)
    test = dict(loader, sampler=dict(type='DefaultSampler', shuffle=False), batch_size=1)
    evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
    return dict(
        default_scope='mmseg',
        model=segmentor(widths),
        train_dataloader=dict(loader, sampler=dict(type='InfiniteSampler', shuffle=True)),
        val_dataloader=test,
        test_dataloader=test,
        val_evaluator=evaluator,
        test_evaluator=evaluator,
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=3, val_interval=3),
        val_cfg=dict(type='ValLoop'),
        test_cfg=dict(type='TestLoop'),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        visualizer=dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=3),
            visualization=dict(type='SegVisualizationHook'),
        ),
        log_processor=dict(by_epoch=False),
        custom_hooks=[dict(type='TeacherCheckHook', num_batches=0)],
        env_cfg=dict(mp_cfg=dict(mp_start_method='fork')),
    )


def test_distilled_and_tested_by_the_tools(run_tool, tmp_path):
    """The student's checkpoint fits its plain config; pictures are drawn."""
    make_set(tmp_path)
    student = dump_config(tmp_path / 'student.py', whole_config(tmp_path))
    teacher = dump_config(tmp_path / 'teacher.py', whole_config(tmp_path, (8, 16, 16, 32)))
    weights = tmp_path / 'teacher.pth'
    net = build(Config.fromfile(teacher).model)
    net.decode_head.conv_seg.weight.data.mul_(100)  # as it starts, its maps are all but even
    torch.save(net.state_dict(), weights)
    names = ['--teacher', teacher, weights, '--method', 'cwd', 'pkd']
    run_tool('train.py', student, *names, '--work-dir', tmp_path / 'run')
    losses = logged(tmp_path / 'run')[1]  # the first is at the start of a warm-up
    assert losses['loss_channel_wise.decode_head.conv_seg'] > 0
    assert losses['loss_pearson.stage3'] > 0
    checkpoint = tmp_path / 'run' / 'iter_3.pth'
    net = build(Config.fromfile(student).model)
    assert set(net.state_dict()) <= set(load_checkpoint(net, str(checkpoint))['state_dict'])
    folders = ['--work-dir', tmp_path / 'tested', '--show-dir', tmp_path / 'pictures']
    run_tool('test.py', student, checkpoint, *folders)
    assert len(list((tmp_path / 'pictures').rglob('*.png'))) == 4
    run_tool('test.py', student, checkpoint, '--work-dir', tmp_path / 'tta', '--tta')
    (metrics,) = (tmp_path / 'tta').glob('*/*.json')
    assert 0 < json.loads(metrics.read_text())['mIoU'] <= 100


def test_labels_of_mirror_images_stay_as_they_are(tmp_path):
    """The predictions for them are turned back."""
    make_set(tmp_path)
    cfg = Config(whole_config(tmp_path))
    augment_test(cfg)
    with DefaultScope.overwrite_default_scope('mmseg'):
        views = DATASETS.build(cfg.test_dataloader.dataset)[0]
    assert [sample.flip for sample in views['data_samples']] == [True, False]
    mask = torch.from_numpy(np.array(Image.open(tmp_path / 'masks/0.png')))
    for sample in views['data_samples']:
        assert torch.equal(sample.gt_sem_seg.data[0], mask)
    first, second = views['inputs']
    assert torch.equal(first.flip(2), second)


def test_methods_know_where_pixels_are_scored():
    nets = build(segmentor()), build(segmentor((8, 16, 16, 32)))
    (cwd,) = choose_losses('cwd', nets[0], dict(teacher=nets[1]))['distill_losses']
    assert cwd['pairs'] == [('decode_head.conv_seg',) * 2]
    assert (cwd['temperature'], cwd['weight']) == (4.0, 3.0)
    (pkd,) = choose_losses('pkd', nets[0], dict(teacher=nets[1]))['distill_losses']
    assert len(pkd['pairs']) == 4 and pkd['weight'] == 10.0


def test_other_classes_are_said_beforehand():
    nets = build(segmentor()), build(segmentor(num_classes=3))
    with pytest.raises(ValueError, match='their classes differ, 2 and 3.*pkd'):
        choose_losses('cwd', nets[0], dict(teacher=nets[1]))


@pytest.mark.parametrize('name', ['upernet_inrn-m_ade20k', 'upernet_inrn-m_kd_ade20k'])
def test_shipped_config(name):
    cfg = Config.fromfile(Path(ROOT) / f'configs/segmentation/{name}.py')
    distilled = cfg.model.type == 'KnowledgeDistiller'
    assert distilled == ('_kd_' in name)
    assert model_package(cfg) == 'mmseg' and cfg.train_cfg.max_iters == 160000
    student = cfg.model.student if distilled else cfg.model
    if distilled:
        assert 'upernet_r101_512x512_160k_ade20k' in published_weights(cfg.model.teacher)
        return
    student.backbone.norm_cfg = student.decode_head.norm_cfg = BN
    student.auxiliary_head.norm_cfg = BN
    net = build(student).eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 3, 64, 64)).shape == (1, 150, 16, 16)
