"""Fit several methods to the same image or video and compare them.

Each fit has a folder of its own below --out. Started again, finished fits are
left alone and an interrupted one goes on. The table (Markdown, CSV, JSON), the
PSNR over the time and the picture grid are written after each fit.
"""

import argparse
import sys
from pathlib import Path

from fit_arguments import add_study_options, job_options

EXAMPLES = """examples:
  python tools/compare_fits.py photo.png \\
      --configs configs/fitting/{inrn,siren,finer,fourier}_image.py \\
      --parameters 100000 --max-seconds 60 --out work_dirs/compare_photo
  python tools/compare_fits.py data/bunny --size 180 320 \\
      --configs configs/fitting/{inrn,nerv,hnerv}_video.py \\
      --parameters 1500000 --max-seconds 600
  (the same again after an interruption)"""


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('input', help='image, folder of frames or video')
    parser.add_argument(
        '--configs',
        nargs='+',
        required=True,
        metavar='CONFIG[+KEY=VALUE...]',
        help='one for each method; +KEY=VALUE changes an entry of this one alone, as in '
        'inrn_video.py+model.net.arch=mlp',
    )
    parser.add_argument(
        '--clock',
        choices=['wall', 'cpu'],
        default='wall',
        help="of --max-seconds: cpu is the processor's time, for machines "
        'that others use too (default: wall)',
    )
    parser.add_argument('--frame', type=int, help='shown in the grid (default: the middle)')
    parser.add_argument(
        '--zoom',
        type=int,
        nargs=4,
        action='append',
        default=[],
        metavar=('TOP', 'LEFT', 'H', 'W'),
        help='zoomed part of the grid; may be given several times (default: two with much detail)',
    )
    add_study_options(
        parser,
        'work_dirs/compare_ and the name of the input',
        ('parameters', 'bits'),
        max_seconds='equal time: train each so long',
        parameters='equal size: scale each network to about N parameters',
        cfg_options='override entries of all configs',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    # after parsing: these imports take seconds
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        from tools.studies.fit_comparison import compare, make_jobs, markdown

        out = args.out or Path('work_dirs', f'compare_{Path(args.input).stem}')
        options = job_options(args)
        if args.clock != 'wall':
            clock = {'default_hooks.param_scheduler.clock': args.clock}
            options['cfg_options'] = {**(options['cfg_options'] or {}), **clock}
        jobs = make_jobs(options.pop('input'), args.configs, out, **options)
        rows = compare(jobs, out, args.frame, [tuple(z) for z in args.zoom])
    print(f'\n{markdown(rows)}\nwritten to {out}/')


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tools.*
    main()
