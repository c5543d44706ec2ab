"""Curves against the library's cosine, numeric integration and brute force.

All instants are local microseconds; 1970-01-01 was a Thursday.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diurnal_worker.activity import DAY, HOUR, SECOND, WEEK, Activity, Cosine, cosine_of_turns, hourly
from diurnal_worker.measured import measured_week

MONDAY = 4 * DAY  # 1970-01-05
QUARTER = 15 * 60 * SECOND
JAGGED = tuple(float(1 + (7 * hour) % 11) for hour in range(24))
ZEROS = (0.0,) * 6 + (3.0,) * 12 + (0.0,) * 6
CURVES: dict[str, Activity] = {
    "showcase": Cosine(16, 0.03),
    "to zero": Cosine(16, 0.0),
    "flat": Cosine(5, 1.0),
    "odd peak": Cosine(15.123456789, 0.000001),
    "peak at midnight": Cosine(0, 0.1),
    "late peak": Cosine(23.999, 0.5),
    "jagged": hourly(JAGGED),
    "zeros": hourly(ZEROS),
    "large": hourly([1e6, *[1e-6] * 22, 5e5]),
    "week": hourly(measured_week("shanghai-week")),
}
EVERY = pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
TICKS = pytest.mark.parametrize("length", [1, 2, 64, 1000, 1_000_000, 60_000_000, QUARTER])


def ticks_around(length: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Starts of ticks: a whole week of quarters, thinned to the first, middle and last tick of each."""
    quarters = np.arange(MONDAY, MONDAY + WEEK, QUARTER)
    steps = {0, QUARTER // length // 2 * length, QUARTER - length}
    return np.concatenate([quarters + step for step in sorted(steps)])


def test_the_cosine_of_turns_is_the_cosine() -> None:
    turns = np.linspace(0, 1.01, 20_001)
    expected = [math.cos(2 * math.pi * turn) for turn in turns.tolist()]
    assert np.abs(cosine_of_turns(turns) - expected).max() < 1e-14


def test_the_cosine_is_one_at_its_peak_and_its_floor_half_a_day_later() -> None:
    curve = Cosine(16, 0.03)
    assert curve.values(np.array([16 * HOUR, 4 * HOUR])).tolist() == pytest.approx([1.0, 0.03], abs=1e-15)


@pytest.mark.parametrize(("peak", "floor"), [(16.0, 0.03), (0.0, 0.0), (23.5, 0.7), (7.123, 1e-6)])
def test_the_day_is_the_formula_of_the_showcase(peak: float, floor: float) -> None:
    local = np.arange(0, 2 * DAY, 97 * SECOND)
    hours = local / HOUR
    expected = [
        floor + (1 - floor) * (1 + math.cos((h - peak) * 2 * math.pi / 24)) / 2 for h in hours.tolist()
    ]
    assert np.abs(Cosine(peak, floor).values(local) - expected).max() < 1e-12


def test_a_peak_is_placed_to_the_microsecond() -> None:
    """A third of an hour is no whole number of microseconds; the nearest one is taken."""
    curve = Cosine(1 / 3, 0.0)
    around = np.arange(-2_000_000, 2_000_001, 1_000_000) + round(HOUR / 3)
    values = curve.values(around)
    assert values.argmax() == 2
    assert values[1] == pytest.approx(values[3], abs=1e-16)


@pytest.mark.parametrize("hours", [JAGGED, ZEROS, measured_week("shanghai-week")], ids=len)
def test_a_value_stands_at_half_past_its_hour(hours: tuple[float, ...]) -> None:
    knots = MONDAY + np.arange(len(hours)) * HOUR + HOUR // 2
    assert hourly(hours).values(knots).tolist() == list(hours)


@pytest.mark.parametrize("hours", [JAGGED, ZEROS, measured_week("shanghai-week")], ids=len)
def test_lines_run_between_the_values_and_around_the_end(hours: tuple[float, ...]) -> None:
    period = len(hours) * HOUR
    knots = np.arange(-1, len(hours) + 1) * HOUR + HOUR // 2
    local = np.arange(0, period, 613 * SECOND)
    expected = np.interp(local, knots, [hours[-1], *hours, hours[0]])
    assert np.abs(hourly(hours).values(MONDAY + local) - expected).max() < 1e-12


def test_a_week_begins_on_monday_in_every_year() -> None:
    """1972-01-03, 2000-02-28 and 2199-12-30 were or will be Mondays."""
    curve = hourly([float(hour) for hour in range(168)])
    mondays = np.array([732, 11_015, 84_004]) * DAY
    assert curve.values(mondays + HOUR // 2).tolist() == [0.0, 0.0, 0.0]
    assert curve.values(mondays + 6 * DAY + 23 * HOUR + HOUR // 2).tolist() == [167.0] * 3


def test_a_day_of_24_values_is_the_same_every_day() -> None:
    local = np.arange(0, DAY, 1111 * SECOND)
    curve = hourly(JAGGED)
    assert curve.values(local).tolist() == curve.values(local + 5 * DAY).tolist()


@pytest.mark.parametrize("count", [0, 1, 23, 25, 167, 169])
def test_other_numbers_of_hours_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"24 or 168 values, not {count}"):
        hourly([1.0] * count)


@EVERY
def test_the_mean_is_the_mean_of_the_period(curve: Activity) -> None:
    """The midpoint rule over a week: exact for lines with knots on its grid, and for cosines."""
    midpoints = np.arange(MONDAY + QUARTER // 2, MONDAY + WEEK, QUARTER)
    assert curve.values(midpoints).mean() == pytest.approx(curve.mean, rel=1e-12)


@EVERY
@TICKS
def test_integrals_are_those_of_the_values(curve: Activity, length: int) -> None:
    """Simpson's rule over 32 pieces: error below 1e-12 of the curve's height in a quarter hour."""
    starts = ticks_around(length)
    points = np.linspace(0, length, 65) if length >= 64 else np.array([0.0, length / 2, length])
    weights = np.ones(points.size)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    at = [_between(curve, starts, point) for point in points.tolist()]
    simpson = sum(w * v for w, v in zip(weights.tolist(), at, strict=True)) * (length / 3 / (points.size - 1))
    top = curve.values(np.arange(0, WEEK, QUARTER)).max()
    assert np.abs(curve.integrals(starts, length) - simpson).max() <= 1e-12 * top * length


def _between(
    curve: Activity, starts: np.ndarray[tuple[int], np.dtype[np.int64]], point: float
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Values at fractions of a microsecond: a line between the whole ones."""
    whole = math.floor(point)
    before, after = curve.values(starts + whole), curve.values(starts + whole + 1)
    return before + (after - before) * (point - whole)


@EVERY
@TICKS
def test_the_parts_of_a_quarter_have_its_integral(curve: Activity, length: int) -> None:
    """Additive over ticks, so that no seam gains or loses events."""
    count = min(QUARTER // length, 1000)
    quarter = np.array([MONDAY + 3 * HOUR])
    parts = curve.integrals(quarter + np.arange(count) * length, length).sum()
    whole = sum(
        float(curve.integrals(quarter + a, b - a)[0])
        for a, b in [(0, count * length // 2), (count * length // 2, count * length)]
    )
    assert parts == pytest.approx(whole, rel=1e-9, abs=1e-12)


@settings(deadline=None, max_examples=200)
@given(
    st.floats(0, 24, exclude_max=True),
    st.sampled_from([0.0, 1e-6, 0.03, 0.9, 1.0]),
    st.sampled_from([1, 2, 3, 5, 64, 125, 400, 10_000]),
    st.integers(-200, 200),
)
def test_integrals_are_never_negative_however_short_the_tick(
    peak: float, floor: float, length: int, ticks: int
) -> None:
    """Around the trough, where the curve is smaller than what doubles can tell from nothing."""
    trough = round((peak + 12) * HOUR) // length * length + ticks * length
    assert Cosine(peak, floor).integrals(np.array([trough]), length)[0] >= 0


def test_no_integral_around_a_trough_of_zero_is_negative() -> None:
    """A wide search: a negative mean would be counted as a whole block of 256 events."""
    for length in (1, 2, 5, 15, 16, 45, 64, 125, 320, 576, 1000, 1152):
        for peak in np.linspace(0, 23.99, 241).tolist():
            trough = round((peak + 12) * HOUR) // length * length
            starts = trough + np.arange(-40, 40) * length
            assert Cosine(peak, 0.0).integrals(starts, length).min() >= 0


@EVERY
@TICKS
def test_bounds_hold_everywhere_in_a_tick(curve: Activity, length: int) -> None:
    starts = ticks_around(length)
    low, high = curve.bounds(starts, length)
    assert (low >= 0).all()
    for inside in sorted({length * step // 16 for step in range(17)}):
        values = curve.values(starts + inside)
        assert (values >= low - 1e-9 * values).all()
        assert (values <= high + 1e-9 * values).all()


@pytest.mark.parametrize("length", [2, 1000, 1_000_000, QUARTER])
@pytest.mark.parametrize("place", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("peak", [16.0, 0.0, 0.001, 23.999, 11.9999])
def test_bounds_hold_where_the_extremum_lies_inside_the_tick(peak: float, place: float, length: int) -> None:
    curve = Cosine(peak, 0.03)
    top = round(peak * HOUR)
    starts = np.array([top, top + DAY // 2, top + DAY]) - round(place * length)
    low, high = curve.bounds(starts, length)
    extremum = curve.values(np.array([top, top + DAY // 2, top + DAY]))
    assert (low <= extremum).all()
    assert (extremum <= high).all()
    assert extremum.tolist() == pytest.approx([1.0, 0.03, 1.0], abs=1e-14)


@EVERY
def test_bounds_are_tight_so_that_few_candidates_are_in_doubt(curve: Activity) -> None:
    """They meet where the tick shrinks to nothing."""
    starts = ticks_around(1)
    low, high = curve.bounds(starts, 1)
    top = curve.values(np.arange(0, WEEK, QUARTER)).max()
    assert (high - low).max() < 1e-8 * top + 1e-11


@EVERY
def test_no_value_is_negative(curve: Activity) -> None:
    assert curve.values(np.arange(MONDAY, MONDAY + WEEK, 37 * SECOND)).min() >= 0
