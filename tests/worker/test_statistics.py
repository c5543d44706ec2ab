"""The engine's events against the closed form, the textbook properties of a Poisson process, and thinning.

Every p-value goes through `plausible`, which holds it against checks.THRESHOLD: the whole file may reject a
correct engine with probability 1e-6 (Bonferroni over at most 200 p-values). Seeds are fixed. That these same
questions find defects is shown in test_planted_defects.py.
"""

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import checks
from diurnal_worker import activity as curves
from diurnal_worker.measured import measured_week
from diurnal_worker.sources import load
from engine import DAY_AND_NIGHT, Case, Curve, case, dataset, hours
from reference import DAY, HOUR, MINUTE, SECOND, SLOTS, cosine, instant
from samples import Sample

Plausible = Callable[[float], None]

JAGGED = hours([float(1 + (7 * hour) % 11) for hour in range(24)])  # every hour far from its neighbours
SLEEPS = hours([0.0] * 6 + [3.0, 1.0, 4.0, 0.0, 0.0, 5.0] + [9.0] * 6 + [0.0, 2.0, 6.0, 0.0, 0.0, 0.0])
THREE = dataset(
    ("AAA", "Asia/Kolkata", 500),
    ("BBB", "America/New_York", 300),
    ("CCC", "Australia/Lord_Howe", 200),
)


@pytest.fixture(scope="module")
def plausible() -> Iterator[Plausible]:
    """Judges a p-value, and keeps the family within the number that the threshold is made for."""
    judged: list[float] = []

    def judge(p: float) -> None:
        judged.append(p)
        assert p > checks.THRESHOLD, f"p = {p:.1e}: a correct engine is this unlucky less than once in 10^8"

    yield judge
    assert len(judged) <= checks.CHECKS


@pytest.fixture(scope="module")
def world() -> Sample:
    """All countries for the 24 hours in which Europe sets its clocks back: more than 10^7 events."""
    start = instant("2026-10-25T00:00:00Z")
    sample = case(load("world-2025"), 200_000, DAY_AND_NIGHT, 57).draw(start, start + DAY)
    assert sample.times.size >= 10_000_000
    return sample


@pytest.fixture(scope="module")
def slow() -> Sample:
    """Some six events a second: gaps a hundred thousand times longer than the clock's microsecond."""
    start = instant("2026-01-01T00:00:00Z")
    return case(load("world-2025"), 10_000, DAY_AND_NIGHT, 57).draw(start, start + DAY)


@pytest.fixture(scope="module")
def level() -> Sample:
    """All countries under a total that stays at its mean."""
    start = instant("2026-03-08T00:00:00Z")
    return case(load("world-2025"), 40_000, DAY_AND_NIGHT, 57, constant=True).draw(start, start + DAY)


@pytest.fixture(scope="module")
def everyone() -> Sample:
    """Everyone on earth who uses the internet, for a third of a second."""
    it = case(load("world-2025"), 5_400_000_000, DAY_AND_NIGHT, 57)
    start = instant("2026-07-01T12:00:00Z") // it.intensity.tick * it.intensity.tick
    return it.draw(start, start + 20 * it.intensity.tick)


def test_events_are_sorted_and_within_their_interval(world: Sample) -> None:
    assert np.all(np.diff(world.times) >= 0)
    assert world.start <= world.times[0]
    assert world.times[-1] < world.end
    assert world.users.min() >= 0
    assert world.users.max() < world.reference.users


def test_counts_by_stratum_and_utc_hour_fit(world: Sample, plausible: Plausible) -> None:
    plausible(world.by_stratum())
    plausible(world.by_stratum_worst())


def test_counts_by_tick_fit(world: Sample, plausible: Plausible) -> None:
    plausible(world.by_interval(world.tick))


def test_users_are_uniform_within_their_stratum(world: Sample, plausible: Plausible) -> None:
    plausible(world.by_user())


def test_counts_of_slots_and_ticks_are_poisson_and_not_tighter(world: Sample, plausible: Plausible) -> None:
    plausible(world.by_slot_and_tick())


@pytest.mark.parametrize(("ticks", "slots"), [(1, 0), (2, 0), (16, 0), (0, 1), (0, 2), (0, 512), (1, 1)])
def test_slot_ticks_are_independent(world: Sample, ticks: int, slots: int, plausible: Plausible) -> None:
    plausible(world.neighbours(ticks, slots))


def test_neighbouring_slot_ticks_share_no_draws(world: Sample, plausible: Plausible) -> None:
    plausible(world.first(24).repeats_from_tick_to_tick())
    plausible(world.first(24).repeats_from_slot_to_slot())


