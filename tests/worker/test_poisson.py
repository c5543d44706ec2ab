"""Poisson counts against scipy and against exact fractions."""

from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from checks import THRESHOLD, poisson_law, uncorrelated
from diurnal_worker import poisson as engine
from diurnal_worker.keyed import Purpose, Streams, key, streams
from diurnal_worker.poisson import poisson

COLUMNS = 512
TABULATED = (*(n / 8 for n in range(8)), *map(float, range(1, 8)), *(8.0 * n for n in range(1, 33)))
SLOTS = np.arange(1024, dtype=np.uint64)


def many(ticks: int, seed: int = 42) -> Streams:
    """1024 streams a tick."""
    parts = [streams(key(seed, Purpose.COUNT), tick, SLOTS) for tick in range(ticks)]
    return Streams(np.concatenate([p.base for p in parts]), np.concatenate([p.gamma for p in parts]))


STREAMS = many(256)


def counts(mean: float, sample: Streams = STREAMS) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return poisson(np.full(sample.base.size, mean), sample)


@pytest.mark.parametrize(
    "mean",
    [
        *(0.001, 0.03, 0.1249, 0.125, 0.126, 0.5, 0.99, 1.0, 1.37, 3.75, 7.999, 8.0, 11.3, 64.0),
        *(100.6, 255.999, 256.0, 257.1, 511.9, 1024.3, 5000.0),
    ],
)
def test_counts_have_the_poisson_law_in_every_value(mean: float) -> None:
    """A quarter of a million draws; means at, below and above every seam between the tables."""
    assert poisson_law(counts(mean), mean) > THRESHOLD


@pytest.mark.parametrize("mean", [0.7, 40.0, 3000.0])
def test_neighbouring_streams_have_independent_counts(mean: float) -> None:
    strange = (counts(mean) - mean) / mean**0.5
    assert uncorrelated(strange[:-1], strange[1:]) > THRESHOLD


def test_mixed_means_are_counted_as_if_each_were_alone() -> None:
    means = np.array([0.0, 0.01, 1.0, 8.0, 300.0, 5000.0])
    sample = Streams(STREAMS.base[:6], STREAMS.gamma[:6])
    alone = [
        int(poisson(means[i : i + 1], Streams(sample.base[i : i + 1], sample.gamma[i : i + 1]))[0])
        for i in range(6)
    ]
    assert poisson(means, sample).tolist() == alone


def test_nothing_expected_is_nothing_at_all() -> None:
    assert not counts(0.0).any()


def test_the_smallest_means_count_nothing_or_one() -> None:
    for mean in (5e-324, 1e-300, 1e-17):
        assert not counts(mean).any()
    assert set(counts(1e-4).tolist()) <= {0, 1, 2}


def test_no_streams_give_no_counts() -> None:
    nothing = np.zeros(0, np.uint64)
    assert poisson(np.zeros(0), Streams(nothing, nothing)).shape == (0,)


def test_a_mean_of_a_million_has_mean_and_variance_of_a_million() -> None:
    """What one slot of a very busy single user may expect; 2048 draws, both within five deviations."""
    found = counts(1e6, many(2)).astype(np.float64)
    assert abs(found.mean() - 1e6) < 5 * (1e6 / found.size) ** 0.5
    assert abs(found.var() / 1e6 - 1) < 5 * (2 / found.size) ** 0.5


@pytest.mark.parametrize("row", range(len(TABULATED)), ids=[str(mean) for mean in TABULATED])
def test_the_alias_table_implies_the_poisson_probabilities(row: int) -> None:
    """Every column's chance by exact fractions: its own share, and what other columns pass on to it."""
    table = engine._aliases()
    rows = slice(row * COLUMNS, (row + 1) * COLUMNS)
    implied: dict[int, Fraction] = defaultdict(Fraction)
    for column, (kept, alias) in enumerate(
        zip(table.threshold[rows].tolist(), table.alias[rows].tolist(), strict=True)
    ):
        assert 0 <= kept <= 2**55
        implied[column] += Fraction(kept, 2**55 * COLUMNS)
        implied[alias] += Fraction(2**55 - kept, 2**55 * COLUMNS)
    assert sum(implied.values()) == 1
    expected = stats.poisson.pmf(np.arange(COLUMNS), TABULATED[row])
    assert max(abs(float(implied[k]) - expected[k]) for k in range(COLUMNS)) < 1e-12


def test_what_lies_beyond_the_table_is_negligible() -> None:
    assert stats.poisson.sf(COLUMNS - 1, max(TABULATED)) < 2.0**-140


@pytest.mark.parametrize("mean", [0.001, 0.06, 0.1249])
def test_small_means_are_inverted_at_the_exact_steps_of_the_law(mean: float) -> None:
    """The count changes at each cumulative probability that doubles can tell from 1."""
    steps = stats.poisson.cdf(np.arange(4), mean)
    below = [k for k in range(4) if 1 - steps[k] > 1e-12]
    means = np.full(len(below), mean)
    assert engine._inverted(means, steps[below] - 1e-14).tolist() == below
    assert engine._inverted(means, steps[below] + 1e-14).tolist() == [k + 1 for k in below]
