"""Checks that turn events into p-values: one function a question, used on the engine and on planted defects.

Every p-value is two-sided where "too good" is a defect as well (counts without Poisson noise), and is
calibrated far into the tail, because the threshold is there: a family of up to CHECKS p-values may together
reject a correct engine with probability FAMILY_ALPHA at most, so each is held against FAMILY_ALPHA / CHECKS
(Bonferroni). Seeds are fixed, so a test cannot flake; the threshold says how unlucky a new seed or a new
engine version would have to be.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Counts = Ints | Floats

FAMILY_ALPHA = 1e-6
CHECKS = 200
THRESHOLD = FAMILY_ALPHA / CHECKS
LEAST = 50.0


def chi_square(observed: Counts, expected: Floats) -> float:
    """Are independent Poisson counts as expected? Two-sided; cells under LEAST are pooled first.

    With Poisson cells the statistic has mean k and variance 2k + sum(1/E): a scaled chi-square of these two
    moments is its reference. A cell that expects nothing and has an event is impossible: p = 0.
    """
    if bool(np.any((expected.ravel() == 0) & (observed.ravel() > 0))):
        return 0.0
    counts, means = pooled(observed, expected)
    statistic = float(np.sum((counts - means) ** 2 / means))
    variance = 2 * means.size + float(np.sum(1 / means))
    scale = variance / (2 * means.size)
    return _two_sided(stats.chi2(means.size / scale, scale=scale), statistic)


def worst_cell(observed: Counts, expected: Floats) -> float:
    """Is the strangest cell strange? The exact Poisson tail of each count, times the number of cells."""
    counts, means = pooled(observed, expected)
    low, high = stats.poisson.cdf(counts, means), stats.poisson.sf(counts - 1, means)
    return min(1.0, 2 * counts.size * float(np.min(np.minimum(low, high))))


def poisson_law(counts: Ints, mean: float) -> float:
    """Are independent counts of one mean Poisson in every value? Chi-square, the tails joined; two-sided."""
    low, high = (
        int(stats.poisson.ppf(tail, mean)) for tail in (LEAST / counts.size, 1 - LEAST / counts.size)
    )
    observed = np.bincount(np.clip(counts, low, high) - low, minlength=high - low + 1).astype(np.int64)
    below = stats.poisson.cdf(np.arange(low, high), mean)
    shares = np.diff(np.concatenate([[0.0], below, [1.0]]))
    return multinomial(observed, counts.size * shares)


def multinomial(observed: Ints, expected: Floats) -> float:
    """Do the counts of a fixed number of draws fit? Two-sided; every cell should expect LEAST."""
    statistic = float(np.sum((observed - expected) ** 2 / expected))
    return _two_sided(stats.chi2(observed.size - 1), statistic)


def uniformity(places: Floats, cells: int) -> float:
    """Do places in [0, 1) fall evenly into cells? Given their number; two-sided."""
    counts = np.bincount(np.minimum((places * cells).astype(np.int64), cells - 1), minlength=cells)
    return even(counts)


def even(counts: Ints) -> float:
    """Are the cells of a multinomial equally likely? Two-sided."""
    return multinomial(counts, np.full(counts.size, counts.sum() / counts.size))


def joint_uniformity(first: Floats, second: Floats, cells: int = 16) -> float:
    """Are pairs of places spread evenly over the unit square? Finds draws that share their randomness."""
    return uniformity((np.minimum(np.floor(first * cells), cells - 1) + second) / cells, cells * cells)


def rescaled_gaps(times: Ints, cumulative: Callable[[Floats], Floats], rng: np.random.Generator) -> Floats:
    """Gaps in rescaled time, as places in [0, 1) that are uniform for a Poisson process.

    `times` sorted microseconds; `cumulative` the expected number of events before a time. Each event is
    first moved by U[0, 1) microseconds: the gaps of whole microseconds are a lattice that a large sample
    tells from the exponential law. Time rescaling: Brown et al. (2002), Neural Computation 14.
    """
    exact = np.sort(times + rng.random(times.size))
    return -np.expm1(-np.diff(cumulative(exact)))


def rescaled_places(
    times: Ints, tick: int, cumulative: Callable[[Floats], Floats], rng: np.random.Generator
) -> Floats:
    """Where in its tick an event falls, in rescaled time: uniform on [0, 1) for the exact process.

    `cumulative` as in `rescaled_gaps`; times that are "uniform in the bin" show here and nowhere else.
    """
    exact = times + rng.random(times.size)
    starts = (times // tick * tick).astype(np.float64)
    before, after = cumulative(starts), cumulative(starts + tick)
    return (cumulative(exact) - before) / (after - before)


def uniform_ks(places: Floats) -> float:
    """Kolmogorov-Smirnov against U[0, 1), by the asymptotic law; samples here are large."""
    ordered = np.sort(places)
    ordered -= np.arange(ordered.size) / ordered.size
    distance = max(float(ordered.max()), 1 / ordered.size - float(ordered.min()))
    return float(stats.kstwobign.sf(np.sqrt(ordered.size) * distance))


def same_law(first: Counts, second: Counts) -> float:
    """Two-sample Kolmogorov-Smirnov."""
    return float(stats.ks_2samp(first, second, method="asymp").pvalue)


def same_cells(first: Ints, second: Ints) -> float:
    """Do two samples fall into the same cells? Chi-square of homogeneity over cells with LEAST events."""
    both = np.stack([first.ravel(), second.ravel()])
    busy = both[:, both.sum(axis=0) >= LEAST]
    return float(stats.chi2_contingency(busy, correction=False).pvalue)


def uncorrelated(first: Floats, second: Floats) -> float:
    """Have two standardised series of independent draws no correlation? Normal law of the mean product."""
    product = first * second
    return float(2 * stats.norm.sf(abs(product.sum()) / np.sqrt(np.sum(product**2))))


def standardised(observed: Counts, expected: Floats) -> Floats:
    """Counts as (O - E) / sqrt(E)."""
    return np.asarray((observed - expected) / np.sqrt(expected))


def coincidences(first: Ints, second: Ints, expected: float) -> float:
    """Do two sets of draws share more values than the `expected` pairs of chance?

    Reused keys make whole neighbours equal. The number of equal pairs is close to Poisson; one-sided.
    """
    numbers, repeats = np.unique(first, return_counts=True)
    others, more = np.unique(second, return_counts=True)
    _, here, there = np.intersect1d(numbers, others, assume_unique=True, return_indices=True)
    pairs = int(np.sum(repeats[here] * more[there]))
    return float(stats.poisson.sf(pairs - 1, expected))


def pooled(observed: Counts, expected: Floats) -> tuple[Floats, Floats]:
    """Cells as they are where LEAST is expected; the others, in their order, joined until it is.

    Each is below LEAST, so steps of 2 LEAST leave every pool above LEAST; the last, unfinished one joins
    the pool before it, so that no event escapes.
    """
    counts, means = observed.ravel().astype(np.float64), expected.ravel().astype(np.float64)
    small = means < LEAST
    pools = np.floor(np.cumsum(means[small]) / (2 * LEAST)).astype(np.int64)
    if pools.size:
        pools = np.minimum(pools, max(0, int(pools[-1]) - 1))
    few = np.bincount(pools, counts[small]), np.bincount(pools, means[small])
    used = few[1] > 0
    return np.append(counts[~small], few[0][used]), np.append(means[~small], few[1][used])


def _two_sided(law: "stats.distributions.rv_frozen", statistic: float) -> float:
    return min(1.0, 2 * float(min(law.cdf(statistic), law.sf(statistic))))