def test_two_seeds_share_no_draws(plausible: Plausible) -> None:
    start = instant("2026-01-01T00:00:00Z")
    one, other = (case(THREE, 5000, JAGGED, 57, seed=seed).draw(start, start + 6 * HOUR) for seed in (0, 1))
    cells, expected = one.cells(MINUTE)
    assert cells.shape == other.cells(MINUTE)[0].shape
    plausible(checks.coincidences(one.times, other.times, float(np.sum(expected.sum(axis=1) ** 2)) / MINUTE))
    plausible(checks.uncorrelated(*(checks.standardised(*it.slot_ticks).ravel() for it in (one, other))))


@pytest.mark.parametrize("rising", [True, False])
def test_events_follow_the_curve_within_a_tick(world: Sample, rising: bool, plausible: Plausible) -> None:
    plausible(world.places(rising))


def test_time_in_the_tick_does_not_tell_the_user(world: Sample, plausible: Plausible) -> None:
    plausible(world.time_and_user())


def test_rescaled_gaps_are_exponential_and_independent(slow: Sample, plausible: Plausible) -> None:
    plausible(slow.gaps())
    plausible(slow.successive_gaps())
    plausible(slow.gaps_of_largest())


def test_rescaled_gaps_of_ten_million_dithered_events_are_exponential(
    world: Sample, plausible: Plausible
) -> None:
    plausible(world.gaps())
    plausible(world.successive_gaps())
    plausible(world.gaps_of_largest())


def test_the_world_swings_between_26_and_77_percent_of_its_maximum(plausible: Plausible) -> None:
    """By the cosine's formula on a day in July; the maximum is everyone at the peak hour."""
    it = case(load("world-2025"), 200_000, DAY_AND_NIGHT, 57)
    start = instant("2026-07-01T00:00:00Z")
    times = np.arange(start, start + DAY, 5 * MINUTE)
    swing = it.intensity.world_rate(times) / (it.reference.mean / it.reference.activity.mean)
    assert swing.min() == pytest.approx(0.26, abs=0.005)
    assert swing.max() == pytest.approx(0.77, abs=0.005)
    for extreme in (int(times[swing.argmin()]), int(times[swing.argmax()])):
        begin = extreme // HOUR * HOUR
        plausible(it.draw(begin, begin + HOUR).by_interval(HOUR))


