"""Train a model."""

from arguments import make_parser, parse

EXAMPLES = """\
  python tools/train.py configs/inrn/faster-rcnn_inrn-m_kd_coco.py
  python tools/train.py mmdet::retinanet/retinanet_r50_fpn_1x_coco.py \\
      --teacher mmdet::retinanet/retinanet_r101_fpn_2x_coco.py --method pkd
  python tools/train.py CONFIG --resume          # go on after an interruption
  python tools/train.py CONFIG --cfg-options train_dataloader.batch_size=4
  bash tools/dist_train.sh CONFIG 8              # 8 GPUs"""


def main() -> None:
    parser = make_parser(__doc__, EXAMPLES)
    parser.add_argument(
        '--amp', action='store_true', help='mixed precision: float16 on a GPU, bfloat16 without one'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the actual batch size',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint; without a name, from the last '
        'readable one of the work_dir',
    )
    parser.add_argument(
        '--teacher',
        nargs='+',
        metavar=('CONFIG', 'CHECKPOINT'),
        help="distil: the teacher's config, a file or 'mmdet::...', or a network as 'timm::...' "
        '(docs/teachers.md), and its weights, a file or URL (default: those that its package '
        'publishes for it)',
    )
    parser.add_argument(
        '--method',
        nargs='+',
        metavar='NAME',
        help='what is compared with the teacher, such as pkd, cwd or kd; several are added up '
        "(default with --teacher: auto). docs/distillation.md lists them; a method's settings are "
        'changed by --cfg-options model.method.weight=3',
    )
    parser.add_argument(
        '--print-pairs',
        action='store_true',
        help='show which layers are compared, as a table and as the config that says the same, '
        'and train nothing',
    )
    parser.add_argument('--no-validate', action='store_true', help='train only')
    parser.add_argument(
        '--no-pin-memory', action='store_true', help='dataloaders without pinned memory'
    )
    parser.add_argument(
        '--no-persistent-workers',
        action='store_true',
        help='start the workers of the dataloaders anew each epoch',
    )
    args = parse(parser)

    # after parsing: these imports take seconds
    from inrn_mm.distillation.description import print_pairs
    from inrn_mm.engine.launch import train
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        print_pairs(args) if args.print_pairs else train(args)


if __name__ == '__main__':
    main()
