"""Write the tables of docs/results.md from what comparisons have left.

Each results.json of compare_distillers.py that is kept below docs/results has its
place on the page, between two lines that name it. What stands there is written
anew; nothing between them is typed by hand.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = """examples:
  cp work_dirs/bccd/results.json docs/results/bccd.json
  python tools/analysis_tools/write_results.py
  python tools/analysis_tools/write_results.py --check   # is the page what the files say?"""


def main() -> None:
    """Write or check the page, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--page',
        type=Path,
        default=ROOT / 'docs' / 'results.md',
        help='the page; the files are in the folder of its name beside it (default: '
        'docs/results.md)',
    )
    parser.add_argument('--check', action='store_true', help='write nothing; fail if it would')
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))  # tools.*
    from tools.studies.markdown_table import write_between

    before = args.page.read_text()
    for file in sorted(args.page.with_suffix('').glob('*.json')):
        write_between(args.page, file.name, render(file))
    if args.check and args.page.read_text() != before:
        args.page.write_text(before)
        sys.exit(f'error: {args.page} is not what its files say; run this without --check.')


def render(file: Path) -> str:
    """Write what a comparison found, with the command that does it again.

    Args:
        file (Path): Its results.json.

    Returns:
        str: Markdown.
    """
    from tools.studies.comparison_report import write_table

    result = json.loads(file.read_text())
    table = write_table(
        result['rows'], result['runs'], result['plan'], result['images'], result.get('teacher')
    )
    versions = ', '.join(f'{name} {version}' for name, version in result['versions'].items())
    minutes = sum(run['seconds'] for run in result['runs']) / 60
    return (
        f'{table}\n'
        f'    {result["command"]}\n\n'
        f'{len(result["runs"])} runs, {minutes:.0f} minutes; library of commit {result["commit"]}; '
        f'{versions}. '
        f"Each run's command, curve and hashes: [{file.name}](results/{file.name})."
    )


if __name__ == '__main__':
    main()
