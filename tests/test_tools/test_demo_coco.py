"""The demo set: exact, deterministic, split cleanly, never half made."""

import json

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from tools.demo.coco import encode_rle, make_demo_coco
from tools.demo.coco_images import compose_image
from tools.demo.coco_sources import DIGIT_NAMES, DemoCocoSettings, load_glyphs, load_photographs

SETTINGS = DemoCocoSettings(train=30, val=12, size=96, tiny=0.3, crowd=0.3)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return make_demo_coco(tmp_path_factory.mktemp('demo') / 'set', SETTINGS, progress=False)


def annotations(folder, split):
    return json.loads((folder / f'annotations/instances_{split}2017.json').read_text())


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


def test_layout_is_that_of_coco(folder):
    for split, number in (('train', 30), ('val', 12)):
        content = annotations(folder, split)
        assert len(content['images']) == number
        for image in content['images']:
            picture = cv2.imread(str(folder / f'{split}2017' / image['file_name']))
            assert picture.shape == (image['height'], image['width'], 3)
        assert [c['name'] for c in content['categories']] == list(DIGIT_NAMES)
        ids = [a['id'] for a in content['annotations']]
        assert len(set(ids)) == len(ids) > number


def test_boxes_and_areas_are_those_of_the_visible_masks(folder):
    coco = COCO(folder / 'annotations/instances_train2017.json')
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        rows, columns = np.nonzero(mask)
        x, y, w, h = annotation['bbox']
        assert (x, y) == (columns.min(), rows.min())
        assert (x + w - 1, y + h - 1) == (columns.max(), rows.max())
        assert annotation['area'] == mask.sum()


def test_objects_of_an_image_share_no_pixel(folder):
    coco = COCO(folder / 'annotations/instances_train2017.json')
    for image_id in coco.getImgIds():
        masks = [coco.annToMask(a) for a in coco.loadAnns(coco.getAnnIds(image_id))]
        assert np.sum(masks, axis=0).max() == 1


def test_masks_cover_the_painted_pixels():
    # On a black photograph exactly the digits are bright.
    photographs = {'black': np.zeros((200, 400, 3), np.uint8)}
    rng = np.random.default_rng(0)
    for _ in range(5):
        image, _, objects = compose_image(
            rng, 'train', SETTINGS, photographs, load_glyphs(SETTINGS)['train']
        )
        covered = np.any([o['mask'] for o in objects], axis=0)
        bright = image.max(axis=2) > 0.5 * 215
        # where one digit's rim lies on another, colours mix
        assert np.mean(covered != bright) < 0.01


def test_crowds_and_tiny_digits_are_there(folder):
    found = annotations(folder, 'train')['annotations']
    crowds = [a for a in found if a['iscrowd']]
    assert crowds and all(len(a['digit_samples']) >= 8 for a in crowds)
    assert min(a['bbox'][3] for a in found if not a['iscrowd']) <= 8


def test_splits_share_no_digit_and_no_pixel_of_a_photograph(folder):
    train, val = annotations(folder, 'train'), annotations(folder, 'val')
    samples = [{i for a in s['annotations'] for i in a['digit_samples']} for s in (train, val)]
    assert samples[0] and samples[1] and not samples[0] & samples[1]
    right_edges, left_edges = {}, {}
    for image in train['images']:
        x, _, w, _ = image['crop']
        name = image['photograph']
        right_edges[name] = max(right_edges.get(name, 0), x + w)
    for image in val['images']:
        name = image['photograph']
        left_edges[name] = min(left_edges.get(name, 9999), image['crop'][0])
    both = set(right_edges) & set(left_edges)
    assert both
    assert all(right_edges[name] <= left_edges[name] for name in both)


def test_the_seed_determines_every_byte(folder, tmp_path):
    again = make_demo_coco(tmp_path / 'again', SETTINGS, progress=False)
    assert files(again) == files(folder)
    other = DemoCocoSettings(train=2, val=1, size=96, seed=1)
    same = DemoCocoSettings(train=2, val=1, size=96, seed=0)
    pictures = [
        files(make_demo_coco(tmp_path / str(i), s, progress=False))
        for i, s in enumerate((other, same))
    ]
    name = 'train2017/000000000001.jpg'
    assert pictures[0][name] != pictures[1][name]


def test_a_complete_set_is_reused_and_another_replaced(tmp_path):
    settings = DemoCocoSettings(train=1, val=1, size=64)
    out = make_demo_coco(tmp_path / 'set', settings, progress=False)
    (out / 'mark').touch()
    make_demo_coco(out, settings, progress=False)
    assert (out / 'mark').exists()
    make_demo_coco(out, DemoCocoSettings(train=2, val=1, size=64), progress=False)
    assert not (out / 'mark').exists()
    assert len(list((out / 'train2017').iterdir())) == 2


def test_an_interrupted_making_leaves_nothing_behind(tmp_path, monkeypatch):

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('tools.demo.coco._annotation', stop)
        with pytest.raises(KeyboardInterrupt):
            make_demo_coco(tmp_path / 'set', SETTINGS, progress=False)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_the_user_is_not_overwritten(tmp_path):
    (tmp_path / 'thesis.tex').touch()
    with pytest.raises(FileExistsError, match='not empty and holds no demo'):
        make_demo_coco(tmp_path, SETTINGS, progress=False)
    assert (tmp_path / 'thesis.tex').exists()


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(train=0), 'at least one image per split'),
        (dict(size=32), 'too small for digits'),
        (dict(classes=11), 'there are 10 digits'),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        DemoCocoSettings(**wrong)


def test_run_lengths_decode_to_the_mask():
    from pycocotools import mask as coco_mask

    rng = np.random.default_rng(0)
    shape = (3, 4)
    masks = rng.random((7, 5)) > 0.5, np.ones(shape, bool), np.zeros(shape, bool)
    for mask in masks:
        rle = encode_rle(mask)
        decoded = coco_mask.decode(coco_mask.frPyObjects(rle, *rle['size']))
        assert (decoded == mask).all()


def test_photographs_are_files_of_installed_packages():
    photographs = load_photographs()
    assert {'china', 'flower'} <= set(photographs)
    assert all(p.ndim == 3 and p.dtype == np.uint8 for p in photographs.values())


def test_mmdet_reads_boxes_masks_and_crowds(folder):
    pytest.importorskip('mmdet')
    from mmdet.datasets import CocoDataset
    from mmengine.registry import DefaultScope

    # whatever scope an earlier test has left behind
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = CocoDataset(
            data_root=str(folder),
            ann_file='annotations/instances_train2017.json',
            data_prefix=dict(img='train2017/'),
            metainfo=dict(classes=SETTINGS.names),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            ],
        )
    assert len(dataset) == SETTINGS.train
    samples = [dataset[i] for i in range(len(dataset))]
    assert any(s['gt_ignore_flags'].any() for s in samples)
    for sample in samples:
        assert len(sample['gt_masks']) == len(sample['gt_bboxes_labels'])
        assert sample['gt_masks'].masks.any(axis=(1, 2)).all()
