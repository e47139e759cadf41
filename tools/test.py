"""Test (and evaluate) a model."""

from arguments import make_parser, parse

EXAMPLES = """\
  python tools/test.py configs/inrn/faster-rcnn_inrn-m_coco.py epoch_12.pth
  python tools/test.py CONFIG CHECKPOINT --show-dir pictures --out results.pkl
  bash tools/dist_test.sh CONFIG CHECKPOINT 8    # 8 GPUs
A checkpoint of a distilled training fits the plain config too."""


def main() -> None:
    parser = make_parser(__doc__, EXAMPLES)
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument('--out', help='write the predictions to this .pkl')
    parser.add_argument('--show', action='store_true', help='show the predictions')
    parser.add_argument(
        '--show-dir',
        help='draw the predictions into this folder; a relative one is made in work_dir/timestamp/',
    )
    parser.add_argument('--wait-time', type=float, default=2, help='seconds of --show')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    args = parse(parser)

    # after parsing: these imports take seconds
    from inrn_mm.engine.launch import test
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        test(args)


if __name__ == '__main__':
    main()
