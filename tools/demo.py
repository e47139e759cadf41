"""Run the whole job on data that ships inside packages.

Makes a small set of images, trains a teacher, a student alone and the student
distilled from the teacher, evaluates all three and writes a report; fitting
puts a photograph into the weights of networks instead. Called again after an
interruption, it goes on where it was.
"""

import argparse
import runpy
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def parse_args() -> argparse.Namespace:
    # not imported: --help works before anything is installed
    tasks = runpy.run_path(str(ROOT / 'tools/demo/tasks.py'))
    parser = argparse.ArgumentParser(
        prog='bash tools/demo.sh',
        description=__doc__,
        epilog='examples:\n'
        '  bash tools/demo.sh --quick --work-dir work_dirs/try\n'
        '  bash tools/demo.sh --task classification\n'
        '  bash tools/demo.sh --task fitting\n'
        '  bash tools/demo.sh --task pretraining',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--task',
        choices=tasks['TASKS'],
        default='detection',
        help='what to show (default: %(default)s)',
    )
    parser.add_argument(
        '--quick',
        action='store_true',
        help='a run of about a minute that only shows that everything works',
    )
    parser.add_argument(
        '--mask', action='store_true', help='Mask R-CNN in place of Faster R-CNN (detection only)'
    )
    parser.add_argument(
        '--work-dir',
        type=Path,
        help='folder of everything that is made (default: work_dirs/demo, '
        'with the task, if it is another one, -mask and -quick added)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the images and the trainings (default: %(default)s)'
    )
    args = parser.parse_args()
    if args.mask and args.task not in tasks['WITH_MASKS']:
        parser.error(
            f'--mask goes with {" or ".join(tasks["WITH_MASKS"])}: leave it out for {args.task}.'
        )
    return args


def main() -> None:
    args = parse_args()
    start = time.monotonic()
    # after parsing: these imports take seconds
    from tools.demo import DemoOptions, StepFailed, load_task

    work_dir = args.work_dir or Path(
        'work_dirs',
        'demo'
        + f'-{args.task}' * (args.task != 'detection')
        + '-mask' * args.mask
        + '-quick' * args.quick,
    )
    options = DemoOptions(quick=args.quick, mask=args.mask, seed=args.seed)
    try:
        report = load_task(args.task)(work_dir, options, ROOT)
    except StepFailed as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt:
        raise SystemExit('\nInterrupted. The same command goes on from here.') from None
    from tools.demo.steps import clock

    print(f'Done in {clock(time.monotonic() - start)}. The report: {report}')


if __name__ == '__main__':
    sys.path.insert(0, str(ROOT))
    main()
