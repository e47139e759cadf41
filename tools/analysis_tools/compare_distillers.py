"""Train several configs with several seeds and compare them in one table.

Each run is one tools/train.py with a work_dir of its own below --out. Started
again, finished runs are left alone and an interrupted one goes on, so that
more configs or seeds can be added later. After each run table.md, table.csv
and table.png are written. The configs should differ in one thing only: the
method, or, for an ablation, a part of the network. Lists of configs that
belong together have names, see --preset.
"""

import argparse
import signal
import sys
from pathlib import Path

import yaml

EXAMPLES = """examples:
  python tools/analysis_tools/compare_distillers.py \\
      configs/distill/faster-rcnn_r50-from-r101_{kd,pkd,review,inrn}_coco.py \\
      --baseline configs/inrn/faster-rcnn_r50_coco.py --seeds 0 1 2 \\
      --out work_dirs/compare
  (the same again after an interruption; add --gpus 8 on eight GPUs)

  python tools/analysis_tools/compare_distillers.py CONFIG1 CONFIG2 \\
      --metric coco/bbox_mAP loss_cls --cfg-options train_cfg.max_epochs=2

  python tools/analysis_tools/compare_distillers.py \\
      --preset resnet56-resnet20 --seeds 0 1 2 --jobs 8 --max-minutes 600 \\
      --out work_dirs/56-20
  (eight small runs beside each other on each GPU, for ten hours; the same
  again goes on)"""

TRAIN = Path(__file__).parents[1] / 'train.py'
CONFIGS = Path(__file__).parents[2] / 'configs' / 'classification'


def parse_args():
    presets = yaml.safe_load((CONFIGS / 'presets.yml').read_text())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='*', type=Path, help='config files, one per method')
    parser.add_argument(
        '--preset',
        choices=presets,
        metavar='NAME',
        help='configs of configs/classification in place of a list, with the '
        'published figures beside ours: '
        + '; '.join(f'{n}: {p["about"]}' for n, p in presets.items()),
    )
    parser.add_argument(
        '--baseline',
        type=Path,
        help='config of the student alone: the first row, and what the gains '
        'are over (default: that of the preset, else none)',
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0], help='(default: 0)')
    parser.add_argument(
        '--metric',
        nargs='+',
        help='keys of the log, a training loss such as loss_cls too (the '
        'total `loss` has the distillation in it) (default: accuracy/top1 and '
        'accuracy/top5 of a preset, accuracy/top1 of classifiers, else '
        'coco/bbox_mAP)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='passed to every run, as in tools/train.py',
    )
    parser.add_argument(
        '--student-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help="options of the student's model, in distilled and plain configs "
        'alike: neck.out_channels=64 is model.student.neck.out_channels=64 or '
        'model.neck.out_channels=64',
    )
    parser.add_argument(
        '--distill-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='passed to the distilled configs only, such as model.teacher_checkpoint=FILE',
    )
    parser.add_argument('--gpus', type=int, default=1, help='of each run (default: 1)')
    parser.add_argument(
        '--jobs',
        type=int,
        help='runs beside each other on each GPU, or else on the CPU, whose '
        'cores they share (default: one run at a time)',
    )
    parser.add_argument(
        '--max-minutes',
        type=float,
        help='stop after this time; the same command goes on from the last '
        'checkpoints (default: no limit)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/compare'),
        help='folder (default: work_dirs/compare)',
    )
    args = parser.parse_args()
    if bool(args.preset) == bool(args.configs):
        parser.error('Give configs or --preset NAME.')
    if args.jobs is not None and (args.jobs < 1 or args.gpus > 1):
        parser.error(
            f'--jobs {args.jobs}: it must be 1 or more, and cannot '
            'be given for runs on several GPUs each.'
        )
    args.published = {}
    if args.preset:
        preset = presets[args.preset]
        args.configs = [CONFIGS / f'{name}.py' for name in preset['configs']]
        args.published = preset.get('published', {})
        args.baseline = args.baseline or args.configs[0]
        args.metric = args.metric or ['accuracy/top1', 'accuracy/top5']
    configs = [args.baseline] if args.baseline else []
    args.configs = list(dict.fromkeys(configs + args.configs))
    names = [config.stem for config in args.configs]
    for config in args.configs:
        if not config.is_file():
            parser.error(f'The config {config} does not exist.')
        if names.count(config.stem) > 1:
            parser.error(
                f'Two configs are called {config.stem}: their runs '
                'would share a folder; rename one.'
            )
    args.metric = args.metric or default_metric(args.configs[0])
    args.seeds = list(dict.fromkeys(args.seeds))
    args.options = {config: run_options(config, args) for config in args.configs}
    return args


