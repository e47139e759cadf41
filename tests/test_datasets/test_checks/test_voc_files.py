"""Damaged VOC-style sets: each fault is named with its file."""

import pytest
from mmengine.registry import DATASETS, init_default_scope
from voc_sets import make_voc

from inrn_mm.datasets.checks.voc_files import check_voc_files

OBJECTS = [[('cow', 5, 5, 30, 30), ('dog', 9, 9, 40, 50)], [('cow', 9, 9, 30, 30)]]


@pytest.fixture
def dataset(tmp_path):
    import mmdet.datasets  # noqa: F401

    init_default_scope('mmdet')
    cfg = make_voc(tmp_path / 'voc', OBJECTS, ('cow', 'dog'))
    return DATASETS.build(dict(cfg, lazy_init=True, pipeline=[]))


def test_good_set(dataset):
    assert not len(check_voc_files(dataset))


def replace(old, new):
    def change(folder):
        file = folder / 'Annotations' / '0.xml'
        file.write_text(file.read_text().replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    'change, severity, says, where',
    [
        (lambda folder: (folder / 'Annotations' / '0.xml').unlink(), 'fatal', 'not exist', ''),
        (replace('</annotation>', ''), 'fatal', 'is no XML', ''),
        (replace('<width>80</width>', ''), 'fatal', 'no width and height', ''),
        (replace('<width>80<', '<width>0<'), 'error', 'below 1', ''),
        (replace('<xmin>5<', '<xmin>five<'), 'fatal', 'no box of four', 'object 1, cow'),
        (replace('<ymax>30</ymax>', ''), 'fatal', 'no box of four', 'object 1, cow'),
        (replace('<xmax>30<', '<xmax>1e30<'), 'fatal', 'no numbers of an image', 'object 1, cow'),
        (replace('<name>dog</name>', ''), 'fatal', 'no name', 'object 2'),
    ],
)
def test_one_bad_file(dataset, tmp_path, change, severity, says, where):
    change(tmp_path / 'voc')
    (finding,) = [f for f in check_voc_files(dataset) if says in f.text]
    assert finding.severity == severity
    assert finding.file.endswith('Annotations/0.xml')
    assert not where or where in finding.items[0]


def test_names_that_are_no_classes(dataset, tmp_path):
    replace('<name>dog<', '<name>Dogs<')(tmp_path / 'voc')
    (finding,) = check_voc_files(dataset)
    assert finding.severity == 'error' and "is it 'dog'" in finding.cure
    assert finding.items == ["'Dogs', 1 boxes"]
    # a class that was left out on purpose
    replace('<name>Dogs<', '<name>zebra<')(tmp_path / 'voc')
    (finding,) = check_voc_files(dataset)
    assert finding.severity == 'note' and finding.items == ["'zebra', 1 boxes"]


def test_image_listed_twice(dataset, tmp_path):
    (tmp_path / 'voc' / 'train.txt').write_text('0\n1\n0\n')
    (finding,) = check_voc_files(dataset)
    assert (finding.severity, finding.items) == ('warning', ['0'])
