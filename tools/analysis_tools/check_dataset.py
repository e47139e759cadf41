"""Check the data sets of a config: every annotation, and every image.

Findings are listed by how bad they are:
  fatal    training or evaluation would end by it
  error    they go on, and the result is wrong
  warning  probably not meant
  note     good to know
The exit code is 1 if anything is fatal or an error.
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction

EXAMPLES = """examples:
  python tools/analysis_tools/check_dataset.py CONFIG
  python tools/analysis_tools/check_dataset.py CONFIG --decode --report report
  python tools/analysis_tools/check_dataset.py CONFIG --splits train val \\
      --cfg-options train_dataloader.dataset.data_root=data/mine/"""


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--decode',
        action='store_true',
        help='decode every image as the training does, in place of reading its size',
    )
    parser.add_argument(
        '--report', metavar='FOLDER', help='write index.html, a page of figures and pictures'
    )
    parser.add_argument(
        '--splits',
        nargs='+',
        choices=('train', 'val', 'test'),
        default=('train', 'val', 'test'),
        help='dataloaders to look at (default: all that the config has)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config',
    )
    return parser.parse_args()


def track(items, total, text):
    """Show the progress on standard error."""
    from rich.console import Console
    from rich.progress import track as bar

    return bar(items, text, total=total, console=Console(stderr=True), transient=True)


def print_findings(found):
    """List the findings, worst first.

    Args:
        found (Findings): What was found.
    """
    for finding in found:
        count = f' ({finding.count} times)' if finding.count > 1 else ''
        file = f'{finding.file}: ' if finding.file else ''
        print(f'\n{finding.severity.upper()}: {file}{finding.text}{count}')
        for item in finding.items:
            print(f'    {item}')
        if finding.count > len(finding.items):
            print(f'    and {finding.count - len(finding.items)} more')
        print(f'  cure: {finding.cure}')


def main():
    args = parse_args()
    # after parsing: these imports take seconds
    import inrn_mm  # noqa: F401, for bases written inrn_mm::...
    from inrn_mm.datasets.checks import check_config
    from inrn_mm.datasets.checks.findings import SEVERITIES
    from inrn_mm.engine.config_file import read_config
    from inrn_mm.utils.config_types import init_scope
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        cfg = read_config(args.config, args.cfg_options)
        init_scope(cfg)
        found, sets = check_config(cfg, args.splits, args.decode, track=track)
        print_findings(found)
        images = ', '.join(f'{len(s.records)} images of {s.name}' for s in sets)
        counts = ', '.join(f'{len(found.of(s))} {s}' for s in SEVERITIES)
        print(f'\nLooked at {images or "nothing"}. Kinds of findings: {counts}.')
        if args.report:
            from tools.dataset_report import write_page

            print(f'The page: {write_page(Path(args.report), cfg, sets, found)}')
    sys.exit(1 if found.of('fatal', 'error') else 0)


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # tools.*
    main()
