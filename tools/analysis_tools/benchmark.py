"""Measure speed and memory: distillation, backbones, losses, fits, data."""
import argparse
import importlib
import json
import sys

EXAMPLES = """examples:
  python tools/analysis_tools/benchmark.py distill --size 256 256
  python tools/analysis_tools/benchmark.py distill --device cuda --amp float16 \\
      --size 800 1333 --variants bfloat16 all
  python tools/analysis_tools/benchmark.py scaling --device cuda --processes 8
  python tools/analysis_tools/benchmark.py backbone --size 800 1333 --batch 1
  python tools/analysis_tools/benchmark.py losses --shapes coco
  python tools/analysis_tools/benchmark.py fit --size 180 320
  python tools/analysis_tools/benchmark.py data --kind cifar100

What is compared runs in turn, A B A B, and ratios are medians over the
rounds. A benchmark wants the machine for itself."""  # noqa: E501

# the names in inrn_mm.benchmark, which takes seconds to import
NETWORKS = [
    'INRN-S', 'INRN-S flat', 'INRN-M', 'INRN-M flat', 'INRN-L', 'INRN-L flat',
    'ResNet-18', 'ResNet-50', 'ResNet-101', 'RegNetX-1.6GF', 'ConvNeXt-T',
    'MobileNetV2'
]
WAYS = [
    'channels_last', 'bfloat16', 'compiled', 'deployed',
    'deployed_channels_last', 'deployed_compiled'
]
FITS = ['INRN-S', 'INRN, interleaved', 'INRN-plus-fast', 'NeRV-S', 'SIREN']


def make_parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(
        dest='command', required=True, metavar='COMMAND')
    distill = _command(commands, 'distill', 'one distilled training step', 9,
                       (256, 256), 2)
    distill.add_argument(
        '--variants',
        nargs='*',
        default=['folded'],
        choices=['folded', 'channels_last', 'bfloat16', 'compiled', 'all'],
        help='options of the teacher to time beside')
    distill.add_argument(
        '--peers',
        nargs='*',
        default=[],
        choices=['mmrazor', 'mmdet-ld'],
        help='distillers of other packages to time beside: mmrazor 1.0.0, '
        'where it can be imported, with StageMSELoss; mmdet\'s LD, with GFL')
    distill.add_argument('--no-memory', action='store_true', help='times only')
    scaling = _command(commands, 'scaling',
                       'steps of several processes beside those of one', 5,
                       (256, 256), 2)
    for command in (distill, scaling):
        command.add_argument(
            '--config',
            default='configs/inrn/faster-rcnn_inrn-m_kd_coco.py',
            help='of a distilled training')
    scaling.add_argument(
        '--processes',
        type=int,
        default=2,
        help='each with its device, batch and threads')
    backbone = _command(commands, 'backbone', 'backbones beside ResNet-50', 7,
                        (224, 224), 8)
    backbone.add_argument(
        '--networks',
        nargs='+',
        default=['INRN-M', 'INRN-L'],
        choices=NETWORKS,
        metavar='NAME',
        help=f'of {", ".join(NETWORKS)}')
    backbone.add_argument(
        '--ways',
        nargs='*',
        default=['channels_last', 'deployed', 'deployed_channels_last'],
        choices=WAYS,
        metavar='WAY',
        help=f'besides eager, of {", ".join(WAYS)}')
    backbone.add_argument(
        '--train', action='store_true', help='forward and backward')
    backbone.add_argument(
        '--no-memory', action='store_true', help='times only')
    losses = _command(commands, 'losses', 'losses, forward and backward', 7,
                      (256, 256), 2)
    losses.add_argument(
        '--shapes', choices=['coco', 'cifar'], default='coco', help='of what')
    fit = _command(commands, 'fit', 'fits of a video, one frame a step', 7,
                   (180, 320), None)
    fit.add_argument(
        '--networks',
        nargs='+',
        default=FITS,
        choices=FITS,
        metavar='NAME',
        help=f'of {", ".join(FITS)}')
    for command in (distill, scaling, fit):
        command.add_argument(
            '--amp',
            choices=['float16', 'bfloat16'],
            help='mixed precision of this type')
    data = _command(commands, 'data', 'pipelines of training', 15, (480, 640),
                    64)
    data.add_argument(
        '--kind',
        choices=['cifar100', 'detection'],
        default='cifar100',
        help='which pipelines')
    return parser


def _command(commands, name, text, iters, size, batch):
    command = commands.add_parser(
        name,
        help=text,
        description=text,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    command.add_argument('--device', default='cpu', help='cpu or cuda')
    command.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=size,
        metavar=('H', 'W'),
        help='of the images')
    if batch:
        command.add_argument(
            '--batch', type=int, default=batch, help='images')
    command.add_argument('--iters', type=int, default=iters, help='rounds')
    command.add_argument(
        '--warmup', type=int, default=2, help='rounds that are not timed')
    command.add_argument(
        '--threads', type=int, help="torch's threads (default: all cores)")
    command.add_argument('--json', help='write the result to this file too')
    return command


def main():
    args = make_parser().parse_args()

    # after parsing: these imports take seconds
    import torch

    import inrn_mm  # noqa: F401
    from inrn_mm.benchmark.table import print_table
    from inrn_mm.engine.user_error import user_errors
    if args.threads:
        torch.set_num_threads(args.threads)
    with user_errors():
        module = importlib.import_module(f'inrn_mm.benchmark.{args.command}')
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
    main()
