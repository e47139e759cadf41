"""The page that the detection demo ends with."""
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import cv2
import mmengine
from mmengine.config import Config
from pycocotools.coco import COCO

from inrn_mm.utils.collect_env import collect_env
from inrn_mm.visualization.detections import (DetectionPainter,
                                              coco_ground_truth)
from inrn_mm.visualization.report import ReportPage, plot_curves

from .logs import read_metrics, read_scalars
from .options import DemoOptions
from .steps import clock

NUM_PICTURES = 6
METRICS = ('mAP', 'mAP_50', 'mAP_75')
SHORT = {'mAP': 'AP', 'mAP_50': 'AP50', 'mAP_75': 'AP75'}
# Columns of the pictures, beside the ground truth.
SHOWN = ('distilled', 'student', 'teacher')


@dataclass
class Result:
    """What is known of a trained model."""

    title: str
    config: str
    folder: Path
    parameters: int
    metrics: Dict[str, float]
    train: List[dict]
    val: List[dict]

    def metric(self, task: str, name: str) -> float:
        """float: Such as ``metric('bbox', 'mAP_50')``; NaN if not there."""
        return self.metrics.get(f'coco/{task}_{name}', float('nan'))

    @property
    def seconds(self) -> float:
        """float: Of all training iterations."""
        return sum(line['time'] * line['iterations'] for line in self.train)


def write_report(work_dir: Path, models: Dict[str, Tuple[str, str]],
                 options: DemoOptions, estimated: Dict[str, float],
                 seconds: Dict[str, float]) -> None:
    """Write ``report.html`` from what the steps have left.

    Args:
        work_dir (Path): Of the demo.
        models (dict[str, tuple]): Name to (title, config to evaluate with).
        options (DemoOptions): What was run.
        estimated (dict[str, float]): Seconds estimated for each step.
        seconds (dict[str, float]): Seconds that each step took.
    """
    results = {
        name: load_result(work_dir / name, title, config)
        for name, (title, config) in models.items()
    }
    tasks = ['bbox', 'segm'] if options.mask else ['bbox']
    detector = 'Mask R-CNN' if options.mask else 'Faster R-CNN'
    page = ReportPage(
        f'INRN-M distilled into {detector}',
        'A student with the INRN-M backbone learns to find handwritten digits '
        'on photographs, once alone and once under a ResNet101-FPN teacher '
        '(stage features, Eq. 3 of the paper); all from scratch.' +
        (' A quick run: it shows that everything works, the figures mean '
         'nothing.' if options.quick else ''),
        facts={
            'AP50 of the distilled student':
            figure_of(results['distilled'].metric('bbox', 'mAP_50')),
            'AP50 of the student alone':
            figure_of(results['student'].metric('bbox', 'mAP_50')),
            'AP50 of the teacher':
            figure_of(results['teacher'].metric('bbox', 'mAP_50')),
            'time in all':
            clock(sum(seconds.values())),
        })
    add_results(page, results, tasks)
    add_curves(page, results)
    add_pictures(page, results, work_dir / 'data', options)
    add_data(page, work_dir / 'data')
    add_times(page, estimated, seconds)
    page.section('Versions')
    page.table(['', 'version'], [list(i) for i in collect_env().items()])
    add_commands(page, results, work_dir)
    page.write(work_dir / 'report.html')


def load_result(folder: Path, title: str, config: str) -> Result:
    """Read what training and evaluation of a model have left."""
    train, val = read_scalars(folder)
    return Result(title, config, folder, count_parameters(config),
                  read_metrics(folder / 'test'), train, val)


def count_parameters(config: str) -> int:
    """Parameters of a config's model."""
    from mmengine.registry import MODELS, init_default_scope
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    return sum(p.numel() for p in model.parameters())


def figure_of(value: float) -> str:
    """AP as it is written: 0.412; a dash if it is not known."""
    return f'{value:.3f}' if value == value and value >= 0 else '–'


def add_results(page: ReportPage, results: Dict[str, Result],
                tasks: List[str]) -> None:
    """The table of AP, parameters and training time."""
    page.section(
        'Results',
        'COCO AP on the validation images, from tools/test.py. The distilled '
        "student's checkpoint is evaluated in the plain student's config: "
        'nothing of the teacher is left in it.')
    names = [(task, metric) for task in tasks for metric in METRICS]
    rows = []
    for result in results.values():
        iterations = sum(line['iterations'] for line in result.train)
        rows.append([
            result.title, *(figure_of(result.metric(*name)) for name in names),
            f'{result.parameters / 1e6:.1f} M', f'{iterations}',
            clock(result.seconds)
        ])
    labels = {'bbox': 'box', 'segm': 'mask'}
    students = [i for i, n in enumerate(results) if n != 'teacher']
    best = [(max(students, key=lambda i: rows[i][c]), c)
            for c in range(1,
                           len(names) + 1)
            if len({rows[i][c]
                    for i in students}) > 1]
    page.table(
        [
            '', *(f'{labels[t]} {SHORT[m]}'
                  for t, m in names), 'parameters', 'iterations', 'training'
        ],
        rows,
        best=best,
        caption='Parameters of the whole detector. Training: seconds of the '
        'iterations alone, without start and validation. Bold: the better '
        'student.')


