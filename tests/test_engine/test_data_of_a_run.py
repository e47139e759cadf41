"""What DatasetCheckHook says of a run's data, and what it lets pass."""

import json
import re
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, METRICS, init_default_scope
from tiny_coco import CLASSES, make_tiny_coco, tiny_dataloader
from torch import nn
from voc_sets import make_voc

from inrn_mm.datasets.checks.usage import metric_configs
from inrn_mm.engine import DatasetCheckHook
from inrn_mm.engine.hooks import dataset_check_hook


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    return make_tiny_coco(tmp_path_factory.mktemp('made'), num_images=6)


@pytest.fixture
def coco(made, tmp_path):
    """Paths of a set that may be damaged."""
    root = tmp_path / 'coco'
    shutil.copytree(made['root'], root)
    return dict(
        root=str(root), ann_file=str(root / 'annotations.json'), img_dir=str(root / 'images')
    )


@pytest.fixture
def said(monkeypatch):
    """The warnings of the hook."""
    lines = []
    monkeypatch.setattr(
        dataset_check_hook, 'print_log', lambda text, *args, **kwargs: lines.append(text)
    )
    return lines


def edit(paths, change):
    with open(paths['ann_file']) as file:
        content = json.load(file)
    change(content)
    with open(paths['ann_file'], 'w') as file:
        json.dump(content, file)


def run(train=None, val=None, evaluator=None, model=None, heads=None, model_cfg=None):
    """Run the hook as a runner would, with what its config says."""
    import mmdet.datasets
    import mmdet.evaluation  # noqa: F401

    init_default_scope('mmdet')
    cfg = Config(
        dict(
            train_dataloader=train,
            val_dataloader=val,
            val_evaluator=evaluator,
            model=model_cfg or {},
        )
    )

    def loop(kind):
        if cfg[f'{kind}_dataloader'] is None:
            return None
        metrics = [METRICS.build(m) for m in metric_configs(cfg.get(f'{kind}_evaluator'))]
        return SimpleNamespace(
            dataloader=SimpleNamespace(dataset=DATASETS.build(cfg[f'{kind}_dataloader'].dataset)),
            evaluator=SimpleNamespace(metrics=metrics),
        )

    if model is None:
        model = nn.ModuleDict(dict(bbox_head=nn.Linear(1, 1)))
        model.bbox_head.num_classes = heads or 3
    DatasetCheckHook().before_run(
        SimpleNamespace(
            model=model, cfg=cfg, _train_loop=loop('train'), _val_loop=loop('val'), _test_loop=None
        )
    )


def metric(paths, **kwargs):
    return dict(type='CocoMetric', ann_file=paths['ann_file'], **kwargs)


def test_good_data_pass_without_a_word(coco, said):
    run(tiny_dataloader(coco), tiny_dataloader(coco, train=False), metric(coco))
    assert said == []


# what mmdet trains


def head_of(num_classes, **attributes):
    head = nn.Linear(1, 1)
    for name, value in dict(attributes, num_classes=num_classes).items():
        setattr(head, name, value)
    return head


def test_panoptic_networks_count_things_apart(coco, said):
    import mmdet.models  # noqa: F401

    init_default_scope('mmdet')
    model = nn.ModuleDict(
        dict(bbox_head=head_of(2), seg_head=head_of(3, num_things_classes=2, num_stuff_classes=1))
    )
    run(tiny_dataloader(coco), model=model)
    # or the set says it
    loader = tiny_dataloader(coco)
    loader['dataset']['metainfo']['thing_classes'] = CLASSES[:2]
    run(loader, heads=2)
    with pytest.raises(ValueError, match='num_classes=2'):
        run(tiny_dataloader(coco), heads=2)


@pytest.mark.parametrize(
    'config',
    [
        'panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py',
        'mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py',
        'rpn/rpn_r50_fpn_1x_coco.py',
        'htc/htc-without-semantic_r50_fpn_1x_coco.py',
        'pascal_voc/retinanet_r50_fpn_1x_voc0712.py',
    ],
)
def test_heads_of_shipped_configs(config):
    from pathlib import Path

    import mmdet
    import torch
    from mmengine.registry import MODELS

    from inrn_mm.datasets.checks.classes import check_heads
    from inrn_mm.datasets.checks.findings import Findings
    from inrn_mm.datasets.checks.usage import leaf_configs

    init_default_scope('mmdet')
    cfg = Config.fromfile(Path(mmdet.__file__).parent / '.mim/configs' / config)
    cfg.model.backbone.init_cfg = None
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    sets = [
        DATASETS.build(dict(leaf, pipeline=[], lazy_init=True))
        for _, leaf in leaf_configs(cfg.train_dataloader.dataset, '')
    ]
    for each in sets:  # nothing of COCO is here
        each.data_list, each.serialize_data, each._fully_initialized = [], False, True
    found = Findings()
    check_heads('train', sets, model, found)
    assert [f.text for f in found] == []


