"""Slots in which hardly anyone is awake: the same law, and never out of candidates.

Worlds of a giant that sleeps and a dwarf that does not, held against the reference like any other.
"""

from fractions import Fraction

import numpy as np
import pytest

from checks import THRESHOLD
from diurnal_worker.activity import DAY, HOUR, SECOND, Activity, Cosine, hourly
from diurnal_worker.arrivals import arrivals
from diurnal_worker.dataset import Country, Dataset
from diurnal_worker.intensity import Intensity
from diurnal_worker.sources import load
from diurnal_worker.sparse import ONE_IN, Sparse
from diurnal_worker.strata import World
from engine import case, dataset, hours
from reference import instant
from samples import Sample

QUARTER = 900 * SECOND
DAYTIME = (*[0.0001] * 9, *[1.0] * 8, *[0.0001] * 7)
GIANT_AND_DWARF = dataset(
    ("AAA", "Etc/GMT-4", 198_000), ("BBB", "Etc/GMT+8", 1_500), ("CCC", "Etc/GMT+7", 500)
)
# 13:30 to 22:30 UTC: the giant goes to sleep, the dwarf wakes up and works; sparse slots come and go.
FIRST, LAST = instant("2026-01-05T13:30:00Z"), instant("2026-01-05T22:30:00Z")


@pytest.fixture(scope="module", params=[False, True], ids=["diurnal", "constant"])
def sample(request: pytest.FixtureRequest) -> Sample:
    constant: bool = request.param
    return case(GIANT_AND_DWARF, 200_000, hours(DAYTIME), 20, constant=constant).draw(FIRST, LAST)


def sparse_slots(world: World, intensity: Intensity, tick: int) -> int:
    bounds = intensity.acceptance(tick)
    envelope = np.full(1024, bounds.high.max())
    return int(Sparse(world, range(1024), bounds, envelope, intensity.tick).slots.sum())