def default_metric(config):
    """What configs of this kind are compared by."""
    from mmengine.config import Config

    import inrn_mm  # noqa: F401, for bases written inrn_mm::...
    from inrn_mm.utils.config_types import model_package

    cfg = Config.fromfile(config)
    package = model_package(cfg) or cfg.get('default_scope')
    return ['accuracy/top1' if package == 'mmpretrain' else 'coco/bbox_mAP']


def run_options(config, args):
    """All options of the runs of one config."""
    options = list(args.cfg_options)
    if not args.student_options and not args.distill_options:
        return options  # without reading the config
    from mmengine.config import Config

    from inrn_mm.utils.config_types import is_distiller

    distilled = is_distiller(Config.fromfile(config).model)
    model = 'model.student.' if distilled else 'model.'
    options += [model + option for option in args.student_options]
    return options + (args.distill_options if distilled else [])


def command(config, folder, seed, options, gpus):
    """The command line of one run."""
    argv = [sys.executable, TRAIN, config]
    if gpus > 1:
        argv = ['bash', TRAIN.with_name('dist_train.sh'), config, gpus]
    argv += ['--work-dir', folder, '--resume']
    argv += ['--cfg-options', f'randomness.seed={seed}', *options]
    return list(map(str, argv))


def count_parameters(config, options):
    """Trainable numbers that the losses add to the student."""
    from mmengine.config import Config, DictAction
    from mmengine.registry import MODELS

    from inrn_mm.utils.config_types import init_scope, is_distiller

    cfg = Config.fromfile(config)
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='*', action=DictAction, default={})
    cfg.merge_from_dict(parser.parse_args(['--options', *options]).options)
    if not is_distiller(cfg.model):
        return 0
    init_scope(cfg)
    losses = MODELS.build(cfg.model).distill_losses
    return sum(p.numel() for p in losses.parameters() if p.requires_grad)


def all_runs(args):
    """A run for each config and seed."""
    from tools.studies.training_runs import Run

    runs = []
    # seeds outside: a first table of all methods comes early
    for seed in args.seeds:
        for config in args.configs:
            folder = args.out / config.stem / f'seed{seed}'
            options = args.options[config]
            runs.append(
                Run(
                    config, seed, options, folder, command(config, folder, seed, options, args.gpus)
                )
            )
    return runs


def write_tables(args, runs, counted=False):
    """Table and picture of the finished runs; returns the table."""
    from tools.studies.training_comparison import draw, markdown, read_run, summarize, write_csv

    found, counts = [], {}
    for run in sorted(runs, key=lambda run: args.configs.index(run.config)):
        record = run.read_record()
        if not record['finished']:
            continue
        if counted and 'added_params' not in record:
            if run.config not in counts:
                counts[run.config] = count_parameters(run.config, run.options)
            run.write_record(dict(record, added_params=counts[run.config]))
        found.append(read_run(run.folder, args.metric))
    if not found:
        return ''
    rows = summarize(found, args.metric, args.baseline and args.baseline.stem, args.published)
    table = markdown(rows, found)
    (args.out / 'table.md').write_text(table)
    write_csv(rows, args.out / 'table.csv')
    draw(rows, args.out / 'table.png')
    return table


def main():
    args = parse_args()
    # a scheduler's way to stop; the run must not go on alone
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # after parsing: these imports take seconds
        from inrn_mm.engine.work_dir import work_dir_lock
        from tools.studies.training_runs import train_all

        runs = all_runs(args)
        with work_dir_lock(args.out, option='--out'):
            failed, late = train_all(
                runs, args.jobs, args.max_minutes, lambda: write_tables(args, runs)
            )
            print(f'\n{write_tables(args, runs, counted=True)}')
    except (ValueError, RuntimeError, OSError) as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit('interrupted: the same command goes on')
    if late:
        print('time is up: the same command goes on')
    print(f'finished runs are in {args.out}/table.md, table.csv and table.png')
    if failed:
        sys.exit(
            f'{failed} runs failed; their train.log says why, and the '
            'same command tries them again.'
        )


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # tools.*
    main()