def concat(*loaders, kind='ConcatDataset'):
    inner = [loader['dataset'] for loader in loaders]
    return dict(loaders[0], dataset=dict(type=kind, datasets=inner))


def test_sets_of_different_metainfo(coco, said):
    other = tiny_dataloader(coco)
    other['dataset']['metainfo'] = dict(classes=CLASSES, palette=[(1, 2, 3)] * 3)
    run(concat(tiny_dataloader(coco), other))
    assert said == []


def test_sets_whose_labels_differ(coco, made, said):
    edit(coco, lambda c: c['categories'].reverse())
    other = tiny_dataloader(coco)
    other['dataset']['metainfo'] = dict(classes=CLASSES[::-1])
    run(concat(tiny_dataloader(made), other))
    (line,) = said
    assert "Label 0 is 'box' in train_dataloader.dataset" in line and "'triangle'" in line


def test_wrappers_inside_of_wrappers(coco):
    shutil.rmtree(coco['img_dir'])
    loader = concat(tiny_dataloader(coco))
    loader['dataset'] = dict(type='RepeatDataset', times=2, dataset=loader['dataset'])
    with pytest.raises(FileNotFoundError, match='do not exist'):
        run(loader)


def test_images_behind_a_backend(coco):
    shutil.rmtree(coco['img_dir'])
    loader = tiny_dataloader(coco)
    loader['dataset']['pipeline'][0]['backend_args'] = dict(backend='http')
    run(loader)


# silently wrong


def test_evaluator_of_other_images(coco, made, tmp_path, said):
    more = make_tiny_coco(tmp_path / 'more', num_images=9)
    val = tiny_dataloader(made, train=False)
    # the six images are the first of the nine: the others count as missed
    run(val=val, evaluator=metric(more))
    assert 'has 3 images with objects that the val dataset (6 images) does not give' in said[0]
    assert 'val_evaluator.ann_file' in said[0]
    # evaluation dies of images that it does not know
    edit(coco, lambda c: c['images'].pop())
    with pytest.raises(ValueError, match='1 of the 6 images of the val dataset are not in'):
        run(val=val, evaluator=metric(coco))


def test_evaluator_of_other_objects(made, tmp_path, said):
    other = make_tiny_coco(tmp_path / 'other', num_images=6, seed=5)
    run(val=tiny_dataloader(made, train=False), evaluator=metric(other))
    assert 'have other objects in the file of its evaluator' in said[0]


def test_subset_by_indices_is_measured_on_all(coco, said):
    val = tiny_dataloader(coco, train=False)
    val['dataset']['indices'] = 2
    run(val=val, evaluator=metric(coco))
    assert 'has 4 images with objects' in said[0] and 'indices' in said[0]


def test_order_of_classes(coco, said):
    loader = tiny_dataloader(coco, classes=('disc', 'box', 'triangle'))
    run(loader)
    (line,) = said
    assert "label 0 is 'box' and is called 'disc'" in line
    assert "('box', 'disc', 'triangle')" in line


def test_order_of_categories_in_training_and_validation(made, coco, said):
    edit(coco, lambda c: c['categories'].reverse())
    run(tiny_dataloader(made), tiny_dataloader(coco, train=False), metric(coco))
    assert any(
        "Label 0 is 'box' in train_dataloader.dataset" in line and "'triangle' in val" in line
        for line in said
    )


def test_duplicate_category_names(coco):
    edit(coco, lambda c: c['categories'].append(dict(id=4, name='box')))
    with pytest.raises(ValueError, match=r'has 4 categories for the 3 .* there twice \(box\)'):
        run(tiny_dataloader(coco))


def test_misspelt_class_of_a_voc_set(tmp_path, said):
    sheep = [[('cow', 5, 5, 30, 30), ('Sheap', 5, 5, 20, 20)], [('Sheap', 9, 9, 30, 30)]]
    dataset = make_voc(tmp_path / 'voc', sheep, ('cow', 'sheep'))
    run(dict(dataset=dataset), heads=2)
    (line,) = said
    assert "No box of the train dataset is of class 'sheep'" in line
    assert "2 are named 'Sheap'" in line


@pytest.mark.parametrize('kind', ['train', 'val'])
def test_only_class_of_a_voc_set_is_misspelt(tmp_path, said, kind):
    dataset = make_voc(tmp_path / 'voc', [[('Sheap', 9, 9, 30, 30)]], ('sheep',))
    run(**{kind: dict(dataset=dataset)}, heads=1)
    assert f"No box of the {kind} dataset is of class 'sheep'" in said[0]


def test_stuff_has_no_boxes(coco, said):
    loader = tiny_dataloader(coco, classes=(*CLASSES, 'sky'))
    edit(coco, lambda c: c['categories'].append(dict(id=4, name='sky')))
    loader['dataset']['metainfo']['thing_classes'] = CLASSES
    run(loader, heads=4)
    assert said == []


