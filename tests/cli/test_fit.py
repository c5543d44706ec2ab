"""Chi-square with pooled cells, against scipy's own test and against draws whose process is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from diurnal_cli.fit import LEAST_EXPECTED, Fit, fit_counts, fit_shares, pool_small_cells
from diurnal_cli.verdict import verdict

MEANS = st.lists(st.floats(0, 30), max_size=200).map(lambda values: np.array(values, dtype=np.float64))


@given(MEANS)
def test_every_pool_expects_at_least_five_events(means: np.ndarray) -> None:
    pooled, _, _ = pool_small_cells(means, np.zeros(means.size, dtype=np.int64))
    assert (pooled >= LEAST_EXPECTED * (1 - 1e-12)).all()


@given(MEANS)
def test_pooling_loses_neither_expectation_nor_events(means: np.ndarray) -> None:
    counts = np.arange(means.size, dtype=np.int64)
    pooled, drawn, _ = pool_small_cells(means, counts)
    if pooled.size:
        assert pooled.sum() == pytest.approx(means.sum())
        assert drawn.sum() == counts.sum()
    else:
        assert means.sum() < LEAST_EXPECTED * (1 + 1e-12)


@given(MEANS)
def test_cells_that_are_large_enough_stand_alone(means: np.ndarray) -> None:
    """Only the very smallest of them may take in a remainder that no pool could hold."""
    pooled, _, small = pool_small_cells(means, np.zeros(means.size, dtype=np.int64))
    large = np.sort(means[means >= LEAST_EXPECTED])
    assert small == means.size - large.size
    np.testing.assert_array_equal(pooled[pooled.size - large.size :][1:], large[1:])


def test_what_was_drawn_does_not_decide_which_cells_meet() -> None:
    means = np.array([1.0, 2.0, 3.0, 4.0, 9.0])
    one, _, _ = pool_small_cells(means, np.array([9, 0, 0, 0, 0]))
    other, _, _ = pool_small_cells(means, np.array([0, 0, 0, 9, 1]))
    np.testing.assert_array_equal(one, other)


def test_the_statistic_is_pearsons() -> None:
    means = np.array([[10.0, 20.0], [30.0, 40.0]])
    drawn = np.array([[12, 18], [33, 37]])
    fit = fit_counts(means, drawn)
    assert fit is not None
    assert fit.statistic == pytest.approx(4 / 10 + 4 / 20 + 9 / 30 + 9 / 40)
    assert fit.degrees_of_freedom == 4


def test_shares_agree_with_scipy() -> None:
    drawn = {"phone": 790, "tablet": 160, "desktop": 50}
    fit = fit_shares({"phone": 0.8, "tablet": 0.15, "desktop": 0.05}, drawn)
    oracle = chisquare([50, 790, 160], [50, 800, 150])
    assert fit is not None
    assert fit.statistic == pytest.approx(oracle.statistic)
    assert fit.p_value == pytest.approx(oracle.pvalue)
    assert fit.degrees_of_freedom == 2


def test_weights_count_by_their_proportions_only() -> None:
    drawn = {"a": 60, "b": 40}
    assert fit_shares({"a": 1, "b": 1}, drawn) == fit_shares({"a": 50, "b": 50}, drawn)


def test_a_true_poisson_process_has_p_values_that_are_uniform() -> None:
    """400 draws of 2,000 cells, most of them small; Kolmogorov-Smirnov at 0.001, the seed fixed."""
    random = np.random.default_rng(7)
    means = random.exponential(6.0, size=2_000)
    fits = [fit_counts(means, random.poisson(means)) for _ in range(400)]
    assert kstest([fit.p_value for fit in fits if fit], "uniform").pvalue > 0.001


def test_a_rate_that_is_two_per_cent_off_is_found() -> None:
    means = np.full(1_000, 1_000.0)
    fit = fit_counts(means, np.random.default_rng(8).poisson(1.02 * means))
    assert fit is not None
    assert fit.p_value < 1e-6
    assert verdict(fit).startswith("The draw does not fit")


def test_an_event_where_none_can_be_refutes_the_draw() -> None:
    fit = fit_counts(np.array([0.0, 100.0]), np.array([1, 100]))
    assert fit is not None
    assert fit.p_value == 0
    assert "1 event occurred where none could" in verdict(fit)


def test_fewer_than_five_expected_events_are_not_judged() -> None:
    assert fit_counts(np.full((3, 4), 0.1), np.zeros((3, 4), dtype=np.int64)) is None
    assert verdict(None) == "Too few events are expected to judge the fit."


def test_a_run_without_cells_is_not_judged() -> None:
    assert fit_counts(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64)) is None
    assert fit_shares({}, {}) is None
    assert fit_shares({"a": 1.0}, {}) is None


@pytest.mark.parametrize(
    ("p_value", "words"),
    [
        (0.5, "The draw fits: chance alone deviates at least as much in about 50 of 100 runs"),
        (0.999, "in nearly all of 100 runs"),
        (0.004, "in only 1 of 250 runs"),
        (1e-9, "fewer than one run in a million"),
        (1.0, "too even"),
    ],
)
def test_a_sentence_says_what_the_p_value_means(p_value: float, words: str) -> None:
    assert words in verdict(Fit(1.0, 10, p_value, 10, 0, 0))
