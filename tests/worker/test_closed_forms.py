"""What the engine says that it expects is what the reference expects; nothing is drawn here.

The reference's quadrature is exact for lines and within 1e-12 of the cosine at pieces of a minute; quotients
of curves (`total: Constant`) are within 1e-7.
"""

from datetime import timedelta

import numpy as np
import pytest

from diurnal_api.traffic import Traffic
from diurnal_worker.measured import measured_week
from diurnal_worker.sources import load
from diurnal_worker.strata import World
from diurnal_worker.traffic import intensity_of
from engine import DAY_AND_NIGHT, Case, case, dataset, hours
from reference import (
    DAY,
    EPOCH,
    HOUR,
    MEASURED_WEEK,
    MINUTE,
    SECOND,
    SLOTS,
    Reference,
    apportion,
    cosine,
    hourly,
    instant,
    time_zone,
)

QUARTER = 15 * MINUTE
CURVES = {
    "cosine": DAY_AND_NIGHT,
    "jagged": hours([float(1 + (7 * hour) % 11) for hour in range(24)]),
    "zeros": hours([0.0] * 6 + [3.0] * 12 + [0.0] * 6),
    "week": hours(MEASURED_WEEK),
}
MIXED = dataset(
    ("AAA", "Asia/Kolkata", 900),
    ("BBB", "America/New_York", 500),
    ("CCC", "Australia/Lord_Howe", 300),
    ("DDD", "Asia/Kathmandu", 200),
)
BOTH = pytest.mark.parametrize("constant", [False, True], ids=["diurnal", "constant"])


def mixed(curve: str, constant: bool) -> Case:
    """Users without a common divisor, so that slots differ."""
    return case(MIXED, 1900, CURVES[curve], 57, constant=constant)


@pytest.mark.parametrize("users", [1, 7, 375, 200_000, 5_400_000_000])
def test_users_are_apportioned_by_largest_remainder(users: int) -> None:
    countries = load("world-2025")
    built, asked = (
        case(countries, users, DAY_AND_NIGHT, 57).world.strata,
        apportion(countries.countries, users),
    )
    populated = [
        [(s.country, s.zone, s.first, s.users) for s in strata if s.users] for strata in (built, asked)
    ]
    assert populated[0] == populated[1]


def test_the_measured_week_is_the_published_one() -> None:
    assert tuple(measured_week("shanghai-week")) == MEASURED_WEEK


@BOTH
@pytest.mark.parametrize("curve", CURVES)
def test_strata_expect_the_integral_of_their_rate(curve: str, constant: bool) -> None:
    """Two days that hold New York's spring jump."""
    it, start = mixed(curve, constant), instant("2026-03-07T12:00:00Z")
    starts = np.arange(start, start + 2 * DAY, QUARTER)
    strata = it.reference.strata
    asked = [[it.reference.expected(s, int(t), int(t) + QUARTER, MINUTE) for s in strata] for t in starts]
    said = it.intensity.stratum_means(starts, starts + QUARTER)
    np.testing.assert_allclose(said, asked, rtol=1e-7 if constant else 1e-10, atol=1e-10)


@pytest.mark.parametrize("curve", CURVES)
def test_strata_expect_the_integral_over_intervals_of_any_length(curve: str) -> None:
    """Intervals that begin and end off the quarters, one of them over a jump of the clocks."""
    it, start = mixed(curve, constant=False), instant("2026-04-04T13:07:11Z")
    lengths = [1, 999_983, 7 * MINUTE + 1, 2 * HOUR + 12_345_678, DAY]
    asked = [
        [it.reference.expected(s, start, start + each, MINUTE) for s in it.reference.strata]
        for each in lengths
    ]
    starts = np.full(len(lengths), start)
    said = it.intensity.stratum_means(starts, starts + np.array(lengths))
    np.testing.assert_allclose(said, asked, rtol=1e-6, atol=1e-12)


@BOTH
@pytest.mark.parametrize("curve", CURVES)
def test_the_world_has_the_rate_of_the_formula(curve: str, constant: bool) -> None:
    it, start = mixed(curve, constant), instant("2026-11-01T00:00:00.000001Z")
    times = np.arange(start, start + DAY, 7 * MINUTE + 13)
    asked = [it.reference.world_rate(int(time)) for time in times]
    np.testing.assert_allclose(it.intensity.world_rate(times), asked, rtol=1e-10)


@BOTH
def test_slots_expect_what_their_users_expect(constant: bool) -> None:
    it, tick = mixed("jagged", constant), instant("2026-03-08T07:00:00Z") // QUARTER
    assert it.intensity.tick == QUARTER
    slots = [0, 1, 851, 852, 875, 876, SLOTS - 1]
    asked = [it.reference.slot_expected(slot, tick * QUARTER, (tick + 1) * QUARTER) for slot in slots]
    said = it.intensity.slot_means(np.array([tick]))[0]
    assert said.shape == (SLOTS,)
    np.testing.assert_allclose(said[slots], asked, rtol=1e-4 if constant else 1e-8)