def test_a_constant_world_is_flat(level: Sample, plausible: Plausible) -> None:
    ticks = (level.end - level.start) // level.tick
    observed = np.bincount((level.times - level.start) // level.tick, minlength=ticks).astype(np.int64)
    plausible(checks.chi_square(observed, np.full(ticks, level.reference.mean * level.tick / SECOND)))


def test_a_constant_world_still_mixes_its_countries_by_the_time_of_day(
    level: Sample, plausible: Plausible
) -> None:
    plausible(level.by_stratum())
    plausible(level.by_stratum_worst())


def test_a_constant_world_is_exact_within_its_ticks(level: Sample, plausible: Plausible) -> None:
    plausible(level.gaps_of_largest())
    plausible(level.places(rising=True))
    plausible(level.places(rising=False))


@pytest.mark.parametrize("curve", [DAY_AND_NIGHT, JAGGED], ids=["cosine", "jagged"])
@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25T01:00:00Z"),
        ("America/New_York", "2026-03-08T07:00:00Z"),
        ("America/New_York", "2026-11-01T06:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ],
)
def test_the_day_of_a_clock_change_follows_the_clocks(
    zone: str, change: str, curve: Curve, plausible: Plausible
) -> None:
    moment = instant(change)
    sample = case(dataset(("AAA", zone, 1)), 2000, curve, 100).draw(moment - 12 * HOUR, moment + 12 * HOUR)
    plausible(sample.by_stratum(15 * MINUTE))
    plausible(sample.gaps())
    plausible(sample.by_user())


def test_the_measured_week_is_followed_hour_by_hour(plausible: Plausible) -> None:
    monday = instant("2026-03-02T00:00:00Z")
    week = hours(measured_week("shanghai-week"))
    sample = case(THREE, 2000, week, 100).draw(monday, monday + 7 * DAY)
    plausible(sample.by_stratum(30 * MINUTE))
    plausible(sample.gaps())


def test_nobody_does_anything_in_hours_of_zero(plausible: Plausible) -> None:
    midnight = instant("2026-01-05T18:30:00Z")
    sample = case(dataset(("AAA", "Asia/Kolkata", 1)), 3000, SLEEPS, 100).draw(midnight, midnight + DAY)
    observed, expected = sample.cells(30 * MINUTE)
    assert np.count_nonzero(expected == 0) >= 8
    assert observed[expected == 0].sum() == 0
    plausible(checks.chi_square(observed, expected))
    plausible(sample.gaps())
    plausible(sample.places(rising=True))
    plausible(sample.places(rising=False))


@pytest.mark.parametrize(
    "curve",
    [
        Curve(curves.Cosine(4.25, 0.0), cosine(4.25, 0.0)),
        Curve(curves.Cosine(0.0, 1.0), cosine(0.0, 1.0)),
        hours([0.0] * 100 + [1e6] + [0.0] * 67),
    ],
    ids=["down to zero", "flat", "one hour a week"],
)
def test_extreme_curves_are_followed(curve: Curve, plausible: Plausible) -> None:
    """The week's only hour is on Friday, 04:00."""
    start = instant("2026-03-05T00:00:00Z")
    sample = case(THREE, 1000, curve, 100).draw(start, start + 2 * DAY)
    plausible(sample.by_stratum(30 * MINUTE))
    plausible(sample.gaps())
    plausible(sample.places(rising=True))


def test_a_single_user_is_a_poisson_process(plausible: Plausible) -> None:
    """Up to nine events of one slot a tick, all the others being empty."""
    start = instant("2026-03-20T00:00:00Z")
    sample = case(dataset(("AAA", "Europe/Berlin", 1)), 1, JAGGED, 400).draw(start, start + 14 * DAY)
    assert set(sample.users.tolist()) == {0}
    plausible(sample.by_stratum())
    plausible(sample.gaps())
    plausible(sample.successive_gaps())


def test_a_single_user_may_be_as_busy_as_a_continent(plausible: Plausible) -> None:
    """One slot with all the events, almost 2,000 a second."""
    start = instant("2026-01-01T00:00:00Z")
    sample = case(dataset(("AAA", "Asia/Tokyo", 1)), 1, DAY_AND_NIGHT, 2e8).draw(start, start + 15 * MINUTE)
    plausible(sample.by_interval(sample.tick))
    plausible(sample.gaps())


def test_everyone_on_earth_fits_into_the_axis(everyone: Sample, plausible: Plausible) -> None:
    assert everyone.users.max() > 2**32
    plausible(everyone.by_stratum(everyone.tick))
    plausible(everyone.by_stratum_worst(everyone.tick))


def test_everyone_on_earth_has_the_same_chance(everyone: Sample, plausible: Plausible) -> None:
    plausible(everyone.by_rank())
    plausible(everyone.by_last_digits())
    slots = np.bincount(everyone.users % SLOTS, minlength=SLOTS).astype(np.int64)
    plausible(checks.even(slots))


@pytest.mark.parametrize("mean", [0.02, 0.7, 5.0, 30.0, 120.0])
def test_the_counts_of_slots_are_poisson_in_every_value(mean: float, plausible: Plausible) -> None:
    it = case(dataset(("AAA", "UTC", 1)), SLOTS, hours([1.0] * 24), mean * DAY / (15 * MINUTE))
    assert it.intensity.tick == 15 * MINUTE
    counts, expected = it.draw(0, 20 * 15 * MINUTE + 4 * DAY * (mean < 1)).slot_ticks
    assert expected.ravel() == pytest.approx(mean)
    plausible(checks.poisson_law(counts.ravel(), mean))


@pytest.mark.parametrize("constant", [False, True], ids=["diurnal", "constant"])
def test_engine_and_thinning_draw_from_one_law(constant: bool, plausible: Plausible) -> None:
    start = instant("2026-03-08T00:00:00Z")
    it = case(THREE, 1000, JAGGED, 80, constant=constant)
    drawn, thinned = it.draw(start, start + DAY), by_thinning(it, start, start + DAY)
    plausible(checks.same_law(drawn.times, thinned.times))
    plausible(checks.same_law(np.diff(drawn.times), np.diff(thinned.times)))
    plausible(checks.same_law(drawn.users, thinned.users))
    plausible(checks.same_cells(drawn.cells()[0], thinned.cells()[0]))
    plausible(thinned.by_stratum())


def by_thinning(it: Case, start: int, end: int) -> Sample:
    """The reference's own events, one at a time, as a sample like the engine's."""
    events = list(it.reference.thinned(start, end, random.Random(1979)))
    times = np.array([int(time) for time, _, _ in events])
    users = np.array([user for _, _, user in events])
    return Sample(it.reference, start, end, it.intensity.tick, times, users)
