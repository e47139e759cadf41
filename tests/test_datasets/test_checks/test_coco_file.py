"""Damaged COCO files: each fault is named with its place and how bad it is."""

import copy
import json

import numpy as np
import pytest

from inrn_mm.datasets.checks.coco_file import check_coco_file
from inrn_mm.datasets.checks.shapes import TOO_LONG, TOO_SHORT, mask_fault
from inrn_mm.datasets.checks.usage import Usage

MASKS = Usage(masks=True, bitmaps=True, segm=True)


@pytest.fixture
def content(tiny_coco):
    with open(tiny_coco['ann_file']) as file:
        return json.load(file)


def check(tmp_path, content, usage=MASKS):
    path = tmp_path / 'a.json'
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return check_coco_file(str(path), usage)[0]


def test_good_file(tmp_path, content):
    assert not len(check(tmp_path, content))


@pytest.mark.parametrize(
    'encode, says',
    [
        (lambda text: b'', 'is empty'),
        (lambda text: text[:-50].encode(), 'cut off'),
        (lambda text: text[: len(text) // 2].encode(), 'cut off'),
        (lambda text: text.encode('utf-16'), 'is UTF-16'),
        (lambda text: text.encode('utf-8-sig'), 'byte order mark'),
        (lambda text: text.replace('box', 'b\xf6x').encode('latin-1'), 'not UTF-8'),
        (lambda text: f'[{text}]'.encode(), 'holds a list'),
        (lambda text: b'{}', 'no list of images'),
        (lambda text: text.replace('categories', 'classes').encode(), 'no list of categories'),
    ],
)
def test_files_that_mmdet_cannot_read(tmp_path, content, encode, says):
    first = next(iter(check(tmp_path, encode(json.dumps(content)))))
    assert first.severity == 'fatal'
    assert says in first.text and first.file == str(tmp_path / 'a.json')
    assert first.cure


def remove(kind, key):
    return lambda content: content[kind][0].pop(key)


def put(kind, key, value):
    return lambda content: content[kind][0].__setitem__(key, value)


# what mmdet 3.5.1 does with each was tried: fatal is what ends a run
FAULTS = [
    (remove('images', 'width'), 'fatal', 'an image has no width'),
    (remove('images', 'file_name'), 'fatal', 'an image has no file_name'),
    (put('images', 'width', '80'), 'fatal', 'width or height of an image is no number'),
    (put('images', 'width', float('nan')), 'fatal', 'width or height of an image is no number'),
    (put('images', 'height', 0), 'error', 'is below 1'),
    (put('images', 'id', [1]), 'fatal', 'id of an image is no number'),
    (put('images', 'file_name', 5), 'fatal', 'file_name no text'),
    (put('categories', 'id', [1]), 'fatal', 'id of a category is no number'),
    (put('categories', 'name', ['a']), 'fatal', 'name no text'),
    (put('annotations', 'id', [1]), 'fatal', 'one of id, image_id, category_id of an annotation'),
    (put('annotations', 'image_id', {}), 'fatal', 'one of id, image_id, category_id of an ann'),
    (put('annotations', 'category_id', [1]), 'fatal', 'one of id, image_id, category_id of an'),
    (put('annotations', 'iscrowd', '0'), 'error', 'neither 0 nor 1'),
    (put('annotations', 'iscrowd', None), 'error', 'neither 0 nor 1'),
    (lambda c: c['images'][1].__setitem__('id', 1), 'error', 'two images have the same id'),
    (lambda c: c['images'].append(dict(c['images'][0], id=99)), 'warning', 'more than once'),
    (remove('categories', 'name'), 'fatal', 'a category has no id or no name'),
    (put('categories', 'name', 'disc'), 'error', 'two categories have the same name'),
    (put('categories', 'id', 2), 'error', 'two categories have the same id'),
    (remove('annotations', 'area'), 'fatal', 'has no area'),
    (remove('annotations', 'bbox'), 'fatal', 'has no bbox'),
    (remove('annotations', 'id'), 'fatal', 'has no id'),
    (remove('annotations', 'iscrowd'), 'error', 'has no iscrowd'),
    (put('annotations', 'area', '5'), 'fatal', 'area of an annotation is no number'),
    (put('annotations', 'area', 0), 'warning', 'no area: it is left out'),
    (put('annotations', 'bbox', ['1', '1', '5', '5']), 'fatal', 'no list of four numbers'),
    (put('annotations', 'bbox', [1, 1, 5]), 'fatal', 'no list of four numbers'),
    (put('annotations', 'bbox', [1, 1, 1e30, 5]), 'error', 'no numbers of an image'),
    (put('annotations', 'bbox', [1, float('nan'), 5, 5]), 'error', 'no numbers of an image'),
    (put('annotations', 'bbox', [9, 9, -5, 5]), 'warning', 'ends before it begins'),
    (put('annotations', 'bbox', [9, 9, 0, 5]), 'warning', 'has no area'),
    (put('annotations', 'bbox', [200, 9, 5, 5]), 'warning', 'outside of its image'),
    (put('annotations', 'category_id', '1'), 'error', 'category that is not listed'),
    (put('annotations', 'image_id', 77), 'error', 'image that is not listed'),
    (put('annotations', 'id', 2), 'fatal', 'annotations have the same id'),
    (remove('annotations', 'segmentation'), 'fatal', 'an object has no segmentation'),
    (put('annotations', 'segmentation', []), 'fatal', 'an object has no segmentation'),
    (put('annotations', 'segmentation', [1, 1, 9, 9, 3, 5]), 'fatal', 'no list of polygons'),
    (put('annotations', 'segmentation', [[1, 1, 9, 9]]), 'fatal', 'fewer than three points'),
    *(
        (put('annotations', 'segmentation', [[1, 1, x, 5, 9, 9]]), 'fatal', 'no places in an im')
        for x in (float('nan'), float('inf'), 1e30, None, '5')
    ),
    *(
        (put('annotations', 'segmentation', dict(size=[64, 80], counts=counts)), 'fatal', says)
        for counts, says in (
            ([-1, 5, 64 * 80 - 4], 'no run lengths'),
            ([5.5, 10], 'no run lengths'),
            ('no run', 'no run lengths'),
            ('zzzz', 'no run lengths'),
            ('a' * 40, 'no run lengths'),
        )
    ),
    (
        put('annotations', 'segmentation', dict(size=[64, 80], counts=[5, 5])),
        'warning',
        'filled at random',
    ),
    (
        put('annotations', 'segmentation', dict(size=[5, 6], counts=[10, 20])),
        'fatal',
        'another size',
    ),
    (
        put('annotations', 'segmentation', dict(size=[64, 80], counts=[1, 99999])),
        'fatal',
        'beyond their size',
    ),
]


@pytest.mark.parametrize('edit, severity, says', FAULTS)
def test_one_bad_entry(tmp_path, content, edit, severity, says):
    damaged = copy.deepcopy(content)
    edit(damaged)
    findings = [f for f in check(tmp_path, damaged) if says in f.text]
    assert [f.severity for f in findings] == [severity]
    assert findings[0].cure
    assert findings[0].count >= 1 and findings[0].items  # the place is named


def test_masks_count_only_where_they_are_used(tmp_path, content):
    for annotation in content['annotations']:
        annotation.pop('segmentation')
    assert not len(check(tmp_path, content, Usage()))
    # a two-point polygon is left out in training and ends the evaluation
    content['annotations'][0]['segmentation'] = [[1, 1, 9, 9]]
    severities = {
        usage: [f.severity for f in check(tmp_path, content, usage) if 'three points' in f.text]
        for usage in (Usage(), Usage(masks=True), Usage(segm=True))
    }
    assert list(severities.values()) == [['note'], ['warning'], ['fatal']]


def test_alike_faults_are_counted(tmp_path, content):
    for annotation in content['annotations']:
        annotation['bbox'] = [1, 1, 5]
    (finding,) = check(tmp_path, content)
    assert finding.count == len(content['annotations'])
    assert f'and {finding.count - 3} more' in finding.sentence()
    assert 'annotation 1 of image 1 0000.png' in finding.sentence()


def test_compressed_run_lengths():
    mask_utils = pytest.importorskip('pycocotools.mask')
    rng = np.random.default_rng(0)
    for share in (0, 0.01, 0.5, 1):
        mask = np.asfortranarray(rng.random((37, 53)) < share).astype(np.uint8, order='F')
        rle = mask_utils.encode(mask)
        assert mask_fault(rle, 53, 37) is None
        text = dict(rle, counts=rle['counts'].decode())
        assert mask_fault(text, 53, 37) is None
        assert mask_fault(dict(text, counts=text['counts'] + '1'), 53, 37) == TOO_LONG
    assert mask_fault(dict(text, counts=''), 53, 37) == TOO_SHORT
