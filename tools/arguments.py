"""The arguments that train.py and test.py share, as in MMDetection."""

import argparse
import os
from collections.abc import Sequence

from mmengine.config import DictAction


def make_parser(description: str, examples: str) -> argparse.ArgumentParser:
    """Make a parser with the arguments of both tools.

    Args:
        description (str): One line.
        examples (str): Shown under the options.

    Returns:
        ArgumentParser: The parser, to add the tool's own arguments to.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog=f'examples:\n{examples}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir',
        help="folder for logs, metrics and checkpoints (default: the config's"
        ' work_dir, else work_dirs/ and the name of the config)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config, e.g. '
        'train_dataloader.batch_size=4 model.backbone.arch=l; lists as '
        'key="[a,b]"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='who started the processes of a distributed job',
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )  # passed by torch.distributed.launch
    parser.add_argument(
        '--allow-pickle',
        action='store_true',
        help='load checkpoints that can run any code while loading: only for files you trust',
    )
    return parser


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse, and tell mmengine the local rank."""
    args = parser.parse_args(argv)
    # Open MPI has a name of its own
    local_rank = os.environ.get('OMPI_COMM_WORLD_LOCAL_RANK', args.local_rank)
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
    return args
