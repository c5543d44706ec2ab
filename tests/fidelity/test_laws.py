"""Laws of accumulators against scipy on whole samples; each is passed by a sound sample, not by another."""

import numpy as np
import pytest
from scipy import stats

import checks
from checks import THRESHOLD
from diurnal_fidelity import laws
from diurnal_fidelity.questions.question import bins


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_distance_by_bins_is_nearly_that_of_the_sample() -> None:
    places = rng(1).random(100_000)
    exact = float(stats.kstest(places, "uniform", method="asymp").pvalue)
    assert laws.bins_of_uniform(bins(places, 1 << 14)) == pytest.approx(exact, rel=0.05)
    assert laws.bins_of_uniform(bins(places**1.05, 1 << 14)) < THRESHOLD


def test_dispersion_is_the_chi_square_of_poisson_cells() -> None:
    means = rng(2).uniform(60, 500, 5000)
    counts = rng(3).poisson(means)
    sums = float(np.sum((counts - means) ** 2 / means)), means.size, float(np.sum(1 / means))
    assert laws.dispersion(*sums) == pytest.approx(checks.chi_square(counts, means))
    assert laws.dispersion(sums[0] * 0.8, *sums[1:]) < THRESHOLD, "too good is a defect as well"


def test_rows_of_a_table_are_held_against_one_law() -> None:
    law = np.array([0.5, 0.3, 0.2, 0.0])
    table = np.array([rng(seed).multinomial(total, law) for seed, total in enumerate((900, 5000, 3, 40_000))])
    assert laws.shares(table, law) > THRESHOLD
    moved = table + np.array([[0, 0, 0, 0], [400, -400, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert laws.shares(moved, law) < THRESHOLD
    table[0, 3] = 1
    assert laws.shares(table, law) == 0, "what cannot occur has occurred"


def test_thin_tails_are_joined() -> None:
    law = stats.binom.pmf(np.arange(65), 64, 0.5)
    counts = np.bincount(rng(4).binomial(64, 0.5, 100_000), minlength=65)
    assert laws.binned(counts, law) > THRESHOLD
    shifted = np.bincount(rng(5).binomial(64, 0.52, 100_000), minlength=65)
    assert laws.binned(shifted, law) < THRESHOLD
    heavy = counts.copy()
    heavy[60] += 200  # a tail that alone expects nothing
    assert laws.binned(heavy, law) < THRESHOLD


def test_products_of_correlated_numbers_are_seen() -> None:
    first, second = rng(6).standard_normal((2, 100_000))
    assert laws.product(float(first @ second), first.size) > THRESHOLD
    assert laws.product(float(first @ (second + 0.05 * first)), first.size) < THRESHOLD


def test_a_poisson_count_may_be_too_small_or_too_large() -> None:
    assert laws.poisson(100, 100.0) > 0.9
    assert laws.poisson(20, 100.0) < THRESHOLD
    assert laws.poisson(190, 100.0) < THRESHOLD


def test_bits_may_lean() -> None:
    ones = rng(7).binomial(10_000, 0.5, 122)
    assert laws.bits_of_places(ones, 10_000) > THRESHOLD
    ones[17] += 800
    assert laws.bits_of_places(ones, 10_000) < THRESHOLD
