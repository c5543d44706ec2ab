"""Ticks, means, bounds and level totals of the intensity. Its closed forms are in test_closed_forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diurnal_worker.activity import DAY, HOUR, SECOND, Activity, Cosine, hourly
from diurnal_worker.intensity import MOST_EVENTS_A_TICK, Intensity, tick_length
from diurnal_worker.measured import measured_week
from diurnal_worker.sources import load
from diurnal_worker.strata import World
from engine import dataset
from reference import instant

QUARTER = 900 * SECOND
START = instant("2026-03-28T22:00:00Z")  # three hours before Europe's clocks go forward
CURVES: dict[str, Activity] = {
    "cosine": Cosine(16, 0.03),
    "deep": Cosine(15.3, 1e-6),
    "jagged": hourly([float(1 + (7 * hour) % 11) for hour in range(24)]),
    "dawn": hourly([1e-6] * 8 + [1.0] * 16),
    "week": hourly(measured_week("shanghai-week")),
}
EVERY = pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
BOTH = pytest.mark.parametrize("constant", [False, True], ids=["diurnal", "constant"])
MIXED = dataset(("AAA", "Asia/Kolkata", 900), ("BBB", "America/New_York", 500), ("CCC", "Europe/Oslo", 300))


def mixed(curve: Activity, constant: bool, per_day: float = 57) -> Intensity:
    return Intensity(World.build(MIXED, 1900, 42), curve, per_day, constant=constant)


@given(st.floats(1e-15, 1e13))
def test_a_tick_is_the_longest_divisor_of_a_quarter_that_keeps_the_peak_within_two_to_the_17(
    highest_rate: float,
) -> None:
    tick = tick_length(highest_rate)
    assert QUARTER % tick == 0
    assert tick == 1 or tick * highest_rate <= MOST_EVENTS_A_TICK * SECOND * (1 + 1e-12)
    longer = (
        next((n for n in range(tick + 1, min(2 * tick + 1, QUARTER + 1)) if QUARTER % n == 0), None)
        if (tick < 5000)
        else None
    )
    if longer:
        assert longer * highest_rate > MOST_EVENTS_A_TICK * SECOND * (1 - 1e-12)


@pytest.mark.parametrize(
    ("rate", "tick"), [(1e-9, QUARTER), (145.0, QUARTER), (146.0, 450_000_000), (1e9, 128), (1e12, 1)]
)
def test_ticks_of_known_rates(rate: float, tick: int) -> None:
    assert tick_length(rate) == tick


@EVERY
def test_the_worlds_peak_stays_within_its_tick(curve: Activity) -> None:
    intensity = mixed(curve, False, per_day=1e6)
    ticks = np.arange(START, START + 7 * DAY, QUARTER) // intensity.tick
    assert intensity.slot_means(ticks).sum(axis=1).max() <= MOST_EVENTS_A_TICK * (1 + 1e-9)


@EVERY
@BOTH
def test_slot_means_do_not_depend_on_who_asks_for_what(curve: Activity, constant: bool) -> None:
    """Bit for bit, over a change of daylight saving: together, alone, in parts, by a fresh one."""
    intensity = mixed(curve, constant)
    ticks = START // intensity.tick + np.arange(
        0, 5 * HOUR // intensity.tick, max(1, HOUR // intensity.tick // 3)
    )
    together = intensity.slot_means(ticks)
    fresh = mixed(curve, constant)
    for row in range(ticks.size - 1, -1, -1):
        assert fresh.slot_means(ticks[row : row + 1])[0].tolist() == together[row].tolist()
    assert intensity.slot_means(ticks, slice(100, 230)).tolist() == together[:, 100:230].tolist()


@EVERY
@BOTH
def test_slots_strata_and_the_world_expect_the_same(curve: Activity, constant: bool) -> None:
    intensity = mixed(curve, constant)
    ticks = START // intensity.tick + np.arange(0, 5 * HOUR // intensity.tick)
    starts = ticks * intensity.tick
    slots = intensity.slot_means(ticks).sum(axis=1)
    assert slots == pytest.approx(intensity.world_means(starts, intensity.tick), rel=1e-11)
    assert slots == pytest.approx(
        intensity.stratum_means(starts, starts + intensity.tick).sum(axis=1), rel=1e-11
    )


@EVERY
@BOTH
def test_no_mean_is_negative(curve: Activity, constant: bool) -> None:
    intensity = mixed(curve, constant)
    ticks = np.arange(START, START + DAY, QUARTER) // intensity.tick
    assert intensity.slot_means(ticks).min() >= 0


@EVERY
def test_a_level_total_is_level_at_every_moment_and_in_every_tick(curve: Activity) -> None:
    intensity = mixed(curve, True)
    moments = np.arange(START, START + DAY, 17 * 60 * SECOND)
    assert intensity.world_rate(moments).tolist() == [intensity.mean_rate] * moments.size
    expected = intensity.mean_rate * intensity.tick / SECOND
    assert intensity.world_means(moments // QUARTER * QUARTER, intensity.tick) == pytest.approx(expected)


@EVERY
@BOTH
def test_bounds_hold_for_every_offset_everywhere_in_a_tick(curve: Activity, constant: bool) -> None:
    intensity = mixed(curve, constant)
    for tick in (START // intensity.tick + np.arange(0, DAY // intensity.tick, 3)).tolist():
        bounds = intensity.acceptance(tick)
        offsets = np.arange(bounds.daylight.offsets.size)
        for step in range(17):
            moment = tick * intensity.tick + min(step * intensity.tick // 16, intensity.tick - 1)
            rates = intensity.relative_rates(np.full(offsets.size, moment), offsets, bounds.daylight)
            assert np.all(bounds.low <= rates * (1 + 1e-9))
            assert np.all(rates <= bounds.high * (1 + 1e-9))
            if (pieces := bounds.pieces) is not None:
                piece = (moment - tick * intensity.tick) // pieces.length
                assert np.all(pieces.low[piece] <= rates)
                assert np.all(rates <= pieces.high[piece])


@EVERY
@BOTH
def test_bounds_are_near_enough_for_rejection(curve: Activity, constant: bool) -> None:
    """Even a level total at a dawn from next to nothing accepts one candidate in 32 of each offset."""
    intensity = mixed(curve, constant)
    for tick in (START // intensity.tick + np.arange(DAY // intensity.tick)).tolist():
        bounds = intensity.acceptance(tick)
        start = np.array([tick * intensity.tick])
        mean = intensity._integrals(start, intensity.tick, bounds.daylight)[0] / intensity.tick
        assert np.all(mean / intensity._per_user > bounds.high / 32)


@BOTH
def test_rates_are_the_bounds_units(constant: bool) -> None:
    """Users times their relative rates, times the rate of one at 1, is the world's rate."""
    intensity = mixed(CURVES["cosine"], constant)
    moment = START + 17 * HOUR + 123_456_789
    daylight = intensity.daylight(moment)
    offsets = np.arange(daylight.offsets.size)
    rates = intensity.relative_rates(np.full(offsets.size, moment), offsets, daylight)
    total = float((rates * daylight.totals).sum()) * intensity._per_user * SECOND
    assert total == pytest.approx(float(intensity.world_rate(np.array([moment]))[0]), rel=1e-12)


