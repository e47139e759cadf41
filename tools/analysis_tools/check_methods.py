"""Try students of all kinds under teachers of all kinds by all methods.

Each is built, shrunk and with random weights, and trained for one step on a made
image. The table says what works and what is refused, and by which sentence; the
exit status is 1 if one ends in anything else.
"""

import argparse
import multiprocessing
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

from rich.progress import track

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = """examples:
  python tools/analysis_tools/check_methods.py --student RetinaNet --method pkd kd
  python tools/analysis_tools/check_methods.py --jobs 2 --out docs/methods.md"""


def prepare() -> None:
    """Make a process ready for trials."""
    import logging
    import warnings

    import torch
    from mmdet.utils import register_all_modules

    import inrn_mm  # noqa: F401

    warnings.simplefilter('ignore')
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    register_all_modules(init_default_scope=False)
    import mmpretrain.models  # noqa: F401


def run(job: tuple[str, str, str]):
    """Try a student, a teacher and a method."""
    from tools.studies.method_trials import try_method

    return try_method(*job)


def make_table(found: dict, methods: list[str]) -> str:
    """Write what became of all trials.

    Args:
        found (dict): The trials by student, teacher and method.
        methods (list[str]): The columns.

    Returns:
        str: Versions, a table and the sentences that it counts.
    """
    from tools.studies.markdown_table import markdown_table

    sentences: list[str] = []
    rows = []
    for student, teacher in dict.fromkeys(key[:2] for key in found):
        cells = []
        for method in methods:
            trial = found[student, teacher, method]
            # which methods fit is the table itself
            text = trial.text.replace('|', '/').split('; methods that fit')[0]
            text = text.partition(' cannot be taken: ')[2] or text
            if trial.status != 'works' and text not in sentences:
                sentences.append(text)
            number = sentences.index(text) + 1 if text else 0
            cells.append({'works': 'yes', 'error': f'**{number}**'}.get(trial.status, str(number)))
        rows.append([student, teacher, *cells])
    count = {s: sum(t.status == s for t in found.values()) for s in ('works', 'refused', 'error')}
    packages = ', '.join(f'{name} {version(name)}' for name in ('torch', 'torchvision'))
    lines = [
        f'{count["works"]} of {len(found)} work, {count["refused"]} are refused by a sentence and '
        f'{count["error"]} end otherwise. Python {platform.python_version()}, {packages}, '
        f'{platform.machine()} CPU.',
        '',
        markdown_table(['student', 'teacher', *methods], rows),
        '',
        *(f'{i}. {text}' for i, text in enumerate(sentences, 1)),
    ]
    return '\n'.join(lines)


def main() -> None:
    """Run trials, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--student', nargs='+', metavar='NAME', help='(default: all)')
    parser.add_argument('--method', nargs='+', metavar='NAME', help='(default: all)')
    parser.add_argument('--jobs', type=int, default=1, help='processes (default: 1)')
    parser.add_argument('--out', type=Path, help='page that gets the table (default: print it)')
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))  # tools.*
    prepare()
    from inrn_mm.distillation.methods import list_methods
    from tools.studies.markdown_table import write_between
    from tools.studies.method_trials import PAIRS

    methods = args.method or list_methods()
    students = args.student or list(dict.fromkeys(student for student, _ in PAIRS))
    for wanted, known in ((methods, list_methods()), (students, [s for s, _ in PAIRS])):
        if unknown := set(wanted) - set(known):
            parser.error(
                f'there is no {", ".join(sorted(unknown))}: choose of {sorted(set(known))}'
            )
    jobs = [(*pair, method) for pair in PAIRS if pair[0] in students for method in methods]
    context = multiprocessing.get_context('fork')  # what is imported stays imported
    with ProcessPoolExecutor(args.jobs, context) as pool:
        found = dict(zip(jobs, track(pool.map(run, jobs), 'trying', len(jobs))))
    table = make_table(found, methods)
    if args.out:
        write_between(args.out, Path(__file__).name, table)
    print(table)
    if any(trial.status == 'error' for trial in found.values()):
        raise SystemExit(1)


if __name__ == '__main__':
    main()
