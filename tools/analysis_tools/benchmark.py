"""Measure speed and memory: distillation, operators, several processes,
backbones, losses, fits, data."""

import argparse
import importlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

EXAMPLES = dict(
    distill="""--device cuda \\
      --amp float16 --size 800 1333 --variants bfloat16 all""",
    scaling='--processes 2 --batch 1',
    operators='--iters 15',
    backbone='--size 800 1333 --batch 1',
    losses='--shapes cifar --batch 64',
    fit='--networks INRN-S NeRV-S',
    data='--kind detection',
)
NOTES = """
What is compared runs in turn, A B A B, and ratios are medians over the
rounds. Let nothing else run on the machine meanwhile."""

# the names in tools.benchmark, which takes seconds to import
NETWORKS = [
    'INRN-S',
    'INRN-S flat',
    'INRN-M',
    'INRN-M flat',
    'INRN-L',
    'INRN-L flat',
    'ResNet-18',
    'ResNet-50',
    'ResNet-101',
    'RegNetX-1.6GF',
    'ConvNeXt-T',
    'MobileNetV2',
]
WAYS = [
    'channels_last',
    'bfloat16',
    'compiled',
    'deployed',
    'deployed_channels_last',
    'deployed_compiled',
]
FITS = ['INRN-S', 'INRN, interleaved', 'INRN-plus-fast', 'NeRV-S', 'SIREN']


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='\n'.join(['examples:', *map(_example, EXAMPLES), NOTES]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    _add_steps(commands)
    _add_backbone(commands)
    losses = _command(commands, 'losses', 'losses, forward and backward', 7, (256, 256), 2)
    losses.add_argument(
        '--shapes',
        choices=['coco', 'cifar'],
        default='coco',
        help='shapes of COCO detectors or of CIFAR classifiers, whose images '
        'have 32 x 32 pixels (default: %(default)s)',
    )
    # at this size INRN-S, INRN-plus-fast and NeRV-S have equal parameters
    fit = _command(commands, 'fit', 'fits of a video, one frame a step', 7, (96, 160), None)
    fit.add_argument(
        '--networks',
        nargs='+',
        default=FITS,
        choices=FITS,
        metavar='NAME',
        help=f'networks to fit, of {_names(FITS)} (default: all)',
    )
    _add_amp(fit)
    data = _command(commands, 'data', 'pipelines of training', 15, (480, 640), 64)
    data.add_argument(
        '--kind',
        choices=['cifar100', 'detection'],
        default='cifar100',
        help="pipelines of CIFAR-100, ours and mmpretrain's, or mmdet's of "
        'COCO (default: %(default)s)',
    )
    return parser


def _add_steps(commands: argparse._SubParsersAction) -> None:
    """Add the commands that time training steps."""
    distill = _command(commands, 'distill', 'one distilled training step', 9, (256, 256), 2)
    distill.add_argument(
        '--variants',
        nargs='*',
        default=['folded'],
        choices=['folded', 'channels_last', 'bfloat16', 'compiled', 'all'],
        help='options of the teacher to time too, or none (default: folded)',
    )
    distill.add_argument(
        '--peers',
        nargs='*',
        default=[],
        choices=['mmrazor', 'mmdet-ld'],
        help='distillers of other packages to time too: mmrazor 1.0.0, where '
        "it can be imported, with StageMSELoss; mmdet's LD, with GFL",
    )
    distill.add_argument('--no-memory', action='store_true', help='measure the times only')
    scaling = _command(
        commands, 'scaling', 'steps of several processes beside those of one', 5, (256, 256), 2
    )
    scaling.add_argument(
        '--processes',
        type=int,
        default=2,
        help='number of processes, each with a device, a batch and threads of '
        'its own (default: %(default)s)',
    )
    operators = _command(
        commands, 'operators', "mmcv's compiled operators beside torchvision's", 9, (256, 256), 2
    )
    for command in (distill, scaling, operators):
        command.add_argument(
            '--config',
            default='configs/inrn/faster-rcnn_inrn-m_kd_coco.py',
            help='config of a distilled training (default: %(default)s)',
        )
        _add_amp(command)


def _add_backbone(commands: argparse._SubParsersAction) -> None:
    """Add the command that times backbones."""
    backbone = _command(commands, 'backbone', 'backbones beside ResNet-50', 7, (224, 224), 8)
    backbone.add_argument(
        '--networks',
        nargs='+',
        default=['INRN-M', 'INRN-L'],
        choices=NETWORKS,
        metavar='NAME',
        help=f'backbones to time, of {_names(NETWORKS)} (default: INRN-M INRN-L)',
    )
    backbone.add_argument(
        '--ways',
        nargs='*',
        default=['channels_last', 'deployed', 'deployed_channels_last'],
        choices=WAYS,
        metavar='WAY',
        help=f'ways to run them besides eager, of {_names(WAYS)} (default: '
        'channels_last deployed deployed_channels_last)',
    )
    backbone.add_argument(
        '--train',
        action='store_true',
        help='time forward and backward instead of the forward alone',
    )
    backbone.add_argument('--no-memory', action='store_true', help='measure the times only')


def _add_amp(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        '--amp',
        choices=['float16', 'bfloat16'],
        help='train in mixed precision of this type (default: float32)',
    )


def _command(
    commands: argparse._SubParsersAction,
    name: str,
    text: str,
    iters: int,
    size: tuple[int, int],
    batch: int | None,
) -> argparse.ArgumentParser:
    """Add a sub-command with the options that all have, and their defaults."""
    command = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=f'example:\n{_example(name)}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument('--device', default='cpu', help='cpu or cuda (default: %(default)s)')
    command.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=size,
        metavar=('H', 'W'),
        help=f'height and width of the images (default: {size[0]} {size[1]})',
    )
    if batch:
        command.add_argument(
            '--batch', type=int, default=batch, help='images in a batch (default: %(default)s)'
        )
    command.add_argument(
        '--iters', type=int, default=iters, help='rounds that are timed (default: %(default)s)'
    )
    command.add_argument(
        '--warmup',
        type=int,
        default=2,
        help='rounds before them that are not timed (default: %(default)s)',
    )
    command.add_argument(
        '--threads', type=int, help="torch's threads in each process (default: all cores are used)"
    )
    command.add_argument('--json', help='write the result to this file too')
    return command


def _example(name: str) -> str:
    return f'  python tools/analysis_tools/benchmark.py {name} {EXAMPLES[name]}'


def _names(names: Iterable[str]) -> str:
    """Quote the names, for some have spaces."""
    return ', '.join(map(repr, names))


def main():
    args = make_parser().parse_args()

    # after parsing: these imports take seconds
    import torch

    import inrn_mm  # noqa: F401
    from inrn_mm.utils.user_error import user_errors
    from tools.benchmark.table import print_table

    if args.threads:
        torch.set_num_threads(args.threads)
    with user_errors():
        module = importlib.import_module(f'tools.benchmark.{args.command}')
        result = module.run(args)
    print_table(result['rows'], module.COLUMNS)
    for key, value in result.items():
        if key != 'rows':
            print(f'{key}: {value}')
    if args.json:
        result.update(command=sys.argv[1:])
        with open(args.json, 'w') as file:
            json.dump(result, file, indent=1)


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # tools.*
    main()