@pytest.mark.parametrize(("users", "per_day"), [(1, 0.001), (10_000, 57), (200_000, 57), (5_400_000_000, 57)])
def test_a_tick_divides_the_quarter_and_expects_two_to_the_17_at_most(users: int, per_day: float) -> None:
    it = case(load("world-2025"), users, DAY_AND_NIGHT, per_day)
    assert QUARTER % it.intensity.tick == 0
    start = instant("2026-07-01T11:00:00Z")
    busiest = it.intensity.world_rate(np.arange(start, start + HOUR, MINUTE)).max() * it.intensity.tick / 1e6
    assert busiest <= 2**17 * 1.01
    assert it.intensity.tick == QUARTER or busiest > 2**17 / 6


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Pacific/Apia", "2011-12-29T12:00:00Z"),  # jumps over a whole day
        ("Antarctica/Troll", "2026-03-28T12:00:00Z"),  # two hours
        ("Pacific/Chatham", "2026-04-04T00:00:00Z"),  # at 02:45
        ("Africa/Casablanca", "2026-02-14T12:00:00Z"),  # back for Ramadan
        ("Asia/Pyongyang", "2018-05-04T00:00:00Z"),  # half an hour, for good
        ("Europe/Berlin", "2100-03-27T12:00:00Z"),  # beyond the table of changes: by rule
    ],
)
def test_unusual_clocks_are_followed(zone: str, start: str) -> None:
    it, first = case(dataset(("AAA", zone, 1)), 1900, CURVES["jagged"], 57), instant(start)
    starts = np.arange(first, first + 2 * DAY, QUARTER)
    asked = [it.reference.world_expected(int(t), int(t) + QUARTER, MINUTE) for t in starts]
    said = it.intensity.stratum_means(starts, starts + QUARTER)[:, 0]
    np.testing.assert_allclose(said, asked, rtol=1e-10)


def test_every_clock_of_the_world_changes_on_a_quarter_hour() -> None:
    """From 2012 on. Ticks rest on it: earlier, Newfoundland and Gaza changed at one minute past midnight."""
    zones = {zone for country in load("world-2025").countries for zone, _ in country.zones}
    weeks = range(instant("2012-01-01T00:00:00Z"), instant("2040-01-01T00:00:00Z"), 7 * DAY)
    odd = {zone: change for zone in zones for change in changes(zone, weeks) if change % QUARTER}
    assert odd == {}


def changes(zone: str, probes: range) -> list[int]:
    """Instants, to the second, at which the offset between two probes changes, by bisection."""
    offsets = [offset(zone, probe) for probe in probes]
    found = []
    for before, after, old, new in zip(probes, probes[1:], offsets, offsets[1:], strict=False):
        low, high = before, after
        while old != new and high - low > SECOND:
            middle = (low + high) // (2 * SECOND) * SECOND
            low, high = (middle, high) if offset(zone, middle) == old else (low, middle)
        found += [high] * (old != new)
    return found


def offset(zone: str, time: int) -> timedelta | None:
    """The zone's offset from UTC at an instant."""
    return (EPOCH + timedelta(microseconds=time)).astimezone(time_zone(zone)).utcoffset()


SPECS = {
    "per user": (
        {"rate": {"eventsPerUserPerDay": 5}, "activity": {"cosine": {"peakHour": 9.5, "floor": 0.2}}},
        Reference(apportion(MIXED.countries, 1900), cosine(9.5, 0.2), 5),
    ),
    "by the total": (
        {"rate": {"eventsPerSecond": 3000}, "activity": {"hourly": list(range(24))}},
        Reference(apportion(MIXED.countries, 1900), hourly(range(24)), 3000 * 86_400 / 1900),
    ),
    "measured and constant": (
        {"total": "Constant", "rate": {"eventsPerSecond": 3000}, "activity": {"builtin": "shanghai-week"}},
        Reference(
            apportion(MIXED.countries, 1900), hourly(MEASURED_WEEK), 3000 * 86_400 / 1900, constant=True
        ),
    ),
}


@pytest.mark.parametrize("spec", SPECS)
def test_the_traffic_of_a_spec_has_the_rates_that_it_names(spec: str) -> None:
    fields, reference = SPECS[spec]
    intensity = intensity_of(World.build(MIXED, 1900, 42), Traffic.model_validate(fields))
    start = instant("2026-03-08T00:00:00Z")
    starts = np.arange(start, start + DAY, QUARTER)
    asked = [
        [reference.expected(s, int(t), int(t) + QUARTER, MINUTE) for s in reference.strata] for t in starts
    ]
    np.testing.assert_allclose(intensity.stratum_means(starts, starts + QUARTER), asked, rtol=1e-7)
