"""Decode a compact file: all of it, some frames, a part, at any size."""

import argparse

EXAMPLES = """examples:
  python tools/decode.py fit.inrn out.png
  python tools/decode.py fit.inrn large.png --size 1024 1536
  python tools/decode.py fit.inrn corner.png --crop 0 0 128 128
  python tools/decode.py fit.inrn out.mp4 --frames 10:20
  python tools/decode.py fit.inrn slow/ --times 0 0.5 1 1.5 2  # between frames
  python tools/decode.py fit.inrn --info                       # what is in it
"""


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('file', help='compact file (.inrn)')
    parser.add_argument(
        'out', nargs='?', help='an image for one frame, a video, or a folder for PNG frames'
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help="decode at this size (default: the input's)",
    )
    parser.add_argument(
        '--crop',
        type=int,
        nargs=4,
        metavar=('TOP', 'LEFT', 'H', 'W'),
        help='decode this part only, in pixels of --size',
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        '--frames',
        metavar='A:B[:STEP]',
        help='these frames only, counted from 0 and without B; or one number',
    )
    which.add_argument(
        '--times',
        type=float,
        nargs='+',
        metavar='T',
        help='frame numbers, from 0, that may lie between frames',
    )
    parser.add_argument('--fps', type=float, help="of a video (default: the input's)")
    parser.add_argument('--device', help='such as cpu or cuda (default: the GPU, if any)')
    parser.add_argument(
        '--info', action='store_true', help='print what the file holds instead of decoding'
    )
    parser.add_argument('--force', action='store_true', help='overwrite what is there')
    args = parser.parse_args()
    if args.out is None and not args.info:
        parser.error('name the output, or ask for --info.')
    return args


def main():
    args = parse_args()
    # after parsing: these imports take seconds
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        from inrn_mm.fitting.decode import decode_file, describe_file

        if args.info:
            print(describe_file(args.file))
        else:
            print(
                decode_file(**{name: value for name, value in vars(args).items() if name != 'info'})
            )


if __name__ == '__main__':
    main()