def test_the_sample_has_ticks_with_and_without_sparse_slots() -> None:
    it = case(GIANT_AND_DWARF, 200_000, hours(DAYTIME), 20)
    ticks = range(FIRST // it.intensity.tick, LAST // it.intensity.tick)
    found = {sparse_slots(it.world, it.intensity, tick) for tick in ticks}
    assert {0, 1024} <= found


def test_counts_by_stratum_and_quarter_hour_fit(sample: Sample) -> None:
    assert sample.by_stratum(QUARTER) > THRESHOLD
    assert sample.by_stratum_worst(QUARTER) > THRESHOLD


@pytest.mark.parametrize("rising", [True, False], ids=["rising", "falling"])
def test_events_follow_the_curve_within_a_tick(sample: Sample, rising: bool) -> None:
    assert sample.places(rising) > THRESHOLD


def test_time_in_the_tick_does_not_tell_the_user(sample: Sample) -> None:
    assert sample.time_and_user() > THRESHOLD


def test_users_are_uniform_within_their_stratum(sample: Sample) -> None:
    assert sample.by_user() > THRESHOLD


def test_counts_of_slots_and_ticks_are_poisson(sample: Sample) -> None:
    assert sample.by_slot_and_tick() > THRESHOLD


def test_any_part_of_the_slots_has_the_events_that_it_has_in_the_whole() -> None:
    it = case(GIANT_AND_DWARF, 200_000, hours(DAYTIME), 20)
    tick = instant("2026-01-05T21:00:00Z") // it.intensity.tick
    assert sparse_slots(it.world, it.intensity, tick) == 1024
    whole = arrivals(it.world, it.intensity, tick, range(1024))
    for slots in (range(7), range(7, 500), range(500, 1024), range(1023, 1024)):
        part = arrivals(it.world, it.intensity, tick, slots)
        mine = (whole.users % 1024 >= slots.start) & (whole.users % 1024 < slots.stop)
        assert part.order.tolist() == whole.order[mine].tolist()
        assert part.users.tolist() == whole.users[mine].tolist()
        assert part.times.tolist() == whole.times[mine].tolist()


def test_a_slot_is_sparse_where_less_than_one_candidate_in_64_would_do() -> None:
    """At 1 of 100 users awake and the rest at nothing, and not at 1 of 50."""
    for awake, is_sparse in ((1, True), (2, False)):
        countries = dataset(("AAA", "Etc/GMT-4", 100 - awake), ("BBB", "Etc/GMT+8", awake))
        world = World.build(countries, 102_400, 1)
        intensity = Intensity(world, hourly((*[0.0] * 9, *[1.0] * 8, *[0.0] * 7)), 57)
        tick = instant("2026-01-05T21:00:00Z") // intensity.tick
        assert (sparse_slots(world, intensity, tick) == 1024) == is_sparse
    assert ONE_IN == 64


def test_a_stratum_without_users_in_the_slot_is_never_drawn() -> None:
    """The first stratum is one user of slot 0: the lowest draw of slot 1 finds nobody there."""
    countries = dataset(("AAA", "Etc/GMT+8", 1), ("BBB", "Etc/GMT-4", 199_999), ("CCC", "Etc/GMT+7", 800))
    world = World.build(countries, 200_800, 42)
    intensity = Intensity(world, hourly(DAYTIME), 20)
    bounds = intensity.acceptance(instant("2026-01-05T21:00:00Z") // intensity.tick)
    sparse = Sparse(world, range(2), bounds, np.full(2, bounds.high.max()), intensity.tick)
    assert sparse.slots.all()
    edges = np.array([0, 1, 2**64 - 1], np.uint64)
    assert sparse.placed(np.zeros(3, np.int64), edges).strata.tolist() == [0, 0, 2]
    placed = sparse.placed(np.ones(3, np.int64), edges)
    assert placed.strata.tolist() == [1, 1, 2]
    assert np.all(placed.users % 1024 == 1)


HARD: dict[str, tuple[Activity, bool, float]] = {
    "hours of nothing": (hourly((*[0.0] * 9, *[1.0] * 8, *[0.0] * 7)), False, 57.0),
    "a deep trough": (Cosine(16, 1e-6), False, 57.0),
    "a level total of hours of next to nothing": (hourly((*[1e-6] * 9, *[1.0] * 8, *[1e-6] * 7)), True, 57.0),
    "a level total of a deep trough": (Cosine(16, 1e-6), True, 57.0),
    "a level total, slowly": (hourly((*[1e-6] * 9, *[1.0] * 8, *[1e-6] * 7)), True, 0.001),
}


@pytest.mark.parametrize(("activity", "constant", "per_day"), HARD.values(), ids=HARD)
def test_billions_asleep_never_exhaust_the_candidates(
    activity: Activity, constant: bool, per_day: float
) -> None:
    """One or two users awake a slot of five million; each event then took millions of candidates."""
    countries = dataset(("AAA", "Etc/GMT-4", 5_399_998_464), ("BBB", "Etc/GMT+8", 1_536))
    world = World.build(countries, 5_400_000_000, 42)
    intensity = Intensity(world, activity, per_day, constant=constant)
    noon = instant("2026-01-05T22:00:00Z")
    found = arrivals(world, intensity, noon // intensity.tick, range(64))
    assert np.all(np.diff(found.times) >= 0)
    assert np.all(found.users % 1024 < 64)


@pytest.mark.parametrize("users", [1, 100, 10_000])
@pytest.mark.parametrize(
    "activity", [hourly((*[1e-6] * 8, *[1.0] * 16)), Cosine(16, 1e-6)], ids=["hours", "cosine"]
)
def test_a_level_total_of_one_zone_goes_through_its_dawn(activity: Activity, users: int) -> None:
    """Everyone wakes up together, so that everyone's rate stays level however steep the morning is."""
    country = Country("AAA", "AAA", 1, Fraction(1), (("UTC", Fraction(1)),))
    world = World.build(Dataset((country,), "test", None, "0" * 64), users, 42)
    intensity = Intensity(world, activity, 86_400 * 50 / users, constant=True)
    midnight = instant("2026-01-05T00:00:00Z")
    for hour in (4.0, 7.5):
        tick = int(midnight + hour * HOUR) // intensity.tick
        found = len(arrivals(world, intensity, tick, range(1024)))
        mean = 50 * intensity.tick / SECOND
        assert abs(found - mean) < 6 * mean**0.5


def test_office_hours_of_everyone_end_on_the_last_island() -> None:
    """Friday evening on Niue, 1,500 of 5.4 billion at work."""
    week = [1.0 if hour // 24 < 5 and 9 <= hour % 24 < 17 else 0.0 for hour in range(168)]
    world = World.build(load("world-2025"), 5_400_000_000, 42)
    intensity = Intensity(world, hourly(week), 0.5)
    friday = instant("2026-01-09T00:00:00Z") + DAY
    found = [
        arrivals(world, intensity, int(friday + (3 + 55 / 60) * HOUR) // intensity.tick + n, range(1024))
        for n in range(10)
    ]
    zones = {
        world.populated[i].zone for f in found for i in np.searchsorted(world.firsts, f.users, "right") - 1
    }
    assert zones <= {"Pacific/Niue", "Pacific/Midway", "Pacific/Pago_Pago"}
