"""Write the backbone of a checkpoint alone, with its hash, and a card beside it.

The new file is what init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')
reads in any mm config. Optimizer, logs, heads and the losses of a distillation stay out.
"""

import argparse

EXAMPLES = """example:
  python tools/publish_model.py work_dirs/inrn-m_from-dinov2-s/epoch_100.pth inrn-m_dinov2-s.pth \\
      --config configs/pretrain/inrn-m_from-dinov2-s.py --license Apache-2.0 \\
      --teacher-license Apache-2.0 --data-license 'our own photographs'"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', help='what a training has written')
    parser.add_argument('out', help='the new file; its hash is put behind the name')
    parser.add_argument(
        '--config', help="the training's config, from which the card has teacher and data"
    )
    parser.add_argument(
        '--part', default='backbone', help='child whose weights are kept (default: %(default)s)'
    )
    for name, text in (
        ('license', 'of these weights'),
        ('teacher-license', "of the teacher's weights"),
        ('data-license', 'of the images'),
    ):
        parser.add_argument(f'--{name}', default='not said', help=f'licence {text}, for the card')
    parser.add_argument(
        '--allow-pickle',
        action='store_true',
        help='load a checkpoint that can run any code while loading: only for files you trust',
    )
    return parser.parse_args()


def main() -> None:
    """Write both files."""
    args = parse_args()

    # after parsing: these imports take seconds
    from inrn_mm.engine import user_errors
    from inrn_mm.engine.checkpoints.publishing import Card, publish_part
    from inrn_mm.engine.config_file import read_config
    from inrn_mm.engine.training_facts import describe_training

    with user_errors():
        facts = describe_training(read_config(args.config)) if args.config else {}
        card = Card(
            **facts,
            license=args.license,
            teacher_license=args.teacher_license,
            data_license=args.data_license,
        )
        paths = publish_part(args.checkpoint, args.out, args.part, card, args.allow_pickle)
    print(f'{paths[0]} and its card {paths[1].name} are written')


if __name__ == '__main__':
    main()
