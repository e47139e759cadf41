"""Curves of several runs on one figure."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

Curve = Sequence[tuple[float, float]]
# One colour for each model, the same on all plots of a page.
COLOURS = ('#4063d8', '#d1495b', '#2a9d6f', '#b07aa1', '#e08e0b', '#5f6b7a')


def plot_curves(
    panels: dict[str, dict[str, Curve]], xlabel: str = 'iteration', markers: Sequence[str] = ()
) -> Figure:
    """Plot curves, one panel for each quantity, two in a row.

    A name has the same colour in all panels; a panel without curves is left
    out.

    Args:
        panels (dict[str, dict[str, Curve]]): Quantity to its curves, each a
            name with its points (x, y).
        xlabel (str): Defaults to 'iteration'.
        markers (Sequence[str]): The quantities that are measured at few
            points, drawn with markers. Defaults to ().

    Returns:
        Figure: Not bound to pyplot.
    """
    panels = {
        quantity: {name: curve for name, curve in curves.items() if len(curve)}
        for quantity, curves in panels.items()
    }
    panels = {quantity: curves for quantity, curves in panels.items() if curves}
    names = list(dict.fromkeys(n for curves in panels.values() for n in curves))
    columns = min(len(panels), 2)
    rows = math.ceil(len(panels) / 2)
    figure = Figure(figsize=(5 * max(columns, 1), 3 * max(rows, 1)))
    for i, (quantity, curves) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, i + 1)
        for name, curve in curves.items():
            axes.plot(
                *zip(*curve),
                color=COLOURS[names.index(name) % len(COLOURS)],
                marker='o' if quantity in markers else None,
                markersize=4,
                linewidth=1.6,
                label=name,
            )
        axes.set_title(quantity, fontsize=10, loc='left')
        axes.set_xlabel(xlabel, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(fontsize=8, frameon=False)
    figure.tight_layout()
    return figure
