"""Draw the stage features of a student beside its teacher's."""

import argparse

EXAMPLES = """examples:
  python tools/visualize_features.py \\
      configs/inrn/faster-rcnn_inrn-m_kd_coco.py CHECKPOINT image.jpg
  python tools/visualize_features.py --pca \\
      configs/pretrain/inrn-m_from-dinov2-s.py CHECKPOINT image.jpg
With a plain config the features of its backbone are drawn alone."""


def parse_args():
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help="the student's checkpoint")
    parser.add_argument('image', help='image file')
    parser.add_argument(
        '--out', default='features.png', help='picture to write (default: features.png)'
    )
    parser.add_argument(
        '--pca',
        action='store_true',
        help='the first three principal components as colours, in place of norms',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config, e.g. model.teacher_checkpoint=X',
    )
    parser.add_argument(
        '--allow-pickle',
        action='store_true',
        help='load checkpoints that can run any code while loading',
    )
    return parser.parse_args()


def main():
    args = parse_args()

    # after parsing: these imports take seconds
    from mmengine.registry import MODELS

    from inrn_mm.engine import load_state, load_weights, user_errors
    from inrn_mm.engine.config_file import read_config
    from inrn_mm.utils.config_types import init_scope, is_distiller
    from inrn_mm.visualization.features import draw_features, load_batch, paired_features

    with user_errors():
        cfg = read_config(args.config, args.cfg_options)
        if args.allow_pickle and is_distiller(cfg.model):
            cfg.model.allow_pickle = True  # of the teacher's checkpoint
        init_scope(cfg)
        if 'data_preprocessor' in cfg:  # where mmpretrain has it
            cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
        model = MODELS.build(cfg.model)
        load_weights(
            model,
            load_state(args.checkpoint, allow_pickle=args.allow_pickle),
            source=args.checkpoint,
            optional=('distill_losses.',),
        )
        batch, picture = load_batch(cfg, args.image, model)
        draw_features(paired_features(model, batch), picture, args.out, args.pca)
    print(f'written to {args.out}')


if __name__ == '__main__':
    main()
