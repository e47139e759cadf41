"""The same tools with a config of mmpretrain."""

import pickle
import shutil
from pathlib import Path

import pytest
from tool_runs import dump_config, logged


@pytest.fixture
def config(tiny_coco, tmp_path):
    """Two folders of images, a tiny INRN as classifier."""
    images = sorted(Path(tiny_coco['img_dir']).iterdir())
    for i, image in enumerate(images):
        folder = tmp_path / 'data' / 'ab'[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, folder)
    loader = dict(
        batch_size=2,
        num_workers=0,
        persistent_workers=True,  # as mmpretrain's bases have it
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='CustomDataset',
            data_prefix=str(tmp_path / 'data'),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='Resize', scale=(32, 32)),
                dict(type='PackInputs'),
            ],
        ),
    )
    cfg = dict(
        default_scope='mmpretrain',
        model=dict(
            type='ImageClassifier',
            backbone=dict(
                type='INRN', arch=dict(widths=[8, 16], depths=[1, 1], stem='conv3'), out_indices=-1
            ),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=2, in_channels=16),
        ),
        data_preprocessor=dict(mean=[127.0] * 3, std=[64.0] * 3, to_rgb=True, num_classes=2),
        train_dataloader=loader,
        val_dataloader=loader,
        test_dataloader=loader,
        val_evaluator=dict(type='Accuracy', topk=1),
        test_evaluator=dict(type='Accuracy', topk=1),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        val_cfg=dict(),
        test_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        auto_scale_lr=dict(base_batch_size=4),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1), visualization=dict(type='VisualizationHook')
        ),
        visualizer=dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
    )
    return dump_config(tmp_path / 'classifier.py', cfg)


def test_classifier_trains_and_is_tested(config, run_tool, tmp_path, capsys):
    run = tmp_path / 'run'
    run_tool('train.py', config, '--work-dir', run, '--auto-scale-lr')
    scalars = logged(run)
    assert scalars[0]['lr'] == 0.05  # two images in place of four
    assert 'accuracy/top1' in scalars[-1]
    capsys.readouterr()
    test = 'test.py', config, run / 'epoch_1.pth', '--work-dir', run
    pictures = '--show-dir', run / 'pictures'
    run_tool(*test, '--tta', '--out', run / 'out.pkl')
    assert 'accuracy/top1' in capsys.readouterr().out
    with open(run / 'out.pkl', 'rb') as file:
        assert len(pickle.load(file)) == 6
    run_tool(*test, *pictures)
    assert len(list((run / 'pictures').iterdir())) == 6
    with pytest.raises(SystemExit):
        run_tool(*test, *pictures, '--tta')
    assert 'cannot draw augmented images' in capsys.readouterr().err


def test_classes_of_a_classifier(config, run_tool, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run_tool(
            'train.py', config, '--work-dir', tmp_path, '--cfg-options', 'model.head.num_classes=5'
        )
    assert 'head has num_classes=5, but the train dataset has 2 classes' in capsys.readouterr().err
