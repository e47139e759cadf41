"""tools/analysis_tools/check_dataset.py on damaged sets."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_coco import make_tiny_coco, tiny_config
from tool_runs import dump_config
from voc_sets import make_voc

TOOL = 'analysis_tools/check_dataset.py'


@pytest.fixture
def sets(tmp_path):
    """Train and val sets that may be damaged, and their config."""
    train = make_tiny_coco(tmp_path / 'train', num_images=4)
    val = make_tiny_coco(tmp_path / 'val', num_images=4, seed=7)
    cfg = tiny_config(val, with_mask=True)
    cfg['train_dataloader']['dataset']['data_root'] = train['root']
    return cfg


@pytest.fixture
def check(run_tool, tmp_path, capsys):
    def run(cfg, *arguments):
        config = dump_config(tmp_path / 'config.py', cfg)
        capsys.readouterr()
        with pytest.raises(SystemExit) as info:
            run_tool(TOOL, config, *arguments)
        return info.value.code, capsys.readouterr().out

    return run


def test_good_sets(sets, check):
    code, out = check(sets, '--decode')
    assert code == 0
    assert '4 images of train_dataloader.dataset, 4 images of val_dataloader.dataset' in out
    assert '0 fatal, 0 error, 0 warning, 0 note' in out


@pytest.mark.parametrize('lost', [None, '0002.png'])
def test_images_in_a_database(sets, check, tmp_path, lost):
    lmdb = pytest.importorskip('lmdb')
    database = str(tmp_path / 'images.lmdb')
    for kind in ('train', 'val'):
        root = tmp_path / kind
        with lmdb.open(database, map_size=2**24) as env, env.begin(write=True) as content:
            for file in (root / 'images').iterdir():
                if (kind, file.name) != ('train', lost):
                    content.put(f'{kind}/{file.name}'.encode(), file.read_bytes())
        shutil.rmtree(root / 'images')
        dataset = sets[f'{kind}_dataloader']['dataset']
        dataset.update(data_root='', ann_file=str(root / 'annotations.json'))
        dataset['data_prefix'] = dict(img=f'{kind}/')
        dataset['pipeline'][0]['backend_args'] = dict(backend='lmdb', db_path=database)
    code, out = check(sets, '--decode')
    assert code == bool(lost) and f'{code} fatal, 0 error, 0 warning' in out
    if lost:
        assert f'an image cannot be read\n    image 3 train/{lost}' in out


def test_findings_have_file_id_and_cure(sets, check, tmp_path):
    file = tmp_path / 'train' / 'annotations.json'
    content = json.loads(file.read_text())
    content['annotations'][0].pop('segmentation')
    content['annotations'][1]['bbox'] = [300, 300, 5, 5]
    file.write_text(json.dumps(content))
    (tmp_path / 'val' / 'images' / '0002.png').write_bytes(b'')
    code, out = check(sets)
    assert code == 1
    assert re.search(
        rf'FATAL: {file}: an object has no segmentation\n    annotation 1 of image 1 0000\.png\n'
        '  cure: give the object polygons',
        out,
    )
    assert re.search(rf'WARNING: {file}: a box lies outside .*\n    annotation 2 of image', out)
    assert re.search(r'FATAL: .*an image file is empty\n    image 3 .*0002\.png', out)
    # by severity
    assert out.index('FATAL') < out.index('WARNING')


def test_decoding(sets, check, tmp_path):
    folder = tmp_path / 'train' / 'images'
    pixels = (folder / '0000.png').read_bytes()
    (folder / '0000.png').write_bytes(pixels[: len(pixels) // 2])
    whole = cv2.imencode('.jpg', cv2.imread(str(folder / '0001.png')))[1].tobytes()
    (folder / '0001.png').write_bytes(whole[: len(whole) * 2 // 3])
    cv2.imwrite(str(folder / '0002.png'), np.zeros((32, 40, 3), np.uint8))
    (folder / '0003.png').write_bytes(b'no image at all')
    code, out = check(sets, '--decode', '--splits', 'train')
    assert code == 1
    assert re.search(r'image 4 .*0003\.png', out[out.index('does not decode') :])
    assert re.search(r'image 2 .*0001\.png', out)
    assert '0002.png is 40 x 32, not 80 x 64' in out
    assert re.search(r'image 1 .*0000\.png', out)


def test_pictures_in_both_splits(sets, check, tmp_path):
    shutil.copy(
        tmp_path / 'train' / 'images' / '0000.png', tmp_path / 'val' / 'images' / '0000.png'
    )
    for arguments in ((), ('--decode',)):
        code, out = check(sets, *arguments)
        assert code == 0
        assert 'WARNING: pictures of the val split are in the train split as well' in out
        assert re.search(r'val/images/0000\.png and .*train/images/0000\.png', out)


def test_report(sets, check, tmp_path):
    code, out = check(sets, '--report', tmp_path / 'report')
    page = (tmp_path / 'report' / 'index.html').read_text()
    assert code == 0 and 'report/index.html' in out
    for text in ('Nothing was found', 'Classes', 'Boxes', 'Pictures', 'triangle', '% of the boxes'):
        assert text in page, text
    assert page.count('data:image/svg+xml') == 3
    pictures = page.count('data:image/jpeg')
    assert 8 <= pictures <= 20 and pictures % 5 == 0


def test_voc_set(check, sets, tmp_path):
    objects = [[('cow', 5, 5, 30, 30), ('Cows', 5, 5, 20, 20), ('cow', 9, 9, 9, 30)]]
    dataset = make_voc(tmp_path / 'voc', objects, ('cow',))
    sets['model']['roi_head']['bbox_head']['num_classes'] = 1
    sets['model']['roi_head'].pop('mask_head')
    sets['model']['roi_head'].pop('mask_roi_extractor')
    sets['model']['type'] = 'FasterRCNN'
    sets['train_dataloader']['dataset'] = dict(
        type='RepeatDataset', times=3, dataset=dict(type='ConcatDataset', datasets=[dataset])
    )
    code, out = check(sets, '--splits', 'train', '--report', tmp_path / 'report')
    assert code == 1
    assert re.search(r"ERROR: .*train\.txt: .* no class.*\n    'Cows', 1 boxes\n.*is it 'cow'", out)
    assert re.search(r'FATAL: .*0\.xml: a box has no area.*\n    box 2 of image 0', out)
    assert '1 images of train_dataloader.dataset.dataset.datasets.0' in out


def classifier(folder, head=3, **dataset):
    dataset = dict(
        dict(
            type='CustomDataset', data_root=str(folder), pipeline=[dict(type='LoadImageFromFile')]
        ),
        **dataset,
    )
    loader = dict(batch_size=1, dataset=dict(dataset, data_prefix='train'))
    return dict(
        default_scope='mmpretrain',
        model=dict(
            type='ImageClassifier',
            backbone=dict(type='VGG', depth=11),
            head=dict(type='LinearClsHead', num_classes=head, in_channels=4),
        ),
        train_dataloader=loader,
        val_dataloader=dict(loader, dataset=dict(dataset, data_prefix='val')),
        val_evaluator=dict(type='Accuracy'),
    )


@pytest.fixture
def folders(tmp_path):
    rng = np.random.RandomState(0)
    for split in ('train', 'val'):
        for name in ('ant', 'bee', 'cat'):
            (tmp_path / split / name).mkdir(parents=True, exist_ok=True)
            pixels = rng.randint(0, 255, (8, 8, 3)).astype(np.uint8)
            cv2.imwrite(str(tmp_path / split / name / '0.png'), pixels)
    return tmp_path


def test_classifier(check, folders):
    code, out = check(classifier(folders), '--decode', '--report', folders / 'report')
    assert code == 0 and '3 images of val_dataloader.dataset' in out
    page = (folders / 'report' / 'index.html').read_text()
    assert '<td>bee</td>' in page and page.count('data:image/jpeg') == 10


def test_folders_of_other_classes(check, folders):
    shutil.rmtree(folders / 'val' / 'ant')
    code, out = check(classifier(folders))
    assert code == 1
    assert "Label 0 is 'ant' in train_dataloader.dataset" in out and "'bee' in val_data" in out


def test_head_of_other_classes(check, folders):
    for head in (2, 5):
        code, out = check(classifier(folders, head=head))
        assert code == 1 and f'FATAL: head has num_classes={head}' in out


def test_lines_of_a_list(check, folders):
    (folders / 'list.txt').write_text('ant/0.png 0\nbee/0.png\n')
    code, out = check(classifier(folders, ann_file='list.txt', classes=['a', 'b', 'c']))
    assert code == 1
    assert re.search(r"FATAL: .*list\.txt: a line is no path.*\n    line 2, 'bee/0\.png'", out)


def test_real_images(run_tool, data_root, tmp_path, capsys):
    voc = data_root / 'bccd'
    if not voc.is_dir():
        pytest.skip(f'no bccd in {data_root}')
    dataset = dict(
        type='XMLDataset',
        data_root=f'{voc}/',
        ann_file='ImageSets/Main/train.txt',
        data_prefix=dict(sub_data_root=''),
        metainfo=dict(classes=('RBC', 'WBC', 'Platelets')),
        pipeline=[dict(type='LoadImageFromFile')],
    )
    cfg = dict(default_scope='mmdet', train_dataloader=dict(dataset=dataset))
    with pytest.raises(SystemExit):
        run_tool(TOOL, dump_config(tmp_path / 'bccd.py', cfg))
    out = capsys.readouterr().out
    assert '205 images' in out
    assert re.search(r'ERROR: .*BloodImage_00343\.xml: a box has no area', out)
    assert Path(voc, 'Annotations', 'BloodImage_00343.xml').is_file()
