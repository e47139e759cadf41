"""A run that ends by its data ends with the name of the fault."""

import json
import shutil

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from tiny_coco import tiny_dataloader

from inrn_mm.engine.launch import data_explained


@pytest.fixture
def cfg(tiny_coco, tmp_path):
    import mmdet.datasets  # noqa: F401

    init_default_scope('mmdet')
    shutil.copytree(tiny_coco['root'], tmp_path / 'coco')
    return Config(dict(train_dataloader=tiny_dataloader(dict(root=str(tmp_path / 'coco')))))


def damage(cfg, edit):
    path = f'{cfg.train_dataloader.dataset.data_root}/annotations.json'
    with open(path, 'rb') as file:
        content = file.read()
    with open(path, 'wb') as file:
        file.write(edit(content))


def entry(kind, **values):
    """Edit the first of the images, annotations or categories."""

    def edit(raw):
        content = json.loads(raw)
        for key, value in values.items():
            content[kind][0].pop(key)
            content[kind][0].update({} if value is None else {key: value})
        return json.dumps(content).encode()

    return edit


@pytest.mark.parametrize(
    'edit, says',
    [
        (lambda raw: b'', r'annotations\.json: the file is empty'),
        (lambda raw: raw[:-9], r'annotations\.json: the file is cut off after \d+ bytes'),
        (lambda raw: raw.decode().encode('utf-16'), 'the file is UTF-16'),
        (lambda raw: b'[' + raw + b']', 'holds a list in place of an object'),
        (lambda raw: raw.replace(b'"categories"', b'"classes"'), 'no list of categories'),
        (entry('images', width=None), r'no width \(image 1 0000\.png\)'),
        (entry('annotations', area=None), r'no area \(annotation 1 of image 1 0000\.png\)'),
        (entry('annotations', bbox=['1', '2', '3', '4']), 'four numbers .*annotation 1 of'),
        (entry('annotations', bbox=[1, 2, 3]), 'four numbers .*annotation 1 of'),
        (entry('annotations', id=2), 'annotations have the same id .*annotation 2 of'),
    ],
)
def test_files_that_cannot_be_loaded(cfg, edit, says):
    damage(cfg, edit)
    with (
        pytest.raises(ValueError, match=f'{says}.*check_dataset.py CONFIG lists all'),
        data_explained(cfg, ['train_dataloader']),
    ):
        DATASETS.build(cfg.train_dataloader.dataset)


def test_image_that_ends_the_training_later(cfg, tmp_path):
    (tmp_path / 'coco' / 'images' / '0003.png').write_bytes(b'')
    with (
        pytest.raises(ValueError, match=r'an image file is empty \(image 4 .*0003\.png\)'),
        data_explained(cfg, ['train_dataloader']),
    ):
        list(DATASETS.build(cfg.train_dataloader.dataset))


def test_nothing_left_after_the_filter(cfg):
    cfg.train_dataloader.dataset.update(
        metainfo=dict(classes=('cat',)), filter_cfg=dict(filter_empty_gt=True)
    )
    with (
        pytest.raises(ValueError, match='No image of a dataset is left.*categories box, disc'),
        data_explained(cfg, ['train_dataloader']),
    ):
        DATASETS.build(cfg.train_dataloader.dataset)


def test_other_errors_stay_as_they_are(cfg):
    damage(cfg, lambda raw: raw[:-9])
    with (
        pytest.raises(RuntimeError, match='CUDA out of memory'),
        data_explained(cfg, ['train_dataloader']),
    ):
        raise RuntimeError('CUDA out of memory')
