"""Inject all faults and write the table of docs/reliability.md.

usage: python tests/faults/run.py [--few] [--only AREA]
"""

import argparse
import logging
import re
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / 'docs' / 'reliability.md'
TABLE = re.compile(r'(<!-- faults -->\n).*?(<!-- end of faults -->)', re.DOTALL)


def main() -> None:
    """Inject, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--few', action='store_true', help='as the tests do; writes nothing')
    parser.add_argument('--only', help='one area; writes nothing')
    args = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]
    logging.disable(logging.WARNING)

    from faults.areas import AREAS
    from faults.injection import inject

    rows, lost = [], 0
    for name, (area, few, many) in AREAS.items():
        if args.only not in (None, name):
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            tallies = inject(area, few if args.few else many, Path(folder))
        print(f'{name}: {time.monotonic() - start:.0f} s', file=sys.stderr)
        for kind, tally in sorted(tallies.items()):
            rows.append((name, kind, tally.injected, tally.said, tally.harmless, len(tally.lost)))
            lost += len(tally.lost)
            for reason in tally.lost[:5]:
                print(f'  lost, {kind}: {reason}', file=sys.stderr)
    head = ('area', 'fault', 'injected', 'ended in a sentence', 'did no harm', 'lost')
    total = ('all', '', *(sum(row[i] for row in rows) for i in range(2, 6)))
    lines = [head, ('---', '---', '--:', '--:', '--:', '--:'), *rows, total]
    table = '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines)
    print(table)
    if not (args.few or args.only):
        page = PAGE.read_text()
        PAGE.write_text(TABLE.sub(lambda found: f'{found.group(1)}{table}\n{found.group(2)}', page))
    sys.exit(bool(lost))


if __name__ == '__main__':
    main()
