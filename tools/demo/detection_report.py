"""The page that the detection demo ends with."""

import json
from pathlib import Path

import cv2
import mmengine
from pycocotools.coco import COCO

from inrn_mm.visualization.detections import DetectionPainter, coco_ground_truth

from .options import DemoOptions
from .page import ReportPage
from .report import (
    QUICK,
    SHOWN,
    Result,
    add_curves,
    add_results,
    add_times,
    figure_of,
    load_results,
)
from .steps import clock
from .trainings import Model

NUM_PICTURES = 6
METRICS = {'AP': 'mAP', 'AP50': 'mAP_50', 'AP75': 'mAP_75'}
TASKS = {'box': 'bbox', 'mask': 'segm'}


def write_report(
    work_dir: Path,
    models: dict[str, Model],
    options: DemoOptions,
    estimated: dict[str, float],
    seconds: dict[str, float],
) -> None:
    """Write ``report.html`` from what the steps have left.

    Args:
        work_dir (Path): The demo's folder.
        models (dict[str, Model]): By name.
        options (DemoOptions): What was run.
        estimated (dict[str, float]): Seconds estimated for each step.
        seconds (dict[str, float]): Seconds that each step took.
    """
    results = load_results(work_dir, models)
    detector = 'Mask R-CNN' if options.mask else 'Faster R-CNN'
    ap50 = {name: figure_of(result.metric('coco/bbox_mAP_50')) for name, result in results.items()}
    page = ReportPage(
        f'INRN-M distilled into {detector}',
        'A student with the INRN-M backbone learns to find handwritten digits '
        'on photographs, once alone and once under a ResNet101-FPN teacher '
        '(stage features, Eq. 3 of the paper); all from scratch.'
        + (QUICK if options.quick else ''),
        facts={
            'AP50 of the distilled student': ap50['distilled'],
            'AP50 of the student alone': ap50['student'],
            'AP50 of the teacher': ap50['teacher'],
            'time in all': clock(sum(seconds.values())),
        },
    )
    add_results(
        page,
        results,
        {
            f'{label} {short}': f'coco/{task}_{metric}'
            for label, task in TASKS.items()
            for short, metric in METRICS.items()
            if label == 'box' or options.mask
        },
        'COCO AP on the validation images, from tools/test.py. The distilled '
        "student's checkpoint is evaluated in the plain student's config: "
        'nothing of the teacher is left in it.',
        caption='Parameters of the whole detector. ',
    )
    add_curves(
        page,
        results,
        {'box AP': 'coco/bbox_mAP', 'box AP50': 'coco/bbox_mAP_50'},
        'The task loss is that of the detector itself (RPN and RoI heads); '
        'the distillation loss is the weighted sum over the stages.',
    )
    add_pictures(page, results, work_dir / 'data', options)
    add_data(page, work_dir / 'data')
    add_times(page, estimated, seconds)
    add_commands(page, results['distilled'], work_dir)
    page.write(work_dir / 'report.html')


def add_pictures(
    page: ReportPage, results: dict[str, Result], data: Path, options: DemoOptions
) -> None:
    """Show the first validation images: ground truth beside the models.

    Args:
        page (ReportPage): Added to.
        results (dict[str, Result]): By name; their folders hold the
            predictions.
        data (Path): Folder of the set.
        options (DemoOptions): Whose ``mask`` tells whether masks are drawn.
    """
    coco = COCO(data / 'annotations' / 'instances_val2017.json')
    classes = [c['name'] for c in coco.loadCats(sorted(coco.getCatIds()))]
    painter = DetectionPainter([DIGITS.get(c, c) for c in classes])
    predictions = {
        name: {
            p['img_id']: p['pred_instances']
            for p in mmengine.load(results[name].folder / 'predictions.pkl')
        }
        for name in SHOWN
    }
    rows = []
    for image_id in sorted(coco.getImgIds())[:NUM_PICTURES]:
        file_name = coco.loadImgs(image_id)[0]['file_name']
        image = cv2.imread(str(data / 'val2017' / file_name))
        truth = coco_ground_truth(coco, image_id)
        if not options.mask:
            truth.pop('masks')
        row = [painter.draw(image, **truth)]
        for name in SHOWN:
            found = predictions[name][image_id]
            row.append(
                painter.draw(
                    image,
                    found['bboxes'],
                    found['labels'],
                    scores=found['scores'],
                    masks=found.get('masks'),
                )
            )
        rows.append(row)
    page.section('Detections')
    page.pictures(
        ['ground truth', *(results[name].title for name in SHOWN)],
        rows,
        f'The first {len(rows)} validation images; detections with a score '
        f'of {painter.score_thr} or more.',
    )


def add_data(page: ReportPage, data: Path) -> None:
    """Count the set, and say where its pixels are from.

    Args:
        page (ReportPage): Added to.
        data (Path): Folder of the set.
    """
    page.section(
        'Data',
        'Handwritten digits of scikit-learn (UCI optical digits), enlarged, '
        'turned and coloured, on photographs that ship inside scikit-learn '
        '(china.jpg by danielbuechele and flower.jpg by vultilion, CC BY 2.0) '
        'and scikit-image. The splits share no digit scan and no piece of a '
        'photograph. AP here says nothing about COCO.',
    )
    rows = []
    for split in ('train', 'val'):
        file = data / 'annotations' / f'instances_{split}2017.json'
        content = json.loads(file.read_text())
        objects = [a for a in content['annotations'] if not a['iscrowd']]
        small = sum(a['area'] < 64 for a in objects)
        crowds = len(content['annotations']) - len(objects)
        rows.append(
            [split, str(len(content['images'])), str(len(objects)), str(small), str(crowds)]
        )
    page.table(['split', 'images', 'digits', 'below 64 pixels', 'crowd regions'], rows)


def add_commands(page: ReportPage, student: Result, work_dir: Path) -> None:
    """Say what to do next.

    Args:
        page (ReportPage): Added to.
        student (Result): The distilled student.
        work_dir (Path): The demo's folder.
    """
    page.section('Go on')
    page.commands(
        [
            (
                'Evaluate the distilled student again, and draw its detections',
                f'INRN_DEMO_ROOT={work_dir / "data"} python tools/test.py '
                f'{student.config} {student.weights} --show-dir pictures',
            ),
            (
                'The same job on COCO, on 8 GPUs (data/coco/ as in MMDetection)',
                'bash tools/dist_train.sh configs/inrn/faster-rcnn_inrn-m_kd_coco.py 8',
            ),
            ('Mask R-CNN on the demo images', 'bash tools/demo.sh --mask'),
        ]
    )


# Shorter labels on the pictures.
DIGITS = {
    name: str(i)
    for i, name in enumerate(
        ('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')
    )
}
