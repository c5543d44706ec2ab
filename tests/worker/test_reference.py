"""The oracle against cases that can be worked out by hand: whoever judges the engine is judged first."""

import math
import random
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

import checks
from reference import (
    DAY,
    HOUR,
    MEASURED_WEEK,
    MINUTE,
    SLOTS,
    Activity,
    Reference,
    Stratum,
    apportion,
    cosine,
    hourly,
    instant,
    local_hours,
)

MONDAY = instant("2026-01-05T00:00:00Z")
DAY_AND_NIGHT = cosine(16, 0.03)


@dataclass(frozen=True)
class Land:
    alpha3: str
    population: int
    zones: tuple[tuple[str, Fraction], ...] = (("UTC", Fraction(1)),)
    internet_fraction: Fraction = Fraction(1)


def alone(zone: str, activity: Activity = DAY_AND_NIGHT) -> Reference:
    return Reference([Stratum("AAA", zone, 0, 1000)], activity, 57)


def test_the_cosine_is_one_at_its_peak_and_its_floor_at_its_trough() -> None:
    curve = cosine(16, 0.03)
    assert curve.value(16) == pytest.approx(1)
    assert curve.value(4) == pytest.approx(0.03)
    assert curve.value(24 * 3 + 10) == pytest.approx(0.03 + 0.97 / 2)
    assert curve.mean == pytest.approx(0.515)


def test_an_hourly_value_stands_in_the_middle_of_its_hour_with_lines_between() -> None:
    curve = hourly([float(hour * hour) for hour in range(24)])
    assert curve.value(5.5) == 25
    assert curve.value(6) == (25 + 36) / 2
    assert curve.value(6.25) == 0.25 * 25 + 0.75 * 36


def test_midnight_lies_between_the_last_and_the_first_value() -> None:
    curve = hourly([8.0, *[0.0] * 22, 4.0])
    assert curve.value(0) == curve.value(24) == 6
    assert curve.value(23.75) == 5


def test_a_week_begins_on_monday() -> None:
    curve = hourly([float(hour) for hour in range(168)])
    sunday = instant("2026-01-11T23:30:00Z")
    assert curve.value(local_hours("UTC", MONDAY + 30 * MINUTE)) == 0
    assert curve.value(local_hours("UTC", sunday)) == 167
    assert curve.value(local_hours("UTC", sunday + 30 * MINUTE)) == pytest.approx(83.5)


def test_the_measured_week_is_relative_to_its_mean_and_sleeps_before_dawn() -> None:
    assert len(MEASURED_WEEK) == 168
    assert hourly(MEASURED_WEEK).mean == pytest.approx(1, abs=1e-5)
    days = [MEASURED_WEEK[first : first + 24] for first in range(0, 168, 24)]
    assert all(day.index(min(day)) in (3, 4) for day in days)


@pytest.mark.parametrize(
    ("zone", "utc", "hours"),
    [
        ("Asia/Kolkata", "2026-01-05T10:30:00Z", 16),
        ("Asia/Kathmandu", "2026-01-05T10:15:00Z", 16),
        ("America/New_York", "2026-03-08T06:59:00Z", 6 * 24 + 1 + 59 / 60),
        ("America/New_York", "2026-03-08T07:00:00Z", 6 * 24 + 3),
        ("America/New_York", "2026-11-01T06:00:00Z", 6 * 24 + 1),
        ("Europe/Berlin", "2026-03-29T01:00:00Z", 6 * 24 + 3),
        ("Europe/Berlin", "2026-10-25T01:00:00Z", 6 * 24 + 2),
        ("Australia/Lord_Howe", "2026-04-04T14:59:00Z", 6 * 24 + 1 + 59 / 60),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z", 6 * 24 + 1.5),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z", 6 * 24 + 2.5),
        ("Pacific/Kiritimati", "2026-01-05T10:00:00Z", 24),
    ],
)
def test_clocks_on_the_wall_follow_the_zone(zone: str, utc: str, hours: float) -> None:
    assert local_hours(zone, instant(utc)) == pytest.approx(hours)


def test_a_nominal_day_holds_the_mean_rate_of_every_user() -> None:
    for activity in (cosine(16, 0.03), cosine(9.5, 0), hourly([3.0, 0.0, 1.0] * 8)):
        world = alone("Asia/Tokyo", activity)
        assert world.world_expected(MONDAY, MONDAY + DAY) == pytest.approx(57_000)


def test_a_nominal_week_holds_seven_mean_days() -> None:
    world = alone("Asia/Shanghai", hourly(MEASURED_WEEK))
    assert world.world_expected(MONDAY, MONDAY + 7 * DAY) == pytest.approx(7 * 57_000)


def test_the_integral_of_the_cosine_is_its_antiderivative() -> None:
    world, turn = alone("UTC"), 2 * math.pi / 24

    def antiderivative(hours: float) -> float:
        return 0.515 * hours + 0.485 / turn * math.sin((hours - 16) * turn)

    for start, end in ((0, 1), (3.2, 17.9), (15, 17)):
        integral = world.world_expected(MONDAY + int(start * HOUR), MONDAY + int(end * HOUR))
        assert integral == pytest.approx(57_000 / 24 * (antiderivative(end) - antiderivative(start)) / 0.515)


