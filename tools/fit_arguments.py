"""The arguments that the tools which fit share."""

import argparse
from pathlib import Path

CONFIGS = Path(__file__).parents[1] / 'configs' / 'fitting'


def run(description: str, examples: str, kind: str) -> None:
    """Parse, fit and print the result.

    Args:
        description (str): One line.
        examples (str): Shown under the options.
        kind (str): ``'image'`` or ``'video'``.
    """
    args = make_parser(description, examples, kind).parse_args()

    # after parsing: these imports take seconds
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        from inrn_mm.fitting.job import FitJob, run_fit, summary

        job = FitJob(**vars(args))
        metrics = run_fit(job)
    print(f'{summary(metrics)}\nwritten to {job.work_dir}/')


def make_parser(description: str, examples: str, kind: str) -> argparse.ArgumentParser:
    """A parser whose arguments are those of a FitJob."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog=f'examples:\n{examples}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    video = kind == 'video'
    parser.add_argument(
        'input',
        metavar='FRAMES_OR_VIDEO' if video else 'IMAGE',
        help='folder of frames or video file'
        if video
        else 'image file: gray, RGB, RGBA, 8 or 16 bits',
    )
    parser.add_argument(
        '--config',
        default=str(CONFIGS / f'inrn_{kind}.py'),
        help=f'config file (default: configs/fitting/inrn_{kind}.py)',
    )
    add_input_options(parser, video)
    parser.add_argument(
        '--parameters',
        type=int,
        metavar='N',
        help="scale the network's widths to about N parameters",
    )
    parser.add_argument(
        '--max-seconds',
        type=float,
        help='train so long, with the schedule spread over it; evaluation does not count',
    )
    parser.add_argument(
        '--target-psnr', type=float, metavar='DB', help='end when an evaluation reaches this'
    )
    parser.add_argument(
        '--bits',
        type=int,
        default=8,
        help='bits of a weight in the compact file: 2 to 8, 16, or 32 for exact (default: 8)',
    )
    parser.add_argument(
        '--prune',
        type=float,
        metavar='SHARE',
        help='set this share of the weights to zero after three quarters of the training',
    )
    parser.add_argument(
        '--work-dir',
        help='folder for all products (default: work_dirs/ and the names of config and input)',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint; without a name, from the last '
        'readable one of the work_dir',
    )
    parser.add_argument(
        '--force', action='store_true', help='begin anew over earlier products and checkpoints'
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision; without a GPU in bfloat16, for CPUs with units for it',
    )
    from mmengine.config import DictAction

    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config, e.g. train_cfg.max_iters=2000 model.tile=256',
    )
    parser.add_argument(
        '--allow-pickle',
        action='store_true',
        help='load checkpoints that can run any code while loading: only for files you trust',
    )
    return parser


def add_output_options(
    parser: argparse.ArgumentParser, folder: str, configs: str = 'the config'
) -> None:
    """Where to write, and what to change, of tools that fit several times.

    Args:
        parser (ArgumentParser): The tool's.
        folder (str): The default of ``--out``, in words.
        configs (str): Whose entries are overridden.
            Defaults to ``'the config'``.
    """
    parser.add_argument('--out', type=Path, help=f'folder (default: {folder})')
    parser.add_argument(
        '--force', action='store_true', help='fit again what was fitted with other settings'
    )
    from mmengine.config import DictAction

    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help=f'override entries of {configs}',
    )


def add_input_options(parser: argparse.ArgumentParser, video: bool) -> None:
    """What of the input to fit."""
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help='resize to this height and width first',
    )
    parser.add_argument(
        '--crop',
        type=int,
        nargs=4,
        metavar=('TOP', 'LEFT', 'H', 'W'),
        help='take this part, before resizing',
    )
    if video:
        parser.add_argument('--frames', type=int, metavar='N', help='take the first N frames')
        parser.add_argument(
            '--stride', type=int, default=1, metavar='N', help='take every Nth frame'
        )
        parser.add_argument(
            '--save-frames',
            action='store_true',
            help='write the fitted frames as PNG instead of one mp4, which is not exact',
        )