def test_daylight_groups_zones_that_share_an_offset() -> None:
    """Delhi and Colombo together, Oslo and Berlin together; in summer London with neither."""
    countries = dataset(
        ("AAA", "Asia/Kolkata", 1),
        ("BBB", "Asia/Colombo", 1),
        ("CCC", "Europe/Oslo", 1),
        ("DDD", "Europe/Berlin", 1),
    )
    intensity = Intensity(World.build(countries, 4000, 42), CURVES["cosine"], 57)
    winter, summer = (intensity.daylight(instant(f"2026-{month}-01T12:00:00Z")) for month in ("01", "07"))
    assert (winter.offsets / HOUR).tolist() == [1.0, 5.5]
    assert (summer.offsets / HOUR).tolist() == [2.0, 5.5]
    assert winter.totals.tolist() == [2000.0, 2000.0]
    assert winter.offset_of_stratum.tolist() == [1, 1, 0, 0]


def test_everyone_on_earth_expects_their_rate() -> None:
    """5.4e9 users at 57 events a day: 3.56 million a second, over a nominal day, however they are counted."""
    intensity = Intensity(World.build(load("world-2025"), 5_400_000_000, 42), CURVES["cosine"], 57)
    assert intensity.mean_rate == pytest.approx(3_562_500)
    january = np.arange(instant("2026-01-10T00:00:00Z"), instant("2026-01-11T00:00:00Z"), QUARTER)
    assert intensity.world_means(january, QUARTER).sum() == pytest.approx(3_562_500 * 86_400, rel=1e-9)
