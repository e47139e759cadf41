"""Give every network of a comparison of fits the same search, and compare what it finds.

Each config is fitted to the pictures of --tune with every learning rate of one grid,
alone and with each setting of its own (+KEY=VALUE). A best rate at the end of
the grid widens it by one step, for every config by the same rule. The best of each is
then fitted to the pictures of --test, which the search did not see: their
differences to the first config have an interval over the pictures. Started again,
finished fits are left alone.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

TOOLS = Path(__file__).resolve().parents[1]

EXAMPLES = """examples:
  python tools/studies/tune_fits.py \\
      --configs configs/fitting/{inrn-plus,inrn,siren,finer,fourier}_image.py \\
      configs/fitting/siren_image.py+model.net.omega=60 \\
      --tune photos/a.jpg photos/b.jpg --test kodak/*.png \\
      --size 128 192 --parameters 30000 --max-seconds 60 --clock cpu --out work_dirs/tune
  (rows of one config are its settings: the best of them goes to the test)"""
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
KEY = 'optim_wrapper.optimizer.lr'
MOST = 3  # times that a grid is widened


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    from fit_arguments import add_options

    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--configs', nargs='+', required=True, metavar='CONFIG[+KEY=VALUE...]')
    parser.add_argument('--tune', nargs='+', required=True, help='pictures of the search')
    parser.add_argument('--test', nargs='+', default=[], help='other pictures')
    parser.add_argument(
        '--rates', nargs='+', type=float, default=RATES, help='(default: 1e-4 to 3e-2, six)'
    )
    parser.add_argument('--clock', choices=['wall', 'cpu'], default='wall', help='of --max-seconds')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/tune'), help='folder')
    add_options(parser, ('size', 'parameters', 'max_seconds', 'cfg_options'))
    args = parser.parse_args()
    both = {Path(path).resolve() for path in args.tune} & {
        Path(path).resolve() for path in args.test
    }
    if both:
        parser.error(f'{min(both)} is in --tune and in --test: test on what was not searched on.')
    if min(args.rates) <= 0 or len(set(args.rates)) < 2:
        parser.error('--rates: give at least two, above 0.')
    return args


def fit(
    args: argparse.Namespace, row: str, rate: float, pictures: Sequence[str]
) -> dict[str, float]:
    """Fit a config at a rate to pictures, or read what was fitted before.

    Args:
        args (Namespace): Arguments of the tool.
        row (str): Config, with changes of it.
        rate (float): Learning rate.
        pictures (Sequence[str]): Files.

    Returns:
        dict[str, float]: Picture to PSNR, before compression.
    """
    from tools.studies.fit_comparison import fit_once, make_jobs

    options = {**(args.cfg_options or {}), 'default_hooks.param_scheduler.clock': args.clock}
    number = np.format_float_positional(rate, trim='0')  # YAML reads 1e-05 as a word
    found = {}
    for picture in pictures:
        jobs = make_jobs(
            picture,
            [f'{row}+{KEY}={number}'],
            args.out / Path(picture).stem,
            size=args.size,
            parameters=args.parameters,
            max_seconds=args.max_seconds,
            cfg_options=options,
        )
        (job,) = jobs.values()
        found[picture] = fit_once(job)['psnr_before_compression']
    return found


def search(args: argparse.Namespace, row: str) -> dict:
    """Find the best rate of a config on the pictures of the search.

    Args:
        args (Namespace): Arguments of the tool.
        row (str): Config, with changes of it.

    Returns:
        dict: ``row``, ``rates`` (rate to mean PSNR), ``best`` and
        ``at_edge`` (whether a wider grid might have had a better one).
    """
    rates = sorted(args.rates)
    step = rates[-1] / rates[-2]
    scores = {rate: mean_of(fit(args, row, rate, args.tune)) for rate in rates}
    for _ in range(MOST):
        best = max(scores, key=lambda rate: scores[rate])
        if min(scores) < best < max(scores):
            break
        new = float(f'{best * step if best == max(scores) else best / step:.1g}')
        scores[new] = mean_of(fit(args, row, new, args.tune))
    best = max(scores, key=lambda rate: scores[rate])
    edge = best in (min(scores), max(scores))
    return dict(row=row, rates=dict(sorted(scores.items())), best=best, at_edge=edge)


def mean_of(found: dict[str, float]) -> float:
    """Average over the pictures."""
    return sum(found.values()) / len(found)


def choose(found: Sequence[dict]) -> dict[str, dict]:
    """Choose for each config the best of its settings.

    Args:
        found (Sequence[dict]): Results of :func:`search`.

    Returns:
        dict[str, dict]: Name of the config to the result.
    """
    chosen: dict[str, dict] = {}
    for each in found:
        name = Path(each['row'].split('+')[0]).stem
        if name not in chosen or each['rates'][each['best']] > _score(chosen[name]):
            chosen[name] = each
    return chosen


def _score(found: dict) -> float:
    return found['rates'][found['best']]


def compare_best(args: argparse.Namespace, chosen: dict[str, dict]) -> list[dict]:
    """Fit the best of each config to the other pictures.

    Args:
        args (Namespace): Arguments of the tool.
        chosen (dict[str, dict]): Result of :func:`choose`.

    Returns:
        list[dict]: ``name``, ``psnr`` (picture to dB) and ``paired``, the
        difference to the first over the pictures.
    """
    from tools.studies.paired_statistics import compare_pairs

    rows: list[dict] = []
    for name, each in chosen.items():
        psnr = fit(args, each['row'], each['best'], args.test)
        # pictures take the place of seeds
        pairs = [dict(enumerate(x.values())) for x in (psnr, rows[0]['psnr'] if rows else psnr)]
        paired = compare_pairs(*pairs) if rows else None
        rows.append(dict(name=name, psnr=psnr, paired=paired))
    return rows


def markdown(result: dict) -> str:
    """Write what was found as Markdown.

    Args:
        result (dict): With ``search``, ``best`` and ``test``.

    Returns:
        str: Two tables.
    """
    from tools.studies.markdown_table import markdown_table
    from tools.studies.training_comparison import difference

    rates = sorted({rate for each in result['search'] for rate in each['rates']})
    cells = [
        [
            Path(each['row']).name,
            *(f'{each["rates"][rate]:.2f}' if rate in each['rates'] else '-' for rate in rates),
            f'{each["best"]:g}' + ' (edge)' * each['at_edge'],
        ]
        for each in result['search']
    ]
    text = markdown_table(['search', *(f'{rate:g}' for rate in rates), 'best rate'], cells)
    if not result['test']:
        return text + '\n'
    cells = [
        [
            row['name'],
            f'{result["best"][row["name"]]["best"]:g}',
            f'{mean_of(row["psnr"]):.2f}',
            difference(row['paired']),
            row['paired']['verdict'] if row['paired'] else '-',
        ]
        for row in result['test']
    ]
    head = ['test', 'rate', 'PSNR (dB)', 'difference, 95 % interval', 'verdict']
    return f'{text}\n\n{markdown_table(head, cells)}\n'


def main() -> None:
    """Search, compare, and write what was found."""
    args = parse_args()
    from inrn_mm.utils.machine import describe
    from inrn_mm.utils.user_error import user_errors
    from inrn_mm.utils.whole_file import whole_file
    from tools.studies.comparison_report import shorten

    with user_errors():
        found = [search(args, row) for row in args.configs]
        best = choose(found)
        test = compare_best(args, best) if args.test else []
        result = dict(
            command=shorten(['python', *sys.argv]),
            machine=describe(),
            search=found,
            best=best,
            test=test,
        )
        table = markdown(result)
        args.out.mkdir(parents=True, exist_ok=True)
        with whole_file(args.out / 'tune.json') as part:
            part.write_text(json.dumps(result, indent=1) + '\n')
        with whole_file(args.out / 'tune.md') as part:
            part.write_text(table)
    print(f'\n{table}\nwritten to {args.out}/')


if __name__ == '__main__':
    sys.path[:0] = [str(TOOLS), str(TOOLS.parent)]
    main()
