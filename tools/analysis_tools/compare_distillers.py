"""Train a student by several methods, or several configs, and compare them in one table.

Each run is one tools/train.py with a work_dir of its own below --out. Started
again, finished runs are left alone and an interrupted one goes on, so that
more configs or seeds can be added later. After each run table.md, table.csv,
table.png and results.json are written: differences to the student alone within each
seed, which fixes first weights and order of images, with a 95 % interval and a
verdict against --gain. The configs should differ in one thing only: the method,
or, for an ablation, a part of the network. Lists of configs that belong together
have names, see --preset.
"""

import argparse
import signal
import sys
import time
from functools import partial
from pathlib import Path

import yaml

EXAMPLES = """examples:
  python tools/analysis_tools/compare_distillers.py \\
      configs/inrn/faster-rcnn_r50_coco.py --methods kd pkd review inrn \\
      --teacher inrn_mm::inrn/faster-rcnn_r101_coco.py --seeds 0 1 2 \\
      --out work_dirs/compare
  (the same again after an interruption; add --gpus 8 on eight GPUs)

  python tools/analysis_tools/compare_distillers.py \\
      configs/bccd/yolox_inrn-m_bccd.py --methods pkd+kd --controls \\
      --teacher configs/bccd/yolox-nano_bccd.py TEACHER.pth --num-seeds 5 \\
      --gain 0.005 --bootstrap 1000 --out work_dirs/bccd
  (is it half a point of AP? with a student under weight 0 and a random teacher)

  python tools/analysis_tools/compare_distillers.py CONFIG1 CONFIG2 \\
      --metric coco/bbox_mAP loss_cls --cfg-options train_cfg.max_epochs=2

  python tools/analysis_tools/compare_distillers.py \\
      --preset resnet56-resnet20 --seeds 0 1 2 --jobs 8 --max-minutes 600 \\
      --out work_dirs/56-20
  (eight small runs beside each other on each GPU, for ten hours; the same
  again goes on)"""

TRAIN = Path(__file__).parents[1] / 'train.py'
PREDICTIONS = 'predictions'  # of tools.studies.comparison_report, which imports much


def parse_args():
    """Parse the command line, fill in what a preset says, and check it."""
    from tools.studies.comparison_arguments import make_parser
    from tools.studies.comparison_plan import check_gain
    from tools.studies.comparison_rows import PRESETS

    file = yaml.safe_load(PRESETS.read_text())
    parser = make_parser(__doc__, EXAMPLES, file['presets'])
    args = parser.parse_args()
    check_usage(parser, args)
    args.rows = make_rows(args, file)
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
    args.seeds = list(dict.fromkeys(range(args.num_seeds) if args.num_seeds else args.seeds))
    try:
        check_gain(args.gain, args.metric[0])
    except ValueError as error:
        parser.error(str(error))
    args.options = {row.name: run_options(row, args) for row in args.rows}
    return args


def check_usage(parser, args):
    """Refuse arguments that do not go together."""
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
    if args.controls and not args.methods:
        parser.error('--controls are of --methods: give a student, --methods and --teacher.')
    if args.halve and not (args.baseline or args.methods or args.preset):
        parser.error('--halve compares with a student alone: give --methods or --baseline.')
    if args.num_seeds is not None and args.num_seeds < 1:
        parser.error(f'--num-seeds {args.num_seeds}: it must be 1 or more.')


