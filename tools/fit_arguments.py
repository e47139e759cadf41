"""The arguments that the tools which fit share: the fields of a FitJob."""

import argparse
import importlib.util
import sys
from pathlib import Path

CONFIGS = Path(__file__).parents[1] / 'configs' / 'fitting'
VIDEO = ('frames', 'stride', 'save_frames')


def _load_options():
    """Load the fields without their package, whose imports take seconds."""
    package = importlib.util.find_spec('inrn_mm').submodule_search_locations[0]
    path = Path(package, 'fitting', 'options.py')
    spec = importlib.util.spec_from_file_location('fit_options', path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def run(description: str, examples: str, kind: str) -> None:
    """Parse, fit and print the result.

    Args:
        description (str): One line.
        examples (str): Examples, shown under the options.
        kind (str): ``'image'`` or ``'video'``.
    """
    args = make_parser(description, examples, kind).parse_args()

    # after parsing: these imports take seconds
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        from inrn_mm.fitting.job import run_fit, summary
        from inrn_mm.fitting.options import FitJob

        job = FitJob(**vars(args))
        metrics = run_fit(job)
    print(f'{summary(metrics)}\nwritten to {job.work_dir}/')


def make_parser(description: str, examples: str, kind: str) -> argparse.ArgumentParser:
    """Make a parser whose arguments are the fields of a FitJob.

    Args:
        description (str): One line.
        examples (str): Examples, shown under the options.
        kind (str): ``'image'`` or ``'video'``.

    Returns:
        ArgumentParser: The parser.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog=f'examples:\n{examples}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    video = kind == 'video'
    parser.add_argument(
        'input',
        metavar='FRAMES_OR_VIDEO' if video else 'IMAGE',
        help='folder of frames, video file or animation'
        if video
        else 'image file: gray, RGB, RGBA, 8 or 16 bits',
    )
    parser.add_argument(
        '--config',
        default=str(CONFIGS / f'inrn_{kind}.py'),
        help=f'config file (default: configs/fitting/inrn_{kind}.py)',
    )
    names = [field.name for field in _load_options().arguments()]
    add_options(parser, [name for name in names if video or name not in VIDEO])
    return parser


def add_options(
    parser: argparse.ArgumentParser, names: list[str] | tuple[str, ...], **helps: str
) -> None:
    """Add arguments that are fields of a FitJob.

    Args:
        parser (ArgumentParser): Changed in place.
        names (Sequence[str]): Names of fields, in the order of ``--help``.
        **helps: Other helps than the fields' own, by name.
    """
    fields = {field.name: field for field in _load_options().arguments()}
    for name in names:
        options = dict(fields[name].metadata)
        options['help'] = helps.get(name, options['help'])
        if name == 'cfg_options':
            from mmengine.config import DictAction

            options['action'] = DictAction
        if options.get('action') != 'store_true':
            options['default'] = fields[name].default
        parser.add_argument(f'--{name.replace("_", "-")}', **options)


def add_study_options(
    parser: argparse.ArgumentParser, folder: str, names: tuple[str, ...] = (), **helps: str
) -> None:
    """Add the arguments of tools that fit several times.

    Args:
        parser (ArgumentParser): Changed in place.
        folder (str): Default of ``--out``, in words.
        names (Sequence[str]): Fields of a FitJob beside those of the input.
        **helps: See :func:`add_options`.
    """
    helps = dict(force='fit again what was fitted with other settings', **helps)
    parser.add_argument('--out', type=Path, help=f'folder (default: {folder})')
    common = ('size', 'crop', *VIDEO, *names, 'max_seconds', 'force', 'cfg_options')
    add_options(parser, common, **helps)


def job_options(args: argparse.Namespace) -> dict:
    """Collect what of the arguments are fields of a FitJob.

    Args:
        args (Namespace): Arguments of one of these parsers.

    Returns:
        dict: By name.
    """
    names = {'input', 'config', *(field.name for field in _load_options().arguments())}
    return {name: value for name, value in vars(args).items() if name in names}
