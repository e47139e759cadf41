"""Parts of the pages that demos of distillation end with."""

from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from inrn_mm.utils.collect_env import collect_env
from inrn_mm.utils.logs import read_metrics, read_scalars
from inrn_mm.visualization.curves import plot_curves

from .page import ReportPage
from .steps import clock
from .trainings import Model, checkpoint

# Columns of the pictures, beside the ground truth.
SHOWN = ('distilled', 'student', 'teacher')
QUICK = ' A quick run: it shows that everything works, the figures mean nothing.'


@dataclass
class Result:
    """What is known of a trained model.

    Args:
        title (str): Shown to the user.
        config (str): What it is evaluated with, in the repository.
        folder (Path): Its work_dir.
        parameters (int): Parameters of that config's model.
        metrics (dict[str, float]): Figures of the evaluation.
        train (list[dict]): See :func:`read_scalars`.
        val (list[dict]): Likewise.
    """

    title: str
    config: str
    folder: Path
    parameters: int
    metrics: dict[str, float]
    train: list[dict]
    val: list[dict]

    def metric(self, name: str) -> float:
        """Read a figure of the evaluation; NaN if it is not there."""
        return self.metrics.get(name, float('nan'))

    @property
    def seconds(self) -> float:
        """float: Seconds of all training iterations."""
        return sum(line['time'] * line['iterations'] for line in self.train)

    @property
    def weights(self) -> str:
        """str: The checkpoint."""
        return str(checkpoint(self.folder))


def load_results(work_dir: Path, models: dict[str, Model]) -> dict[str, Result]:
    """Read what trainings and evaluations have left.

    Args:
        work_dir (Path): The demo's folder.
        models (dict[str, Model]): By name.

    Returns:
        dict[str, Result]: By name.
    """
    results = {}
    for name, model in models.items():
        folder = work_dir / name
        train, val = read_scalars(folder)
        results[name] = Result(
            model.title,
            relative(model.plain),
            folder,
            count_parameters(model.plain),
            read_metrics(folder / 'test'),
            train,
            val,
        )
    return results


def count_parameters(config: Path) -> int:
    """Count the parameters of a config's model."""
    from mmengine.registry import MODELS, init_default_scope

    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    return sum(p.numel() for p in model.parameters())


def relative(config: Path) -> str:
    """Shorten the path of a config to that in the repository."""
    parts = config.parts
    return str(Path(*parts[parts.index('configs') :]))


def figure_of(value: float, digits: int = 3) -> str:
    """Write a metric.

    Args:
        value (float): The metric; NaN or negative if it is not known.
        digits (int): After the point. Defaults to 3.

    Returns:
        str: For example ``0.412``, or a dash.
    """
    return f'{value:.{digits}f}' if value == value and value >= 0 else '–'


def add_results(
    page: ReportPage,
    results: dict[str, Result],
    columns: dict[str, str],
    text: str,
    caption: str = '',
    digits: int = 3,
) -> None:
    """Add the table of metrics, parameters and training time.

    Args:
        page (ReportPage): To add to.
        results (dict[str, Result]): By name; the better one of those that are
            no ``teacher`` is set in bold.
        columns (dict[str, str]): Heading to key of a metric.
        text (str): What the metrics are, below the heading.
        caption (str): Begins the caption. Defaults to ''.
        digits (int): Decimals of the metrics. Defaults to 3.
    """
    rows = []
    for result in results.values():
        iterations = sum(line['iterations'] for line in result.train)
        rows.append(
            [
                result.title,
                *(figure_of(result.metric(key), digits) for key in columns.values()),
                f'{result.parameters / 1e6:.2f} M',
                f'{iterations}',
                clock(result.seconds),
            ]
        )
    students = [i for i, name in enumerate(results) if name != 'teacher']
    best = [
        (max(students, key=lambda i: rows[i][c]), c)
        for c in range(1, len(columns) + 1)
        if len({rows[i][c] for i in students}) > 1
    ]
    page.section('Results', text)
    page.table(
        ['', *columns, 'parameters', 'iterations', 'training'],
        rows,
        best=best,
        caption=f'{caption}Training: seconds of the iterations alone, '
        'without start and validation. Bold: the better student.',
    )


def add_curves(
    page: ReportPage, results: dict[str, Result], metrics: dict[str, str], task: str
) -> None:
    """Add curves of task loss, distillation loss and metrics over the training.

    Args:
        page (ReportPage): To add to.
        results (dict[str, Result]): By name.
        metrics (dict[str, str]): Title of a panel to key of a metric.
        task (str): What the task loss is.
    """
    own = set(results['student'].train[0]['losses'])
    panels: dict[str, dict] = {'task loss': {}, 'distillation loss': {}}
    for result in results.values():
        for line in result.train:
            parts = dict.fromkeys(panels, 0.0)
            for name, value in line['losses'].items():
                kind = 'task loss' if name in own else 'distillation loss'
                parts[kind] += value
            for kind, value in parts.items():
                if kind == 'task loss' or set(line['losses']) - own:
                    panels[kind].setdefault(result.title, []).append((line['iter'], value))
    for title, key in metrics.items():
        panels[title] = {
            result.title: [(line['iter'], max(line[key], 0)) for line in result.val if key in line]
            for result in results.values()
        }
    page.section('Training', task)
    page.figure(
        plot_curves(panels, markers=tuple(metrics)),
        'Losses: means over a few iterations. The rest: on the validation images after each epoch.',
    )


def add_times(page: ReportPage, estimated: dict[str, float], seconds: dict[str, float]) -> None:
    """Show the estimated and the used time of each step, and the versions.

    Args:
        page (ReportPage): Added to.
        estimated (dict[str, float]): Seconds estimated for each step.
        seconds (dict[str, float]): Seconds that each step took.
    """
    page.section('Time')
    rows = [
        [name.replace('_', ' '), clock(estimated[name]), clock(spent)]
        for name, spent in seconds.items()
    ]
    rows.append(
        ['all', clock(sum(estimated[name] for name in seconds)), clock(sum(seconds.values()))]
    )
    page.table(['step', 'estimated', 'used'], rows)
    page.section('Versions')
    page.table(['', 'version'], [list(i) for i in collect_env().items()])