def test_the_integral_of_lines_is_exact() -> None:
    world = alone("UTC", hourly([0.0] * 12 + [24.0] + [0.0] * 11))
    noon = MONDAY + 12 * HOUR
    assert world.world_expected(noon - 30 * MINUTE, noon) == pytest.approx(57_000 / 8)
    assert world.world_expected(noon + 30 * MINUTE, noon + HOUR + 30 * MINUTE) == pytest.approx(57_000 / 2)
    assert world.world_expected(noon + HOUR + 30 * MINUTE, noon + 23 * HOUR) == 0


def test_a_day_with_23_hours_lacks_the_hour_that_the_clocks_leave_out() -> None:
    steps = hourly([float(1 + hour % 5) for hour in range(24)])
    berlin, lagos = alone("Europe/Berlin", steps), alone("Africa/Lagos", steps)  # Lagos: UTC+1 for ever
    midnight = instant("2026-03-28T23:00:00Z")
    left_out = lagos.world_expected(midnight + 2 * HOUR, midnight + 3 * HOUR)
    short = berlin.world_expected(midnight, midnight + 23 * HOUR)
    assert short == pytest.approx(lagos.world_expected(midnight, midnight + DAY) - left_out)


def test_quadrature_does_not_depend_on_its_pieces() -> None:
    start = instant("2026-10-03T00:10:00Z")
    for activity in (cosine(16, 0.03), hourly(MEASURED_WEEK)):
        world = alone("Australia/Lord_Howe", activity)
        coarse, fine = (world.world_expected(start, start + DAY, piece) for piece in (15 * MINUTE, MINUTE))
        assert coarse == pytest.approx(fine, rel=1e-8)


def test_a_constant_world_keeps_its_mean_and_mixes_by_the_time_of_day() -> None:
    strata = [Stratum("AAA", "Asia/Tokyo", 0, 300), Stratum("BBB", "America/Lima", 300, 100)]
    constant = Reference(strata, cosine(16, 0.03), 57, constant=True)
    diurnal = Reference(strata, cosine(16, 0.03), 57)
    for time in range(MONDAY, MONDAY + DAY, 3 * HOUR + 7):
        assert constant.world_rate(time) == pytest.approx(400 * 57 / 86_400)
        ratios = [world.rate(strata[0], time) / world.rate(strata[1], time) for world in (constant, diurnal)]
        assert ratios[0] == pytest.approx(ratios[1])


def test_seats_go_by_largest_remainder() -> None:
    """Hamilton's method by hand: quotas 4.7, 3.1, 2.2 of ten seats are 5, 3, 2."""
    lands = [Land("AAA", 47), Land("BBB", 31), Land("CCC", 22)]
    assert [stratum.users for stratum in apportion(lands, 10)] == [5, 3, 2]


def test_equal_remainders_go_to_the_first_on_the_axis() -> None:
    halves = (("Europe/Rome", Fraction(1, 2)), ("Africa/Cairo", Fraction(1, 2)))
    strata = apportion([Land("BBB", 2, halves), Land("AAA", 1)], 4)
    assert [(s.country, s.zone, s.first, s.users) for s in strata] == [
        ("AAA", "UTC", 0, 2),
        ("BBB", "Africa/Cairo", 2, 1),
        ("BBB", "Europe/Rome", 3, 1),
    ]


def test_seats_follow_people_online_and_not_people() -> None:
    strata = apportion([Land("AAA", 90, internet_fraction=Fraction(1, 9)), Land("BBB", 10)], 8)
    assert [stratum.users for stratum in strata] == [4, 4]


def test_the_last_seat_of_billions_is_not_lost_to_rounding() -> None:
    lands = [Land(f"{number:03}", 2**53 + number) for number in range(7)]
    strata = apportion(lands, 5_400_000_001)
    assert sum(stratum.users for stratum in strata) == 5_400_000_001
    assert [stratum.users - 5_400_000_001 // 7 for stratum in strata] == [0, 0, 0, 1, 1, 1, 1]


def test_slots_share_the_users_and_their_events() -> None:
    strata = [Stratum("AAA", "UTC", 0, 700), Stratum("BBB", "Asia/Tokyo", 700, 800)]
    world = Reference(strata, cosine(16, 0.03), 57)
    slots = [world.slot_expected(slot, MONDAY, MONDAY + HOUR) for slot in range(SLOTS)]
    assert math.fsum(slots) == pytest.approx(world.world_expected(MONDAY, MONDAY + HOUR))
    assert slots[0] == pytest.approx(sum(world.expected(s, MONDAY, MONDAY + HOUR) / s.users for s in strata))


@pytest.mark.parametrize("constant", [False, True])
def test_thinning_draws_what_quadrature_expects(constant: bool) -> None:
    """Three p-values a case, the family of six against 1e-6."""
    strata = [Stratum("AAA", "Asia/Kolkata", 0, 40), Stratum("BBB", "America/Lima", 40, 60)]
    world = Reference(strata, hourly(MEASURED_WEEK), 400, constant)
    events = list(world.thinned(MONDAY, MONDAY + DAY, random.Random(7)))
    cells = Counter((int(time - MONDAY) // HOUR, stratum) for time, stratum, _ in events)
    hours = [(MONDAY + hour * HOUR, MONDAY + (hour + 1) * HOUR) for hour in range(24)]
    drawn = np.array([[cells[hour, stratum] for stratum in range(2)] for hour in range(24)])
    expected = np.array([[world.expected(stratum, *hour) for stratum in strata] for hour in hours])
    users = np.bincount([user for _, _, user in events], minlength=100)
    assert checks.chi_square(drawn, expected) > 1e-6 / 6
    assert checks.even(users[:40]) > 1e-6 / 6
    assert checks.even(users[40:]) > 1e-6 / 6
