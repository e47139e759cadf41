"""Draw loss and metric curves of trainings."""

import argparse
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path

EXAMPLES = """examples:
  python tools/analysis_tools/plot_log.py work_dirs/faster-rcnn_inrn-m_kd_coco
  python tools/analysis_tools/plot_log.py RUN1 RUN2 --keys loss '*mAP' \\
      --legend distilled plain --out curves.png"""
STEPS = ('step', 'iter', 'iterations', 'epoch')  # not to be drawn


def read_curves(path):
    """Read the curves of a run; where it was resumed, the later log counts.

    Returns:
        dict: Key to a list of (step, value). The step is the iteration for
        what is logged in training and the epoch (or iteration) for metrics.
    """
    # after parsing: these imports take seconds
    from inrn_mm.utils.logs import find_logs, read_scalars

    if not find_logs(path):
        raise FileNotFoundError(
            f'There is no vis_data/scalars.json below {path}: give the '
            'work_dir of a training, or the file.'
        )
    train, val = read_scalars(path)
    if not train:
        raise ValueError(f'{path} has no losses in it.')
    curves = defaultdict(list)
    for lines, step in (train, 'iter'), (val, 'step'):
        for line in lines:
            for key, value in line.items():
                if key not in STEPS and isinstance(value, (int, float)):
                    curves[key].append((line[step], value))
    return curves


def chosen(curves, patterns):
    """Choose the keys that match a pattern, in the order of the patterns."""
    keys = [key for pattern in patterns for key in curves if fnmatch(key, pattern)]
    if not keys:
        raise ValueError(f'No key matches {" ".join(patterns)}; the log has {", ".join(curves)}.')
    return list(dict.fromkeys(keys))


def smooth(values, window):
    """Mean over the last ``window`` values at each step."""
    return [
        sum(values[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(values))
    ]


def plot(runs, legends, patterns, window, out):
    """Draw losses on the left and all other keys on the right."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(13, 5))
    for i, (run, legend) in enumerate(zip(runs, legends)):
        for key in chosen(run, patterns):
            loss = 'loss' in key
            steps, values = zip(*run[key])
            if loss:
                values = smooth(values, window)
            axes[0 if loss else 1].plot(
                steps,
                values,
                linestyle=('-', '--', ':', '-.')[i % 4],
                marker='' if loss else 'o',
                label=f'{legend} {key}',
            )
    titles = ('losses', 'iteration'), ('metrics', 'epoch or iteration')
    for axis, (title, xlabel) in zip(axes, titles):
        axis.set(title=title, xlabel=xlabel)
        if axis.lines:
            axis.legend(fontsize='small')
    figure.tight_layout()
    figure.savefig(out, dpi=120)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', help='work_dirs, or scalars.json files')
    parser.add_argument(
        '--keys',
        nargs='+',
        default=['loss*', '*mAP', '*top1'],
        help='what to draw, with * (default: loss* *mAP *top1)',
    )
    parser.add_argument('--legend', nargs='+', help='a name for each run (default: folder)')
    parser.add_argument(
        '--smooth',
        type=int,
        default=1,
        metavar='N',
        help='average losses over the last N logged values (default: 1)',
    )
    parser.add_argument('--out', default='curves.png', help='picture (default: curves.png)')
    args = parser.parse_args()
    legends = args.legend or [Path(run).name for run in args.runs]
    if len(legends) != len(args.runs):
        parser.error(f'{len(args.runs)} runs need as many names in --legend.')
    try:
        runs = [read_curves(Path(run)) for run in args.runs]
        plot(runs, legends, args.keys, args.smooth, args.out)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    print(f'written to {args.out}')


if __name__ == '__main__':
    main()
