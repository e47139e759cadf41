"""Quality over file size of a fit, beside JPEG or H.264 and H.265.

Networks of several sizes are fitted and each is written with several numbers
of bits. Started again, finished fits are left alone.
"""

import argparse
import sys
from pathlib import Path

TOOLS = Path(__file__).parents[1]
sys.path[:0] = [str(TOOLS), str(TOOLS.parent)]
from fit_arguments import add_study_options, job_options  # noqa: E402

EXAMPLES = """examples:
  python tools/analysis_tools/rate_distortion.py photo.png \\
      --config configs/fitting/siren_image.py --max-seconds 120 \\
      --parameters 10000 30000 100000
  python tools/analysis_tools/rate_distortion.py data/bunny --size 180 320 \\
      --config configs/fitting/nerv_video.py --parameters 300000 1000000"""


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('input', help='image, folder of frames or video')
    parser.add_argument('--config', required=True, help='config file')
    parser.add_argument(
        '--parameters',
        type=int,
        nargs='+',
        required=True,
        metavar='N',
        help='sizes of the networks',
    )
    parser.add_argument(
        '--bits', type=int, nargs='+', default=[8, 6, 4], help='of a weight (default: 8 6 4)'
    )
    add_study_options(parser, 'work_dirs/rd_ and the name of the input', ('prune',))
    return parser.parse_args()


def main():
    args = parse_args()
    # after parsing: these imports take seconds
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        from inrn_mm.fitting.options import FitJob
        from tools.studies.rate_distortion import rate_distortion, summary

        out = args.out or Path('work_dirs', f'rd_{Path(args.input).stem}')
        options = job_options(args)
        sizes, bits = options.pop('parameters'), options.pop('bits')
        points = rate_distortion(FitJob(**options), out, sizes, bits)
    print(f'\n{summary(points)}\nwritten to {out}/')


if __name__ == '__main__':
    main()
