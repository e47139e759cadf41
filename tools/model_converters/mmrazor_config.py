"""Turn a distillation config of MMRazor into one of this package.

The new config is based on the student's own, as a person would write it: three
names, the pairs of layers, and what the original has otherwise (schedule, data).
Like every config it is code, which reading runs.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = """examples:
  python tools/model_converters/mmrazor_config.py \\
      mmrazor/configs/distill/mmdet/pkd/pkd_fpn_retina_x101_retina_r50_2x_coco.py mine.py
  python tools/train.py mine.py"""


def main() -> None:
    """Convert a file, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', type=Path, help="MMRazor's config")
    parser.add_argument('out', type=Path, nargs='?', help='the new config (default: print it)')
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))  # tools.*
    from inrn_mm.utils.user_error import user_errors
    from tools.studies.mmrazor_configs import convert

    with user_errors():
        text = convert(args.config)
        if args.out is None:
            print(text)
        else:
            args.out.write_text(text)
            print(f'{args.out} is written: python tools/train.py {args.out} --print-pairs')


if __name__ == '__main__':
    main()
