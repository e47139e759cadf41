"""How much of a teacher's features a linear map of the student's explains."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

RIDGES = (1e-6, 1e-4, 1e-2, 1.0)  # shares of the mean variance of the student's channels
MOST_PLACES = 4096  # of a batch


class Moments:
    """Sums of products of pairs of vectors, in float64.

    Enough to fit a linear map of the first to the second, and to tell the
    error of one, without keeping the vectors.

    Attributes:
        rows (int): Number of pairs.
        xx (Tensor): Products of the first, with a one appended, ``(a + 1, a + 1)``.
        xy (Tensor): Products of the first, with a one, and the second ``(a + 1, b)``.
        yy (Tensor): Sum of squares of the second, a scalar.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.xx = self.xy = self.yy = torch.zeros(())

    def add(self, x: Tensor, y: Tensor) -> None:
        """Add pairs.

        Args:
            x (Tensor): The first vectors ``(rows, a)``.
            y (Tensor): The second ``(rows, b)``.
        """
        x, y = x.detach().double(), y.detach().double()
        x = torch.cat([x, x.new_ones(len(x), 1)], 1)
        self.rows += len(x)
        self.xx = self.xx.to(x) + x.T @ x
        self.xy = self.xy.to(x) + x.T @ y
        self.yy = self.yy.to(x) + y.square().sum()

    def __add__(self, other: 'Moments') -> 'Moments':
        total = Moments()
        total.rows = self.rows + other.rows
        total.xx, total.xy = self.xx + other.xx, self.xy + other.xy
        total.yy = self.yy + other.yy
        return total

    def fit(self, ridge: float) -> Tensor:
        """Fit a map by ridge regression; the constant is not shrunk.

        Args:
            ridge (float): Penalty, as a share of the mean variance of the
                first vectors' channels.

        Returns:
            Tensor: Coefficients ``(a + 1, b)``, the last row is the constant.
        """
        variance = self.xx.diagonal()[:-1] - self.xx[-1, :-1].square() / self.rows
        penalty = torch.full_like(self.xx[0], ridge * float(variance.mean()) + 1e-12)
        penalty[-1] = 0
        return torch.linalg.solve(self.xx + penalty.diag(), self.xy)

    def constant(self) -> Tensor:
        """Return the map that is the mean of the second vectors, ``(a + 1, b)``."""
        coefficients = torch.zeros_like(self.xy)
        coefficients[-1] = self.xy[-1] / self.rows
        return coefficients

    def error(self, coefficients: Tensor) -> float:
        """Compute the squared error of a map, summed over pairs and channels."""
        fitted = (coefficients * (self.xx @ coefficients)).sum()
        return float(self.yy - 2 * (coefficients * self.xy).sum() + fitted)


def explained(fit: Moments, choose: Moments, test: Moments) -> dict[str, float]:
    """Measure on held-out pairs what a constant and a linear map explain.

    Args:
        fit (Moments): What maps of several penalties are fitted to.
        choose (Moments): What decides between them.
        test (Moments): What the best, fitted to both, is measured on.

    Returns:
        dict[str, float]: ``constant``, the share of the second vectors' sum of
        squares that their mean over ``fit`` and ``choose`` explains; and
        ``r2``, the share of the rest that the map explains, negative if it is
        worse than the mean, NaN if there is no rest.
    """
    best = min(RIDGES, key=lambda ridge: choose.error(fit.fit(ridge)))
    seen = fit + choose
    rest, total = test.error(seen.constant()), float(test.yy)
    varies = rest > 1e-9 * total
    return dict(
        r2=1 - test.error(seen.fit(best)) / rest if varies else math.nan,
        constant=1 - rest / total if total > 0 else math.nan,
    )


def paired_rows(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor] | None:
    """Lay out two features as one pair of vectors for each place.

    Args:
        student (Tensor): Maps ``(N, C, h, w)``; the larger of two sizes is
            averaged over the places of the smaller. Or ``(..., C)``.
        teacher (Tensor): The same kind.

    Returns:
        tuple[Tensor, Tensor] | None: ``(rows, C)`` each, at most
        ``MOST_PLACES``; None where they have other places.
    """
    sides = [student, teacher]
    if all(x.dim() == 4 for x in sides):
        size = [min(x.shape[i] for x in sides) for i in (2, 3)]
        sides = [F.adaptive_avg_pool2d(x.float(), size).movedim(1, -1) for x in sides]
    if sides[0].shape[:-1] != sides[1].shape[:-1] or sides[0].dim() < 2:
        return None
    x, y = (x.flatten(0, -2) for x in sides)
    if len(x) > MOST_PLACES:
        picks = torch.linspace(0, len(x) - 1, MOST_PLACES, device=x.device).long()
        x, y = x[picks], y[picks]
    return x, y
