"""Tell why a distillation does not help.

Is the teacher better than the student on this validation set at all? How strong
are the losses beside the task, and do they pull the same way? How much of the
teacher's features does the student know already? Ends in three sentences;
docs/distillation.md says what each figure means.
"""

import argparse
import json
import sys
from pathlib import Path

from mmengine.config import DictAction

EXAMPLES = """examples:
  python tools/analysis_tools/diagnose_distillation.py CONFIG work_dirs/run/epoch_12.pth
  python tools/analysis_tools/diagnose_distillation.py CONFIG --no-metrics --num-batches 8
  python tools/analysis_tools/diagnose_distillation.py STUDENT_CONFIG epoch_12.pth \\
      --teacher mmdet::retinanet/retinanet_r101_fpn_2x_coco.py --method pkd --out why.json"""


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='distilled config, or that of a student with --teacher')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='checkpoint of the student, distilled or plain (default: as training begins, without '
        'a metric of the student)',
    )
    parser.add_argument(
        '--teacher',
        nargs='+',
        metavar=('CONFIG', 'CHECKPOINT'),
        help="as for tools/train.py: the teacher's config and its weights",
    )
    parser.add_argument(
        '--method', nargs='+', metavar='NAME', help='as for tools/train.py: what is compared'
    )
    parser.add_argument(
        '--num-batches',
        type=int,
        default=32,
        metavar='N',
        help='training batches that features and gradients are measured on; the features of a '
        'quarter are held out (default: 32)',
    )
    parser.add_argument(
        '--no-metrics',
        action='store_true',
        help='a quick look: no metrics, and predictions are compared on N validation batches',
    )
    parser.add_argument('--out', type=Path, metavar='FILE', help='write all figures to this .json')
    parser.add_argument(
        '--allow-pickle',
        action='store_true',
        help='load checkpoints that can run any code while loading: only for files you trust',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config',
    )
    parser.set_defaults(work_dir=None, launcher='none')
    args = parser.parse_args()
    if args.num_batches < 4:
        parser.error('--num-batches must be at least 4: some to fit a map, others to test it')
    return args


def track(items, total, text):
    """Show the progress on standard error."""
    from rich.console import Console
    from rich.progress import track as bar

    return bar(items, text, total=total, console=Console(stderr=True), transient=True)


def main():
    args = parse_args()
    # after parsing: these imports take seconds
    from rich.console import Console

    from inrn_mm.utils.user_error import user_errors
    from tools.diagnosis.run import diagnose
    from tools.diagnosis.tables import print_report

    with user_errors():
        report = diagnose(args, track)
        if args.out:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps(report, indent=1) + '\n')
    print_report(report, Console())


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # tools.*
    main()
