"""Show what a fit is good for, measured against the usual way.

superres     fit the shrunk image, decode at the full size
interpolate  fit every second frame, decode those between
denoise      fit the image with noise added, stop early
"""

import argparse
import sys
from pathlib import Path

TOOLS = Path(__file__).parents[1]
sys.path[:0] = [str(TOOLS), str(TOOLS.parent)]
from fit_arguments import CONFIGS, add_study_options, job_options  # noqa: E402

EXAMPLES = """examples:
  python tools/analysis_tools/fit_applications.py superres photo.png
  python tools/analysis_tools/fit_applications.py interpolate data/bunny \\
      --size 180 320 --frames 33 --config configs/fitting/nerv_video.py
  python tools/analysis_tools/fit_applications.py denoise photo.png --sigma 25
"""
TASKS = ('superres', 'interpolate', 'denoise')


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('task', choices=TASKS, help='what to show, see above')
    parser.add_argument('input', help='image, folder of frames or video')
    parser.add_argument(
        '--config', help='config file (default: configs/fitting/siren_image.py, or inrn_video.py)'
    )
    parser.add_argument('--factor', type=int, default=2, help='of superres (default: 2)')
    parser.add_argument(
        '--sigma',
        type=float,
        default=25.0,
        help='standard deviation of the noise of denoise, of 255 levels (default: 25)',
    )
    add_study_options(parser, 'work_dirs/ and the names of task and input', ('parameters',))
    return parser.parse_args()


def main():
    args = parse_args()
    # after parsing: these imports take seconds
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        from inrn_mm.fitting.options import FitJob
        from tools.studies import fit_applications as applications

        out = args.out or Path('work_dirs', f'{args.task}_{Path(args.input).stem}')
        default = 'inrn_video' if args.task == 'interpolate' else 'siren_image'
        args.config = args.config or str(CONFIGS / f'{default}.py')
        job = FitJob(**job_options(args))
        if args.task == 'superres':
            found = applications.super_resolve(job, out, args.factor)
        elif args.task == 'interpolate':
            found = applications.interpolate(job, out)
        else:
            found = applications.denoise(job, out, args.sigma)
    print(f'\n{applications.markdown(found)}\nwritten to {out}/')


if __name__ == '__main__':
    main()
