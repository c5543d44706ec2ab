"""The numbers behind the figures, against loops that anyone can read."""

from collections import defaultdict

import numpy as np
import pytest
from scipy.stats import poisson

from diurnal_cli.record import HOUR, RunRecord
from diurnal_cli.series import MOST_POINTS, average_days, poisson_band, world_rates

NEW_YEAR = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z"""


def record_of(start: int, end: int, countries: int = 3, seed: int = 1) -> RunRecord:
    """A run of countries whose peaks lie a few hours apart; the last country peaks first."""
    hours = np.arange(start // HOUR, -(-end // HOUR), dtype=np.int64) * HOUR
    peaks = 20.0 - 5.0 * np.arange(countries)
    middles = (hours // HOUR % 24 + 0.5)[:, None]
    covered = (np.minimum(hours + HOUR, end) - np.maximum(hours, start)) / HOUR
    expected = 400 * (1.1 + np.cos((middles - peaks) / 12 * np.pi)) * covered[:, None]
    drawn = np.random.default_rng(seed).poisson(expected)
    names = tuple(f"Country {index}" for index in range(countries))
    return RunRecord(
        "run", 1, 10, "1", start, end, hours, names, expected, drawn, {}, {}, {}, 0, 0, "0", 1.0, "files", ""
    )


@pytest.mark.parametrize("days", [1, 83, 84, 365, 3650])
def test_a_line_has_at_most_two_thousand_points_and_loses_nothing(days: int) -> None:
    record = record_of(NEW_YEAR + HOUR // 2, NEW_YEAR + days * 24 * HOUR + HOUR // 3, countries=1)
    rates = world_rates(record)
    assert rates.drawn.size <= MOST_POINTS
    assert rates.drawn.sum() == record.events
    assert rates.expected.sum() == pytest.approx(record.expected.sum())
    assert rates.seconds.sum() == pytest.approx(record.simulated_seconds)


def test_a_year_is_summed_by_utc_days() -> None:
    record = record_of(NEW_YEAR + 5 * HOUR, NEW_YEAR + 365 * 24 * HOUR)
    by_day: dict[int, int] = defaultdict(int)
    for hour, events in zip(record.hours, record.drawn.sum(axis=1), strict=True):
        by_day[int(hour) // (24 * HOUR)] += int(events)
    assert world_rates(record).drawn.tolist() == list(by_day.values())


def test_a_partial_hour_counts_by_its_length() -> None:
    rates = world_rates(record_of(NEW_YEAR + 1_000_000, NEW_YEAR + 61_000_000))
    assert rates.seconds.tolist() == [60.0]
    assert rates.partial


def test_whole_hours_are_not_partial() -> None:
    assert not world_rates(record_of(NEW_YEAR, NEW_YEAR + 3 * HOUR)).partial


@pytest.mark.parametrize("mean", [0.0, 0.3, 7.0, 23_750.0])
def test_the_band_holds_99_per_cent_and_not_much_more(mean: float) -> None:
    low, high = poisson_band(np.array([mean]))
    inside = poisson.cdf(high, mean) - poisson.cdf(low - 1, mean)
    narrower = poisson.cdf(high - 1, mean) - poisson.cdf(low, mean)
    assert inside >= 0.99 > narrower


def test_nothing_expected_and_nothing_drawn_is_no_deviation() -> None:
    record = record_of(NEW_YEAR, NEW_YEAR + 2 * HOUR)
    empty = RunRecord(**{**vars(record), "expected": record.expected * 0, "drawn": record.drawn * 0})
    rates = world_rates(empty)
    assert rates.deviations.tolist() == [0.0, 0.0]
    assert not rates.outside.any()


def test_countries_are_sorted_by_the_hour_of_their_peak() -> None:
    days = average_days(record_of(NEW_YEAR, NEW_YEAR + 48 * HOUR), 40)
    assert days.countries == ("Country 2", "Country 1", "Country 0")
    np.testing.assert_allclose(days.peaks, [10.0, 15.0, 20.0])


def test_only_the_countries_with_most_events_are_shown() -> None:
    record = record_of(NEW_YEAR, NEW_YEAR + 24 * HOUR, countries=5)
    largest = np.argsort(-record.drawn.sum(axis=0))[:2]
    assert set(average_days(record, 2).countries) == {f"Country {index}" for index in largest}


def test_a_row_is_the_rate_over_its_own_mean() -> None:
    record = record_of(NEW_YEAR, NEW_YEAR + 48 * HOUR, countries=1)
    events = [0.0] * 24
    for hour, drawn in zip(record.hours, record.drawn[:, 0], strict=True):
        events[int(hour) // HOUR % 24] += drawn
    np.testing.assert_allclose(average_days(record, 40).values[0], np.array(events) / (sum(events) / 24))


def test_a_partial_hour_does_not_look_quiet() -> None:
    """Half an hour with half the events has the same rate as a whole one."""
    record = record_of(NEW_YEAR, NEW_YEAR + 3 * HOUR // 2, countries=1)
    level = RunRecord(**{**vars(record), "drawn": np.array([[1_000], [500]])})
    np.testing.assert_allclose(average_days(level, 40).values[0, :2], [1.0, 1.0])


def test_hours_that_the_run_does_not_cover_are_blank() -> None:
    days = average_days(record_of(NEW_YEAR, NEW_YEAR + 3 * HOUR), 40)
    assert days.hours_covered == 3
    assert np.isnan(days.values[:, 3:]).all()
