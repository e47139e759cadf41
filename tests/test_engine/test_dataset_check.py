import shutil
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from tiny_coco import tiny_dataloader
from torch import nn

from inrn_mm.datasets.checks.empty import explain_empty
from inrn_mm.datasets.checks.paths import check_data_paths
from inrn_mm.engine import DatasetCheckHook


@pytest.fixture
def loader(tiny_coco):
    return Config(dict(train_dataloader=tiny_dataloader(tiny_coco)))


@pytest.fixture
def copied(tiny_coco, tmp_path):
    """A dataloader over a copy that may be damaged."""
    root = tmp_path / 'coco'
    shutil.copytree(tiny_coco['root'], root)
    return Config(tiny_dataloader(dict(root=str(root))))


def check(loader, num_classes=3, wrap=lambda dataset: dataset):
    """Run the hook as a runner would before training."""
    import mmdet.datasets  # noqa: F401

    init_default_scope('mmdet')
    dataset = wrap(DATASETS.build(loader.dataset))
    model = nn.ModuleDict(dict(bbox_head=nn.Linear(1, 1)))
    model.bbox_head.num_classes = num_classes
    DatasetCheckHook().before_run(
        SimpleNamespace(
            model=model,
            _train_loop=SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset)),
            _val_loop=dict(type='ValLoop'),
            _test_loop=None,
        )
    )


def test_paths_of_a_good_config(loader):
    check_data_paths(loader, ['train_dataloader', 'val_dataloader'])


def test_data_root_missing(loader):
    loader.train_dataloader.dataset.data_root = 'data/gone/'
    with pytest.raises(
        FileNotFoundError,
        match='data root data/gone/ does not exist.*cfg-options train_dataloader.dataset.data_root',
    ):
        check_data_paths(loader, ['train_dataloader'])


@pytest.mark.parametrize(
    'dataset, folder',
    [
        (dict(type='ImageNet', data_root='gone', split='train'), 'gone/train'),
        (dict(type='mmpretrain.CustomDataset', data_prefix='mine'), 'mine'),
        (dict(type='CustomDataset', data_root='a', data_prefix=dict(img_path='b')), 'a/b'),
    ],
)
def test_folder_of_images_missing(loader, dataset, folder):
    loader.train_dataloader.dataset = dataset
    with pytest.raises(
        FileNotFoundError, match=f'folder of images {folder} does not exist.*INRN_IMAGENET_ROOT'
    ):
        check_data_paths(loader, ['train_dataloader'])


def test_folder_of_images(loader, tmp_path):
    (tmp_path / 'val').mkdir()
    loader.train_dataloader.dataset = dict(type='ImageNet', data_root=str(tmp_path), split='val')
    check_data_paths(loader, ['train_dataloader'])


def test_annotation_file_missing_in_a_wrapper(loader):
    inner = loader.train_dataloader.dataset.to_dict()
    inner['ann_file'] = 'gone.json'
    loader.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=inner)
    with pytest.raises(
        FileNotFoundError, match=r'gone\.json does not exist.*dataset\.dataset\.ann_file'
    ):
        check_data_paths(loader, ['train_dataloader'])


def test_annotation_file_of_the_evaluator(loader):
    loader.val_evaluator = [dict(type='CocoMetric', ann_file='gone.json')]
    check_data_paths(loader, ['train_dataloader'])
    with pytest.raises(
        FileNotFoundError,
        match=r'gone\.json of val_evaluator does not exist.*val_evaluator'
        r'\.ann_file=\.\.\. to that of the val_dataloader',
    ):
        check_data_paths(loader, ['val_dataloader'])


def test_good_dataset(copied):
    check(copied)


def test_annotations_without_images(copied):
    shutil.rmtree(copied.dataset.data_root + '/images')
    with pytest.raises(
        FileNotFoundError,
        match='6 of 6 images looked for of the train dataset do not '
        r'exist, the first is .*0000\.png',
    ):
        check(copied)


def test_category_list_that_does_not_fit(copied):
    copied.dataset.metainfo.classes = ('box', 'cat', 'dog')
    with pytest.raises(
        ValueError, match='Only 1 of the 3 categories in metainfo.classes of the train dataset'
    ):
        check(copied)


def test_one_class_without_its_comma(copied):
    copied.dataset.metainfo.classes = 'box'
    with pytest.raises(ValueError, match=r"write a tuple.*\('box', \)"):
        check(copied)


def test_number_of_classes_of_the_heads(copied):
    with pytest.raises(
        ValueError, match='bbox_head has num_classes=80, but the train dataset has 3'
    ):
        check(copied, num_classes=80)


def test_why_a_dataset_is_empty(loader):
    loader.train_dataloader.dataset.metainfo.classes = ('cat', 'dog')
    message = explain_empty(loader, ['train_dataloader'])
    assert 'annotations.json has 6 images' in message
    assert 'the categories box, disc, triangle' in message
    assert "dataset.metainfo.classes=('cat', 'dog')" in message


@pytest.mark.parametrize('wrapper', ['RepeatDataset', 'ConcatDataset'])
def test_looks_into_wrappers(copied, wrapper):
    import mmengine.dataset

    shutil.rmtree(copied.dataset.data_root + '/images')
    wrap = dict(
        RepeatDataset=lambda d: mmengine.dataset.RepeatDataset(d, times=2),
        ConcatDataset=lambda d: mmengine.dataset.ConcatDataset([d]),
    )[wrapper]
    with pytest.raises(FileNotFoundError, match='do not exist'):
        check(copied, wrap=wrap)
