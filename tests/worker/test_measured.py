"""The measured week is the published one: its mean is 1, people sleep at night, and weekends begin later."""

import pytest

from diurnal_worker.measured import UnknownActivityError, measured_week


def test_a_week_has_168_hours_above_zero_with_mean_one() -> None:
    week = measured_week("shanghai-week")
    assert len(week) == 168
    assert min(week) > 0
    assert sum(week) / 168 == pytest.approx(1, abs=1e-4)


def test_monday_comes_first() -> None:
    week = measured_week()
    assert week[:3] == (0.5105, 0.3602, 0.2554)
    assert week[24] == 0.5579


def test_every_night_has_its_trough_between_three_and_five() -> None:
    days = [measured_week()[start : start + 24] for start in range(0, 168, 24)]
    assert {day.index(min(day)) for day in days} <= {3, 4, 5}


def test_weekend_mornings_are_later() -> None:
    week = measured_week()
    assert all(
        week[5 * 24 + 8] < week[day * 24 + 8] and week[6 * 24 + 8] < week[day * 24 + 8] for day in range(5)
    )


def test_an_unknown_curve_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownActivityError, match="no built-in activity 'tokyo'; there is shanghai-week"):
        measured_week("tokyo")