def add_curves(page: ReportPage, results: Dict[str, Result]) -> None:
    """Task loss, distillation loss, AP over the training."""
    titles = {name: result.title for name, result in results.items()}
    own = set(results['student'].train[0]['losses'])
    panels: Dict[str, dict] = {
        'task loss': {},
        'distillation loss': {},
        'box AP': {},
        'box AP50': {}
    }
    for name, result in results.items():
        for line in result.train:
            task = sum(v for k, v in line['losses'].items() if k in own)
            rest = sum(v for k, v in line['losses'].items() if k not in own)
            panels['task loss'].setdefault(titles[name], []).append(
                (line['iter'], task))
            if set(line['losses']) - own:
                panels['distillation loss'].setdefault(titles[name],
                                                       []).append(
                                                           (line['iter'],
                                                            rest))
        for panel, metric in (('box AP', 'mAP'), ('box AP50', 'mAP_50')):
            panels[panel][titles[name]] = [(line['iter'],
                                            max(line[f'coco/bbox_{metric}'],
                                                0)) for line in result.val
                                           if f'coco/bbox_{metric}' in line]
    page.section(
        'Training',
        'The task loss is that of the detector itself (RPN and RoI heads); '
        'the distillation loss is the weighted sum over the stages.')
    page.figure(
        plot_curves(panels, markers=('box AP', 'box AP50')),
        'Losses: means over a few iterations. AP: on the validation '
        'images after each epoch.')


def add_pictures(page: ReportPage, results: Dict[str, Result], data: Path,
                 options: DemoOptions) -> None:
    """The first validation images: ground truth beside the models."""
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
                    masks=found.get('masks')))
        rows.append(row)
    page.section('Detections')
    page.pictures(
        ['ground truth', *(results[name].title for name in SHOWN)], rows,
        f'The first {len(rows)} validation images; detections with a score '
        f'of {painter.score_thr} or more.')


def add_data(page: ReportPage, data: Path) -> None:
    """Counts of the set, and where its pixels are from."""
    page.section(
        'Data',
        'Handwritten digits of scikit-learn (UCI optical digits), enlarged, '
        'turned and coloured, on photographs that ship inside scikit-learn '
        '(china.jpg by danielbuechele and flower.jpg by vultilion, CC BY 2.0) '
        'and scikit-image. The splits share no digit scan and no piece of a '
        'photograph. AP here says nothing about COCO.')
    rows = []
    for split in ('train', 'val'):
        file = data / 'annotations' / f'instances_{split}2017.json'
        content = json.loads(file.read_text())
        objects = [a for a in content['annotations'] if not a['iscrowd']]
        small = sum(a['area'] < 64 for a in objects)
        crowds = len(content['annotations']) - len(objects)
        rows.append([
            split,
            str(len(content['images'])),
            str(len(objects)),
            str(small),
            str(crowds)
        ])
    page.table(
        ['split', 'images', 'digits', 'below 64 pixels', 'crowd regions'],
        rows)


def add_times(page: ReportPage, estimated: Dict[str, float],
              seconds: Dict[str, float]) -> None:
    """Estimated and used time of each step."""
    page.section('Time')
    rows = [[name.replace('_', ' '),
             clock(estimated[name]),
             clock(spent)] for name, spent in seconds.items()]
    rows.append([
        'all',
        clock(sum(estimated[name] for name in seconds)),
        clock(sum(seconds.values()))
    ])
    page.table(['step', 'estimated', 'used'], rows)


def add_commands(page: ReportPage, results: Dict[str, Result],
                 work_dir: Path) -> None:
    """What to do next."""
    student = results['distilled']
    page.section('Go on')
    page.commands([
        ('Evaluate the distilled student again, and draw its detections',
         f'INRN_DEMO_ROOT={work_dir / "data"} python tools/test.py '
         f'{_relative(student.config)} {_weights(student.folder)} '
         '--show-dir pictures'),
        ('The same job on COCO, on 8 GPUs (data/coco/ as in MMDetection)',
         'bash tools/dist_train.sh '
         'configs/inrn/faster-rcnn_inrn-m_kd_coco.py 8'),
        ('Mask R-CNN on the demo images', 'bash tools/demo.sh --mask'),
    ])


def _weights(folder: Path) -> Optional[Path]:
    return max(folder.glob('epoch_*.pth'), key=lambda p: p.stat().st_mtime)


def _relative(path: str) -> str:
    parts = Path(path).parts
    return str(Path(*parts[parts.index('configs'):]))


# Shorter labels on the pictures.
DIGITS = {
    name: str(i)
    for i, name in enumerate(('zero', 'one', 'two', 'three', 'four', 'five',
                              'six', 'seven', 'eight', 'nine'))
}
