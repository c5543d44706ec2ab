"""How well a draw fits its expectation: Pearson's chi-square, with the small cells pooled.

Pearson's approximation needs some events a cell (Cochran 1954 asks for 5), so cells that expect fewer are
added together. Which cells meet depends on the expectations alone, never on the draw: a test must not choose
its own question.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

LEAST_EXPECTED = 5.0
"""Events that a cell must expect to stand alone."""


@dataclass(frozen=True)
class Fit:
    """The outcome of a chi-square test. `p_value`: the share of runs that chance alone takes as far."""

    statistic: float
    degrees_of_freedom: int
    p_value: float
    cells: int
    pooled: int
    impossible: int
    """Events where none could be: any makes the p-value 0."""


def fit_counts(expected: NDArray[np.float64], drawn: NDArray[np.int64]) -> Fit | None:
    """Test independent Poisson counts of any shape against their means; None if all expect under 5.

    The means are given beforehand and the total is free, so every cell is a degree of freedom.
    """
    return _fit(expected.ravel(), drawn.ravel(), constraints=0)


def fit_shares(weights: dict[str, float], drawn: dict[str, int]) -> Fit | None:
    """Test how a total divides over kinds, weights given; None if there is nothing to compare.

    The total is taken as drawn, which costs one degree of freedom.
    """
    kinds = sorted(weights.keys() | drawn.keys())
    counts = np.array([drawn.get(kind, 0) for kind in kinds], dtype=np.int64)
    parts = np.array([weights.get(kind, 0.0) for kind in kinds], dtype=np.float64)
    if not kinds or parts.sum() <= 0:
        return None
    return _fit(parts * (counts.sum() / parts.sum()), counts, constraints=1)


def _fit(expected: NDArray[np.float64], drawn: NDArray[np.int64], constraints: int) -> Fit | None:
    impossible = int(drawn[expected <= 0].sum())
    pooled_expected, pooled_drawn, pooled = pool_small_cells(expected, drawn)
    freedom = pooled_expected.size - constraints
    if freedom < 1:
        return None
    statistic = float(((pooled_drawn - pooled_expected) ** 2 / pooled_expected).sum())
    p_value = 0.0 if impossible else float(chi2.sf(statistic, freedom))
    return Fit(statistic, freedom, p_value, pooled_expected.size, pooled, impossible)


def pool_small_cells(
    expected: NDArray[np.float64], drawn: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Add cells (N,) that expect fewer than 5 together, smallest first, until every cell expects at least 5.

    Returns expectations and counts of the cells that remain (none if all together expect fewer than 5),
    and how many cells went into pools.
    """
    order = np.argsort(expected, kind="stable")
    means, counts = expected[order], drawn[order]
    small = int(np.searchsorted(means, LEAST_EXPECTED, side="left"))
    starts = _pool_starts(means, small)
    if starts.size == 0:
        return np.empty(0), np.empty(0, dtype=np.int64), small
    return np.add.reduceat(means, starts), np.add.reduceat(counts, starts), small


def _pool_starts(means: NDArray[np.float64], small: int) -> NDArray[np.intp]:
    """Where each pool or lone cell begins, for ascending `means` of which the first `small` are small.

    Pools are cut where the running sum passes a multiple of 10. A small cell straddles a cut by less than 5,
    so each pool but the last holds at least 5; the last one joins its neighbour when it holds less.
    """
    alone = np.arange(small, means.size)
    if small == 0:
        return alone
    running = np.cumsum(means[:small])
    cuts = 1 + np.flatnonzero(np.diff(np.floor(running / (2 * LEAST_EXPECTED))))
    pools = np.concatenate(([0], cuts))
    if means[pools[-1] : small].sum() >= LEAST_EXPECTED:
        return np.concatenate((pools, alone))
    if pools.size > 1:
        return np.concatenate((pools[:-1], alone))
    return np.concatenate((pools, alone[1:])) if alone.size else np.empty(0, dtype=np.intp)
