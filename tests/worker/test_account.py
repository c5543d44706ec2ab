"""What held a shard back, told apart and never more than the time that went by."""

import numpy as np
import pytest

from diurnal_worker.account import Account, CountryCounts
from diurnal_worker.pace import Pace, Schedule

HOUR = 3_600_000_000


def test_a_rest_counts_for_what_caused_it() -> None:
    account = Account()
    account.rests(10.0, 0.5, "budget")
    account.works(10.5)
    account.rests(10.5, 0.2, "skew")
    account.works(10.7)
    assert account.held_back == pytest.approx({"budget": 0.5, "max_speed": 0.0, "skew": 0.2, "sink": 0.0})


def test_a_rest_that_ends_early_counts_until_its_end() -> None:
    account = Account()
    account.rests(10.0, 0.5, "budget")
    account.works(10.1)
    assert account.held_back["budget"] == pytest.approx(0.1)


def test_what_comes_after_a_rest_is_not_part_of_it() -> None:
    """A process that was frozen meanwhile was not held back by its budget."""
    account = Account()
    account.rests(10.0, 0.5, "budget")
    account.works(70.0)
    assert account.held_back["budget"] == pytest.approx(0.5)


def test_work_without_a_rest_before_it_counts_nothing() -> None:
    account = Account()
    account.works(10.0)
    account.rests(10.0, 0.5, "sink")
    account.works(10.5)
    account.works(20.0)
    assert sum(account.held_back.values()) == pytest.approx(0.5)


def test_a_rate_is_expected_only_where_something_limits_it() -> None:
    account = Account()
    account.stretch(500, 2.0, "max_speed")
    assert (account.expected_rate, account.brake, account.generated) == (250.0, "max_speed", 500)
    account.stretch(500, 0.0, "budget")
    assert (account.expected_rate, account.generated) == (None, 1000)


@pytest.mark.parametrize(
    ("rate", "speed", "brake"), [(10.0, 1.0, "max_speed"), (10.0, 100.0, "budget"), (10.0, None, "budget")]
)
def test_the_slower_of_two_limits_is_the_brake(rate: float, speed: float | None, brake: str) -> None:
    """3,600 events in an hour: the budget alone makes it ten times as fast as real time."""
    assert Pace(rate, speed).brake(3600, HOUR) == brake


def test_delays_that_are_caught_up_are_no_slip() -> None:
    schedule = Schedule(0.5)
    schedule.begin(0.0, 10.0)
    assert schedule.wait(1.4, 1.0) == 0.0
    schedule.begin(10.3, 10.0)
    assert schedule.slipped == 0.0


def test_a_stall_slips_by_its_length() -> None:
    schedule = Schedule(0.5)
    schedule.begin(0.0, 10.0)
    schedule.wait(4.0, 1.0)
    assert schedule.slipped == pytest.approx(3.0)
    schedule.begin(15.0, 10.0)
    assert schedule.slipped == pytest.approx(5.0)


def test_who_has_no_pace_cannot_slip() -> None:
    schedule = Schedule(0.5)
    for now in (0.0, 5.0, 20.0):
        schedule.begin(now, 0.0)
        schedule.wait(now + 3.0, 0.0)
    assert schedule.slipped == 0.0


def test_countries_are_counted_by_their_codes() -> None:
    class Some:
        countries = np.array([0, 2, 2, 0, 2])

    counts = CountryCounts(("BRA", "CHN", "DEU"))
    counts.add(Some())  # type: ignore[arg-type]
    counts.add(Some())  # type: ignore[arg-type]
    assert counts.seen() == {"BRA": 4, "DEU": 6}
