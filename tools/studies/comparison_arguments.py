"""The arguments of analysis_tools/compare_distillers.py."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path


def make_parser(description: str, examples: str, presets: dict[str, dict]) -> ArgumentParser:
    """Make the parser.

    Args:
        description (str): What the tool does.
        examples (str): Shown under the options.
        presets (dict[str, dict]): Entries of presets.yml.

    Returns:
        ArgumentParser: The parser.
    """
    parser = ArgumentParser(
        description=description, epilog=examples, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'configs', nargs='*', type=Path, help='config files, or that of the student for --methods'
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        default=[],
        metavar='NAME',
        help='train the student alone and by these methods, pkd+kd by two at once; '
        '--cfg-options are for all',
    )
    parser.add_argument(
        '--teacher',
        nargs='+',
        default=[],
        metavar=('CONFIG', 'CHECKPOINT'),
        help='of --methods, as in tools/train.py; also in place of that of a preset',
    )
    parser.add_argument(
        '--preset',
        choices=presets,
        metavar='NAME',
        help='configs of configs/classification in place of a list, with the '
        'published figures beside ours: '
        + '; '.join(f'{n}: {p["about"]}' for n, p in presets.items()),
    )
    add_run_arguments(parser)
    add_statistics_arguments(parser)
    return parser


def add_run_arguments(parser: ArgumentParser) -> None:
    """Add what all runs are trained and compared by."""
    parser.add_argument(
        '--baseline',
        type=Path,
        help='config of the student alone: the first row, and what the gains '
        'are over (default: that of the preset, else none)',
    )
    parser.add_argument(
        '--metric',
        nargs='+',
        help='keys of the log, the first decides; a training loss such as loss_cls too (the '
        'total `loss` has the distillation in it) (default: accuracy/top1 and '
        'accuracy/top5 of a preset, accuracy/top1 of classifiers, else '
        'coco/bbox_mAP)',
    )
    options = dict(
        cfg='passed to every run, as in tools/train.py',
        student="options of the student's model, in distilled and plain configs "
        'alike: neck.out_channels=64 is model.student.neck.out_channels=64 or '
        'model.neck.out_channels=64',
        distill='passed to the distilled configs only, such as model.teacher_checkpoint=FILE',
    )
    for name, text in options.items():
        parser.add_argument(
            f'--{name}-options', nargs='+', default=[], metavar='KEY=VALUE', help=text
        )
    parser.add_argument('--gpus', type=int, default=1, help='GPUs of each run (default: 1)')
    parser.add_argument(
        '--jobs',
        type=int,
        help='runs beside each other on each GPU, or else on the CPU, whose '
        'cores they share (default: one run at a time)',
    )
    parser.add_argument(
        '--max-minutes',
        type=float,
        help='stop after this time; the same command goes on from the last '
        'checkpoints (default: no limit)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/compare'),
        help='folder (default: work_dirs/compare)',
    )


def add_statistics_arguments(parser: ArgumentParser) -> None:
    """Add what the verdict depends on."""
    parser.add_argument('--seeds', nargs='+', type=int, default=[0], help='(default: 0)')
    parser.add_argument('--num-seeds', type=int, metavar='N', help='the seeds 0 to N - 1')
    parser.add_argument(
        '--gain',
        type=float,
        default=0.0,
        help='the difference of the first metric that matters, in its own unit '
        '(0.005 is half a point of coco/bbox_mAP); fixed by the first start (default: 0)',
    )
    parser.add_argument(
        '--bootstrap',
        type=int,
        default=0,
        metavar='N',
        help="draw the images N times anew for each pair of detectors' checkpoints (default: 0)",
    )
    parser.add_argument(
        '--halve',
        action='store_true',
        help='after 2, 4, 8 ... seeds stop the worse half of the methods; the verdict of those '
        'that go on counts the seeds since',
    )
    parser.add_argument(
        '--controls',
        action='store_true',
        help='two more rows of the first method: with weight 0, which must be the student '
        'alone, and with a teacher of random weights, which must not be better',
    )