def test_class_without_an_object(coco, said):
    edit(coco, lambda c: c['categories'].append(dict(id=4, name='star')))
    run(tiny_dataloader(coco, classes=(*CLASSES, 'star')), heads=4)
    (line,) = said
    assert '1 of the 4 classes have no object in the train dataset (star)' in line


@pytest.mark.parametrize('with_file', [True, False])
def test_validation_without_annotations(coco, with_file, said):
    edit(coco, lambda c: c['annotations'].clear())
    evaluator = metric(coco) if with_file else dict(type='CocoMetric')
    run(val=tiny_dataloader(coco, train=False), evaluator=evaluator)
    assert ('AP is -1' if with_file else 'nothing to measure') in said[0]


def test_predictions_for_a_server_need_no_annotations(coco, tmp_path, said):
    edit(coco, lambda c: c['annotations'].clear())
    evaluator = metric(coco, format_only=True, outfile_prefix=str(tmp_path / 'out'))
    run(val=tiny_dataloader(coco, train=False), evaluator=evaluator)
    assert said == []


# one bad item


def annotation(key, value=None):
    def change(content):
        if value is None:
            content['annotations'][0].pop(key)
        else:
            content['annotations'][0][key] = value

    return change


@pytest.mark.parametrize(
    'change, says',
    [
        (annotation('segmentation'), 'no segmentation'),
        (annotation('segmentation', []), 'no segmentation'),
        (annotation('segmentation', dict(size=[5, 6], counts=[30])), 'another size'),
    ],
)
def test_bad_masks(coco, change, says, said):
    edit(coco, change)
    run(tiny_dataloader(coco))  # boxes alone are trained
    with pytest.raises(ValueError, match=rf'{says}.*box 1 of image 1 .*0000\.png'):
        run(tiny_dataloader(coco, with_mask=True))


@pytest.mark.parametrize(
    'change, says',
    [
        (annotation('segmentation', [[1, 1, 9, 9]]), 'three points'),
        (annotation('segmentation'), 'no segmentation'),
        (annotation('iscrowd'), 'no iscrowd'),
    ],
)
def test_what_ends_the_evaluation(coco, change, says, said):
    edit(coco, change)
    val = tiny_dataloader(coco, train=False)
    with pytest.raises(ValueError, match=f'{says}.*annotation 1 of image 1'):
        run(val=val, evaluator=metric(coco, metric=['bbox', 'segm']))


def test_box_beyond_all_measures(coco, said):
    edit(coco, annotation('bbox', [1, 1, 1e30, 1e30]))
    run(tiny_dataloader(coco))
    assert 'coordinates that are no numbers of an image (box 1 of image 1 ' in said[0]


def test_empty_box_of_a_voc_set(tmp_path, said):
    dataset = make_voc(tmp_path / 'voc', [[('cow', 5, 5, 30, 30), ('cow', 9, 9, 9, 9)]], ('cow',))
    run(dict(dataset=dataset), heads=1)
    assert 'a box has no area (box 2 of image 0 ' in said[0] and '0.xml' in said[0]
    model = dict(train_cfg=dict(rcnn=dict(sampler=dict(add_gt_as_proposals=True))))
    with pytest.raises(ValueError, match='its loss is NaN.*box 2 of image 0 .*FilterAnnotations'):
        run(dict(dataset=dataset), heads=1, model_cfg=model)
    dataset['pipeline'] += [dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1))]
    run(dict(dataset=dataset), heads=1, model_cfg=model)


def test_empty_image(coco, tmp_path):
    (tmp_path / 'coco' / 'images' / '0003.png').write_bytes(b'')
    with pytest.raises(ValueError, match=r'an image file is empty .*0003\.png'):
        run(tiny_dataloader(coco))


def test_image_of_another_size(coco, tmp_path, said):
    file = str(tmp_path / 'coco' / 'images' / '0002.png')
    cv2.imwrite(file, np.zeros((32, 40, 3), np.uint8))
    run(tiny_dataloader(coco))
    assert 'of another size than annotated' in said[0]
    assert '0002.png is 40 x 32, not 80 x 64' in said[0]


def test_image_that_is_cut_off(coco, tmp_path, said):
    file = tmp_path / 'coco' / 'images' / '0002.png'
    file.write_bytes(file.read_bytes()[:-100])
    run(tiny_dataloader(coco))
    assert re.search(r'an image file is cut off.*image 3 .*0002\.png', said[0])


def test_photograph_on_its_side(coco, tmp_path, said):
    """Readers turn it by its EXIF data, so both sizes are right."""
    from PIL import Image

    file = tmp_path / 'coco' / 'images' / '0002.png'  # JPEG whatever its name
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (64, 80)).save(file, 'JPEG', exif=exif)
    run(tiny_dataloader(coco))
    assert said == []
    Image.new('RGB', (64, 80)).save(file, 'JPEG')
    run(tiny_dataloader(coco))
    assert '0002.png is 64 x 80, not 80 x 64' in said[0]
