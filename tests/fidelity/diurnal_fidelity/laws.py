"""From sums to p-values: what `checks` asks of whole samples, asked of accumulators.

All are two-sided where "too good" is a defect as well. Laws are scipy's.
"""

import numpy as np
from scipy import stats

from checks import LEAST, Counts, Floats, Ints


def dispersion(statistic: float, cells: float, inverse_means: float) -> float:
    """Is the sum of (O - E)^2 / E over independent Poisson cells as it should be? See checks.chi_square."""
    scale = (2 * cells + inverse_means) / (2 * cells)
    return two_sided(stats.chi2(cells / scale, scale=scale), statistic)


def bins_of_uniform(counts: Ints) -> float:
    """Kolmogorov-Smirnov against U[0, 1) by counts in even bins.

    The distance is taken at the edges of the bins, which is at most the true one: blames no sound sample, and
    with bins of 2^-14 loses under a hundredth of the distance that 10^9 numbers are judged by.
    """
    total = int(counts.sum())
    if not total:
        return 1.0
    edges = np.arange(1, counts.size + 1) / counts.size
    distance = float(np.max(np.abs(np.cumsum(counts) / total - edges)))
    return float(stats.kstwobign.sf(np.sqrt(total) * distance))


def product(total: float, terms: float) -> float:
    """Is a sum of products of independent standardised numbers, two by two, about zero?"""
    return float(2 * stats.norm.sf(abs(total) / np.sqrt(terms))) if terms else 1.0


def shares(counts: Ints, probabilities: Floats) -> float:
    """Do the rows of a table follow known probabilities, whatever the rows' totals? Shape (rows, kinds).

    Rows that are too short for every kind to expect LEAST are joined; kinds that never occur must not.
    """
    possible = probabilities > 0
    if bool(np.any(counts[:, ~possible])):
        return 0.0
    law = probabilities[possible] / probabilities[possible].sum()
    table = counts[:, possible].astype(float)
    totals = table.sum(axis=1)
    long = totals * law.min() >= LEAST
    rows = np.vstack([table[long], table[~long].sum(axis=0)])
    rows = rows[rows.sum(axis=1) * law.min() >= LEAST]
    if not rows.size or law.size == 1:
        return 1.0
    means = rows.sum(axis=1, keepdims=True) * law
    statistic = float(np.sum((rows - means) ** 2 / means))
    return two_sided(stats.chi2(rows.shape[0] * (law.size - 1)), statistic)


def even_rows(counts: Ints) -> float:
    """Is every row of a table even?"""
    return shares(counts, np.full(counts.shape[1], 1 / counts.shape[1]))


def normal(value: float, mean: float, variance: float) -> float:
    """Is a value of this mean and variance, a sum of many, plausible?"""
    return float(2 * stats.norm.sf(abs(value - mean) / np.sqrt(variance))) if variance else 1.0


def poisson(count: int, mean: float) -> float:
    """Is a Poisson count plausible?"""
    return two_sided_count(float(stats.poisson.cdf(count, mean)), float(stats.poisson.sf(count - 1, mean)))


def two_sided_count(at_most: float, at_least: float) -> float:
    """The p-value of a discrete statistic by its two tails."""
    return min(1.0, 2 * min(at_most, at_least))


def two_sided(law: "stats.distributions.rv_frozen", statistic: float) -> float:
    """The p-value of a continuous statistic."""
    return min(1.0, 2 * float(min(law.cdf(statistic), law.sf(statistic))))


def binned(counts: Ints, law: Floats) -> float:
    """Do counts follow a law with thin tails? Two-sided; cells that expect less than LEAST are joined."""
    expected = counts.sum() * law
    large = expected >= LEAST
    means, observed = expected[large], counts[large]
    if not large.all():
        means = np.append(means, max(float(expected[~large].sum()), np.finfo(float).tiny))
        observed = np.append(observed, counts[~large].sum())
        if means[-1] < LEAST:  # too few to stand for themselves: with the smallest that do
            nearest = int(np.argmin(means[:-1])) if means.size > 1 else 0
            means[nearest] += means[-1]
            observed[nearest] += observed[-1]
            means, observed = means[:-1], observed[:-1]
    if means.size < 2:
        return 1.0
    return two_sided(stats.chi2(means.size - 1), float(np.sum((observed - means) ** 2 / means)))


def pairs_of_bits(correlations: Floats) -> float:
    """Are standardised correlations together as large as chance makes them?"""
    return two_sided(stats.chi2(correlations.size), float(np.sum(correlations**2)))


def bits_of_places(counts: Counts, draws: int) -> float:
    """Is each of many independent bits set in half of the draws? Chi-square over the bits; two-sided."""
    if not draws:
        return 1.0
    statistic = float(np.sum((np.asarray(counts) - draws / 2) ** 2 / (draws / 4)))
    return two_sided(stats.chi2(np.asarray(counts).size), statistic)
