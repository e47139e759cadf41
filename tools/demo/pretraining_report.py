"""The page that the pretraining demo ends with."""

from pathlib import Path

from inrn_mm.utils.logs import read_scalars

from .options import DemoOptions
from .page import ReportPage
from .report import QUICK, add_curves, add_results, add_times, figure_of, load_results
from .steps import clock
from .trainings import Model, checkpoint

TOP1 = 'accuracy/top1'


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
    page = ReportPage(
        'INRN-S pretrained without labels',
        f'INRN-S sees {counts["pool"]} handwritten digits without labels, under an '
        'EfficientNet-Lite0 that was trained on ImageNet, and then learns to read from '
        f'{counts["train"]} of them with labels; beside it the same network begins with random '
        'weights.' + (QUICK if options.quick else ''),
        facts={
            'top-1 pretrained': figure_of(results['pretrained'].metric(TOP1), 1) + ' %',
            'top-1 from random weights': figure_of(results['student'].metric(TOP1), 1) + ' %',
            'time in all': clock(sum(seconds.values())),
        },
    )
    add_results(
        page,
        results,
        {'top-1 (%)': TOP1, 'top-5 (%)': 'accuracy/top5'},
        f'Accuracy on {counts["val"]} validation images, mostly of other hands. One seed: a smoke '
        'figure. The time of the pretraining is not in it.',
        digits=1,
    )
    add_curves(page, results, {'top-1 (%)': TOP1}, 'The loss is the cross-entropy.')
    add_probes(page, work_dir / 'pretrain')
    add_times(page, estimated, seconds)
    page.section('Go on')
    weights = checkpoint(work_dir / 'pretrain')
    page.commands(
        [
            (
                'The backbone alone, for any config',
                f'python tools/publish_model.py {weights} a.pth',
            ),
            ('Your own folder of images', 'docs/pretraining.md'),
        ]
    )
    page.write(work_dir / 'report.html')


def add_probes(page: ReportPage, folder: Path) -> None:
    """Show what the features told of the classes while they were learnt.

    Args:
        page (ReportPage): Added to.
        folder (Path): The pretraining's work_dir.
    """
    _, probes = read_scalars(folder)
    page.section(
        'The pretraining',
        'Half of the validation images are asked for by the other half, after each epoch.',
    )
    rows = [
        [str(i), *(figure_of(line[f'probe/{name}'], 1) for name in ('knn', 'linear'))]
        for i, line in enumerate(probes, 1)
    ]
    page.table(['epoch', 'nearest neighbours (%)', 'linear layer (%)'], rows)
