"""Train a student by several methods, or several configs, and compare them in one table.

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
      configs/inrn/faster-rcnn_r50_coco.py --methods kd pkd review inrn \\
      --teacher inrn_mm::inrn/faster-rcnn_r101_coco.py --seeds 0 1 2 \\
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


def make_parser(presets):
    """Make the parser; ``presets`` are the entries of presets.yml."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'configs', nargs='*', type=Path, help='config files, or that of the student for --methods'
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        default=[],
        metavar='NAME',
        help='train the student alone and by these methods; --cfg-options are for all',
    )
    parser.add_argument(
        '--teacher',
        nargs='+',
        default=[],
        metavar=('CONFIG', 'CHECKPOINT'),
        help='of --methods, as in tools/train.py; also in place of that of a preset',
    )
    parser.add_argument(
        '--preset',
        choices=presets,
        metavar='NAME',
        help='configs of configs/classification in place of a list, with the '
        'published figures beside ours: '
        + '; '.join(f'{n}: {p["about"]}' for n, p in presets.items()),
    )
    add_run_arguments(parser)
    return parser


def add_run_arguments(parser):
    """Add what all runs are trained and compared by."""
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
    options = dict(
        cfg='passed to every run, as in tools/train.py',
        student="options of the student's model, in distilled and plain configs "
        'alike: neck.out_channels=64 is model.student.neck.out_channels=64 or '
        'model.neck.out_channels=64',
        distill='passed to the distilled configs only, such as model.teacher_checkpoint=FILE',
    )
    for name, text in options.items():
        parser.add_argument(
            f'--{name}-options', nargs='+', default=[], metavar='KEY=VALUE', help=text
        )
    parser.add_argument('--gpus', type=int, default=1, help='GPUs of each run (default: 1)')
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


def parse_args():
    """Parse the command line, fill in what a preset says, and check it."""
    from tools.studies.comparison_rows import PRESETS, Row, method_rows, preset_rows, published_rows

    file = yaml.safe_load(PRESETS.read_text())
    presets, variants = file['presets'], file['variants']
    parser = make_parser(presets)
    args = parser.parse_args()
    if bool(args.preset) == bool(args.configs):
        parser.error('Give configs or --preset NAME.')
    if args.jobs is not None and (args.jobs < 1 or args.gpus > 1):
        parser.error(
            f'--jobs {args.jobs}: it must be 1 or more, and cannot '
            'be given for runs on several GPUs each.'
        )
    if bool(args.methods) != bool(args.teacher) and not args.preset:
        parser.error('--methods and --teacher belong together.')
    if args.methods and len(args.configs) != 1:
        parser.error(f'--methods are of one student, but there are {len(args.configs)} configs.')
    args.published = {}
    rows = [Row(config, config.stem) for config in args.configs]
    if args.methods:
        rows = method_rows(rows[0], args.teacher, dict.fromkeys(args.methods))
    if args.preset:
        preset = presets[args.preset]
        if args.teacher and 'teacher' in preset:
            preset['teacher'] = args.teacher
        rows = preset_rows(preset, variants)
        args.published = published_rows(preset)
        args.metric = args.metric or ['accuracy/top1', 'accuracy/top5']
    if args.baseline:
        first = Row(args.baseline, args.baseline.stem)
        rows = [first] + [row for row in rows if row != first]
    args.rows = [row for i, row in enumerate(rows) if row not in rows[:i]]
    named = args.baseline or args.preset or args.methods
    args.baseline = args.rows[0].name if named else None
    names = [row.name for row in args.rows]
    for row in args.rows:
        if not row.config.is_file():
            parser.error(f'The config {row.config} does not exist.')
        if names.count(row.name) > 1:
            parser.error(
                f'Two configs are called {row.name}: their runs would share a folder; rename one.'
            )
    args.metric = args.metric or default_metric(args.rows[0].config)
    args.seeds = list(dict.fromkeys(args.seeds))
    args.options = {row.name: run_options(row, args) for row in args.rows}
    return args