def make_rows(args, file):
    """List the rows that the arguments or a preset ask for, the baseline first."""
    from tools.studies.comparison_rows import (
        Row,
        control_rows,
        method_rows,
        preset_rows,
        published_rows,
    )

    args.published = {}
    rows = [Row(config, config.stem) for config in args.configs]
    if args.methods:
        rows = method_rows(rows[0], args.teacher, dict.fromkeys(args.methods))
    if args.controls:
        rows += control_rows(rows[1])
    if args.preset:
        preset = file['presets'][args.preset]
        if args.teacher and 'teacher' in preset:
            preset['teacher'] = args.teacher
        rows = preset_rows(preset, file['variants'])
        args.published = published_rows(preset)
        args.metric = args.metric or ['accuracy/top1', 'accuracy/top5']
    if args.baseline:
        first = Row(args.baseline, args.baseline.stem)
        rows = [first] + [row for row in rows if row != first]
    return [row for i, row in enumerate(rows) if row not in rows[:i]]


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
    options = [*args.cfg_options, *(f'model.{setting}' for setting in row.settings)]
    student_options = row.options + args.student_options
    if not student_options and not args.distill_options:
        return options  # without reading the config
    from inrn_mm.engine.config_file import read_config
    from inrn_mm.utils.config_types import is_distiller

    distilled = is_distiller(read_config(str(row.config)).model)
    model = 'model.student.' if distilled else 'model.'
    options += [model + option for option in student_options]
    return options + (args.distill_options if distilled or row.method else [])


def command(row, folder, seed, options, gpus, keep_boxes=False):
    """Make the command line of one run."""
    argv = [sys.executable, TRAIN, row.config]
    if gpus > 1:
        argv = ['bash', TRAIN.with_name('dist_train.sh'), row.config, gpus]
    argv += ['--work-dir', folder, '--resume', *row.flags]
    argv += ['--cfg-options', f'randomness.seed={seed}', *options]
    if keep_boxes:
        argv += [f'val_evaluator.outfile_prefix={folder / PREDICTIONS}']
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
            argv = command(row, folder, seed, options, args.gpus, args.bootstrap > 0)
            runs.append(Run(row.config, seed, options, folder, argv, row.name))
    return runs


def write_tables(args, runs, plan, counted=False):
    """Write what the finished runs say; return the table."""
    from tools.studies.comparison_report import write_report
    from tools.studies.training_comparison import read_run

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
        result = read_run(run.folder, args.metric)
        found.append(dict(result, folder=run.folder, command=run.command))
    return write_report(args, found, plan) if found else ''


def after_each(args, runs, plan):
    """Make what is called when a run has ended: tables, and what still fits."""
    from tools.studies.comparison_plan import say_budget
    from tools.studies.training_runs import places

    begin = time.monotonic()

    def report():
        write_tables(args, runs, plan)
        records = [run.read_record() for run in runs]
        done = [record['seconds'] for record in records if record['finished']]
        if done and len(done) < len(runs):
            left = args.max_minutes and 60 * args.max_minutes - (time.monotonic() - begin)
            print(say_budget(done, len(runs) - len(done), len(places(args.jobs)), left))

    return report


def main():
    args = parse_args()
    # a scheduler's way to stop; the run must not go on alone
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # after parsing: these imports take seconds
    from inrn_mm.engine.work_dir import work_dir_lock
    from inrn_mm.utils.user_error import user_errors
    from tools.studies.comparison_plan import fix_plan
    from tools.studies.halving import train_by_halves
    from tools.studies.training_runs import train_all

    try:
        with user_errors(), work_dir_lock(args.out, option='--out'):
            plan = fix_plan(args.out, args.metric[0], args.gain, args.baseline, args.seeds)
            runs = all_runs(args)
            report = after_each(args, runs, plan)
            report()
            train = partial(train_by_halves, plan=plan) if args.halve else train_all
            failed, late = train(runs, jobs=args.jobs, max_minutes=args.max_minutes, on_end=report)
            print(f'\n{write_tables(args, runs, plan, counted=True)}')
    except KeyboardInterrupt:
        sys.exit('interrupted: the same command goes on')
    if late:
        print('time is up: the same command goes on')
    print(f'finished runs are in {args.out}/table.md, table.csv, table.png and results.json')
    if failed:
        sys.exit(
            f'{failed} runs failed; their train.log says why, and the '
            'same command tries them again.'
        )


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # tools.*
    main()
