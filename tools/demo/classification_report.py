"""The page that the classification demo ends with."""

from pathlib import Path

import cv2
import mmengine

from inrn_mm.visualization.predictions import draw_image, draw_scores

from .digits import CLASSES
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

TOP1 = 'accuracy/top1'
NUM_PICTURES, NUM_WRONG = 8, 6


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
    counts = {
        split: len(list((work_dir / 'data' / split).glob('*/*.png')))
        for split in ('pool', 'train', 'val')
    }
    top1 = {name: figure_of(result.metric(TOP1), 1) + ' %' for name, result in results.items()}
    page = ReportPage(
        'INRN-S distilled from a small ResNet',
        f'INRN-S learns to read handwritten digits from {counts["train"]} '
        'images, once alone and once under a ResNet that has learned from '
        f'{counts["pool"]} (Eq. 4 of the paper, and the '
        "teacher's softened predictions)." + (QUICK if options.quick else ''),
        facts={
            'top-1 of the distilled student': top1['distilled'],
            'top-1 of the student alone': top1['student'],
            'top-1 of the teacher': top1['teacher'],
            'time in all': clock(sum(seconds.values())),
        },
    )
    add_results(
        page,
        results,
        {'top-1 (%)': TOP1, 'top-5 (%)': 'accuracy/top5'},
        f'Accuracy on {counts["val"]} validation images, from '
        "tools/test.py. The distilled student's checkpoint is evaluated in "
        "the plain student's config: nothing of the teacher is left in it.",
        caption='Both students saw the same images equally often. ',
        digits=1,
    )
    add_curves(
        page,
        results,
        {'top-1 (%)': TOP1},
        'The task loss is the cross-entropy; the distillation loss is the '
        'weighted sum of the stage and the prediction term.',
    )
    add_pictures(page, results)
    add_data(page, counts)
    add_times(page, estimated, seconds)
    add_commands(page, results['distilled'], work_dir)
    page.write(work_dir / 'report.html')


def add_pictures(page: ReportPage, results: dict[str, Result]) -> None:
    """Show some validation images beside the scores of the models.

    Args:
        page (ReportPage): Added to.
        results (dict[str, Result]): By name; their folders hold the
            predictions.
    """
    predictions = {name: mmengine.load(results[name].folder / 'predictions.pkl') for name in SHOWN}
    chosen = choose(predictions)
    rows = []
    for i in chosen:
        sample = predictions[SHOWN[0]][i]
        truth = int(sample['gt_label'])
        rows.append(
            [draw_image(cv2.imread(sample['img_path']))]
            + [
                draw_scores(predictions[name][i]['pred_score'].tolist(), truth, CLASSES)
                for name in SHOWN
            ]
        )
    page.section('Predictions')
    page.pictures(
        ['image', *(results[name].title for name in SHOWN)],
        rows,
        'Validation images: first some that not all models read rightly, then '
        'some that they do. Bars: scores of the ten classes; the ring marks '
        'the right one.',
    )


def choose(predictions: dict[str, list[dict]]) -> list[int]:
    """Choose the images to show.

    Up to six that a model gets wrong, spread over all such, and of the others
    as many as make eight.

    Args:
        predictions (dict[str, list[dict]]): Name of a model to the samples of
            its test, with ``pred_label`` and ``gt_label``.

    Returns:
        list[int]: Indices of samples.
    """
    samples = list(zip(*predictions.values()))
    wrong = [
        i
        for i, models in enumerate(samples)
        if any(int(m['pred_label']) != int(m['gt_label']) for m in models)
    ]
    right = sorted(set(range(len(samples))) - set(wrong))
    chosen = _spread(wrong, NUM_WRONG)
    return chosen + _spread(right, NUM_PICTURES - len(chosen))


def _spread(indices: list[int], count: int) -> list[int]:
    count = min(count, len(indices))
    return [indices[i * len(indices) // count] for i in range(count)]


def add_data(page: ReportPage, counts: dict[str, int]) -> None:
    """Say where the images are from.

    Args:
        page (ReportPage): Added to.
        counts (dict[str, int]): Images of ``pool``, ``train`` and ``val``.
    """
    page.section(
        'Data',
        'Handwritten digits of scikit-learn (UCI optical digits, 8 x 8 '
        'scans), enlarged. They are in the order of their writers, and the '
        'validation images are the last ones: mostly of other hands. '
        "The students' images are part of the pool. Accuracy here says "
        'nothing about CIFAR-100 or ImageNet.',
    )
    words = dict(pool="the teacher's", train="the students'", val='validation')
    page.table(['split', 'images'], [[words[split], str(n)] for split, n in counts.items()])


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
                'Evaluate the distilled student again, and draw its predictions',
                f'INRN_DIGITS_ROOT={work_dir / "data"} python tools/test.py '
                f'{student.config} {student.weights} --show-dir pictures',
            ),
            ('Your own folder of images, CIFAR-100, ImageNet, heat maps', 'docs/classification.md'),
            ('The same for detection', 'bash tools/demo.sh'),
        ]
    )