def default_metric(config):
    """Choose the metric that configs of this kind are compared by."""
    import inrn_mm  # noqa: F401, for bases written inrn_mm::...
    from inrn_mm.engine.config_file import read_config
    from inrn_mm.utils.config_types import model_package

    cfg = read_config(str(config))
    package = model_package(cfg) or cfg.get('default_scope')
    return ['accuracy/top1' if package == 'mmpretrain' else 'coco/bbox_mAP']


def run_options(row, args):
    """List all options of the runs of one row."""
    options = [*args.cfg_options, *(f'model.method.{setting}' for setting in row.settings)]
    student_options = row.options + args.student_options
    if not student_options and not args.distill_options:
        return options  # without reading the config
    from inrn_mm.engine.config_file import read_config
    from inrn_mm.utils.config_types import is_distiller

    distilled = is_distiller(read_config(str(row.config)).model)
    model = 'model.student.' if distilled else 'model.'
    options += [model + option for option in student_options]
    return options + (args.distill_options if distilled or row.method else [])


def command(row, folder, seed, options, gpus):
    """Make the command line of one run."""
    argv = [sys.executable, TRAIN, row.config]
    if gpus > 1:
        argv = ['bash', TRAIN.with_name('dist_train.sh'), row.config, gpus]
    argv += ['--work-dir', folder, '--resume', *row.flags]
    argv += ['--cfg-options', f'randomness.seed={seed}', *options]
    return list(map(str, argv))


def count_parameters(row, options):
    """Count the trainable numbers that the losses add to the student."""
    from mmengine.config import DictAction
    from mmengine.registry import MODELS

    from inrn_mm.engine.distilled_config import count_samples
    from inrn_mm.engine.run_config import load_config
    from inrn_mm.utils.config_types import init_scope, is_distiller

    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='*', action=DictAction, default={})
    parser.add_argument('--teacher', nargs='+')
    parser.add_argument('--method', nargs='+')
    args = parser.parse_args(['--cfg-options', *options, *row.flags])
    args.config, args.work_dir = str(row.config), None
    args.launcher, args.allow_pickle = 'none', False
    cfg = load_config(args)
    if not is_distiller(cfg.model):
        return 0
    init_scope(cfg)
    count_samples(cfg)
    losses = MODELS.build(cfg.model).distill_losses
    return sum(p.numel() for p in losses.parameters() if p.requires_grad)


def all_runs(args):
    """List a run for each row and seed."""
    from tools.studies.training_runs import Run

    runs = []
    # seeds outside: a first table of all methods comes early
    for seed in args.seeds:
        for row in args.rows:
            folder = args.out / row.name / f'seed{seed}'
            options = args.options[row.name]
            argv = command(row, folder, seed, options, args.gpus)
            runs.append(Run(row.config, seed, options, folder, argv, row.name))
    return runs


def write_tables(args, runs, counted=False):
    """Write table and picture of the finished runs; return the table."""
    from tools.studies.training_comparison import draw, markdown, read_run, summarize, write_csv

    found, counts = [], {}
    names = [row.name for row in args.rows]
    for run in sorted(runs, key=lambda run: names.index(run.method)):
        record = run.read_record()
        if not record['finished']:
            continue
        if counted and 'added_params' not in record:
            if run.method not in counts:
                row = next(row for row in args.rows if row.name == run.method)
                counts[run.method] = count_parameters(row, run.options)
            run.write_record(dict(record, added_params=counts[run.method]))
        found.append(read_run(run.folder, args.metric))
    if not found:
        return ''
    rows = summarize(found, args.metric, args.baseline, args.published)
    table = markdown(rows, found)
    (args.out / 'table.md').write_text(table)
    write_csv(rows, args.out / 'table.csv')
    draw(rows, args.out / 'table.png')
    return table


def main():
    args = parse_args()
    # a scheduler's way to stop; the run must not go on alone
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # after parsing: these imports take seconds
    from inrn_mm.engine.work_dir import work_dir_lock
    from inrn_mm.utils.user_error import user_errors
    from tools.studies.training_runs import train_all

    try:
        with user_errors(), work_dir_lock(args.out, option='--out'):
            runs = all_runs(args)
            failed, late = train_all(
                runs, args.jobs, args.max_minutes, lambda: write_tables(args, runs)
            )
            print(f'\n{write_tables(args, runs, counted=True)}')
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
