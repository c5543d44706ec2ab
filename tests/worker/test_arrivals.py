"""Arrivals: one stream whoever draws it, from wherever; ordinals and order."""

from fractions import Fraction

import numpy as np
import pytest

from diurnal_api.layout import slots_of
from diurnal_worker.activity import DAY, HOUR, SECOND, Activity, Cosine, hourly
from diurnal_worker.arrivals import Arrivals, arrivals, counts, user_index
from diurnal_worker.dataset import Country, Dataset
from diurnal_worker.identifiers import event_ids
from diurnal_worker.intensity import Intensity
from diurnal_worker.keyed import Purpose, draws, key, streams
from diurnal_worker.measured import measured_week
from diurnal_worker.sources import load
from diurnal_worker.strata import World
from reference import instant

pytestmark = pytest.mark.usefixtures("either_way")

SLOTS = 1024
ALL = range(SLOTS)
SPRING = instant("2026-03-29T01:00:00Z")  # Europe's clocks go forward
CURVES: dict[str, Activity] = {
    "cosine": Cosine(16, 0.03),
    "zeros": hourly([0.0] * 6 + [3.0] * 12 + [0.0] * 6),
    "week": hourly(measured_week("shanghai-week")),
}
WORLDS = pytest.mark.parametrize("users", [1, 2, 1023, 1025, 10_000, 5_400_000, 5_400_000_000])


def made(
    users: int, per_day: float = 57, curve: str = "cosine", constant: bool = False, seed: int = 42
) -> tuple[World, Intensity]:
    world = World.build(load("world-2025"), users, seed)
    return world, Intensity(world, CURVES[curve], per_day, constant=constant)


def lonely(per_day: float, seed: int = 42) -> tuple[World, Intensity]:
    """One user in Reykjavik, where it is always UTC."""
    country = Country("ISL", "Iceland", 1, Fraction(1), (("Atlantic/Reykjavik", Fraction(1)),))
    world = World.build(Dataset((country,), "test", None, "0" * 64), 1, seed)
    return world, Intensity(world, Cosine(16, 0.03), per_day)


def rows(found: Arrivals) -> list[tuple[int, int, int]]:
    return list(zip(found.times.tolist(), found.users.tolist(), found.ordinals.tolist(), strict=True))


@WORLDS
@pytest.mark.parametrize("constant", [False, True], ids=["diurnal", "constant"])
def test_shards_together_have_exactly_the_events_of_the_world(users: int, constant: bool) -> None:
    """In an hour of a daylight saving change, by three and by seven shards and slot by slot."""
    world, intensity = made(users, constant=constant)
    tick = SPRING // intensity.tick
    whole = arrivals(world, intensity, tick, ALL)
    for shards in (3, 7):
        parts = [arrivals(world, intensity, tick, slots_of(shard, shards)) for shard in range(shards)]
        order = np.argsort(np.concatenate([part.order for part in parts]), kind="stable")
        together = [row for part in parts for row in rows(part)]
        assert [together[i] for i in order.tolist()] == rows(whole)
    for slot in (0, 511, 1023):
        alone = arrivals(world, intensity, tick, range(slot, slot + 1))
        assert rows(alone) == [row for row in rows(whole) if row[1] % SLOTS == slot]


@WORLDS
@pytest.mark.parametrize("curve", CURVES)
def test_there_are_as_many_events_as_counted_in_every_slot(users: int, curve: str) -> None:
    world, intensity = made(users, curve=curve)
    ticks = SPRING // intensity.tick + np.arange(-2, 2)
    counted = counts(world, intensity, ticks, ALL)
    for tick, expected in zip(ticks.tolist(), counted, strict=True):
        users_of = arrivals(world, intensity, tick, ALL).users
        assert np.bincount(users_of % SLOTS, minlength=SLOTS).tolist() == expected.tolist()


def test_counts_are_the_same_however_many_ticks_and_slots_are_asked_at_once() -> None:
    world, intensity = made(10_000)
    ticks = SPRING // intensity.tick + np.arange(-3, 8)
    together = counts(world, intensity, ticks, ALL)
    for row, tick in enumerate(ticks):
        assert counts(world, intensity, np.array([tick]), ALL)[0].tolist() == together[row].tolist()
    assert counts(world, intensity, ticks, range(100, 200)).tolist() == together[:, 100:200].tolist()
    assert counts(world, intensity, ticks[:0], ALL).shape == (0, SLOTS)


@WORLDS
def test_events_are_in_the_worlds_order_and_in_their_tick(users: int) -> None:
    world, intensity = made(users, per_day=min(57e6 / users, 1e6))
    tick = instant("2026-07-01T12:00:00Z") // intensity.tick
    found = arrivals(world, intensity, tick, ALL)
    assert len(found) > 0
    assert np.all(np.diff(found.times) >= 0)
    assert np.all(np.diff(found.order.astype(np.int64)) > 0)
    assert np.all((found.times >= tick * intensity.tick) & (found.times < (tick + 1) * intensity.tick))
    assert np.all((found.users >= 0) & (found.users < users))


def test_of_one_microsecond_the_lower_slot_comes_first() -> None:
    world, intensity = made(5_400_000_000)
    found = arrivals(world, intensity, SPRING // intensity.tick, ALL)
    together = np.flatnonzero(np.diff(found.times) == 0)
    assert together.size > 1000
    slots = found.users % SLOTS
    assert np.all(slots[together] <= slots[together + 1])


@pytest.mark.parametrize("constant", [False, True], ids=["diurnal", "constant"])
@pytest.mark.parametrize(("users", "slot"), [(3, 1), (10_000, 0), (10_000, 777), (5_400_000_000, 1023)])
def test_a_slots_events_are_its_first_accepted_candidates(users: int, slot: int, constant: bool) -> None:
    """One candidate after another, straight from the definition, without a squeeze."""
    world, intensity = made(users, per_day=57 if users > 1e6 else 570, constant=constant)
    tick = SPRING // intensity.tick
    only = range(slot, slot + 1)
    missing = int(counts(world, intensity, np.array([tick]), only)[0, 0])
    of_slot = streams(key(42, Purpose.CANDIDATE), tick, np.array([slot], np.uint64))
    bounds = intensity.acceptance(tick)
    daylight = bounds.daylight
    envelope = max(
        h for h, n in zip(bounds.high.tolist(), daylight.users[:, slot].tolist(), strict=True) if n
    )
    residents = (users - 1 - slot) // SLOTS + 1
    expected: list[tuple[int, int, int]] = []
    number = 0
    while len(expected) < missing:
        where, judge = (int(draws(of_slot, 2 * number + n)[0]) for n in (0, 1))
        user = where * residents // 2**64 * SLOTS + slot
        time = tick * intensity.tick + where * residents % 2**64 * intensity.tick // 2**64
        stratum = next(i for i, s in enumerate(world.populated) if s.first <= user < s.first + s.users)
        offset = daylight.offset_of_stratum[stratum : stratum + 1]
        rate = float(intensity.relative_rates(np.array([time]), offset, daylight)[0])
        if (judge >> 11) / 2**53 * envelope < rate:
            expected.append((time, number, user))
        number += 1
    found = arrivals(world, intensity, tick, only)
    assert len(found) == missing
    assert [(t, u) for t, u, _ in rows(found)] == [(time, user) for time, _, user in sorted(expected)]


def test_a_tick_knows_nothing_of_those_before() -> None:
    """An earlier start yields the same tail: a fresh world asked for one tick, and one that came from far."""
    world, intensity = made(10_000)
    tick = SPRING // intensity.tick
    for earlier in range(tick - 40, tick):
        arrivals(world, intensity, earlier, ALL)
    fresh = made(10_000)
    assert rows(arrivals(world, intensity, tick, ALL)) == rows(arrivals(*fresh, tick, ALL))


@pytest.mark.parametrize("start", ["1972-01-08T00:00:00Z", "2199-12-31T23:00:00Z"])
def test_ticks_at_the_ends_of_the_calendar(start: str) -> None:
    world, intensity = made(10_000)
    tick = instant(start) // intensity.tick
    found = arrivals(world, intensity, tick, ALL)
    expected = float(intensity.slot_means(np.array([tick])).sum())
    assert abs(len(found) - expected) < 6 * expected**0.5
    assert found.times.min() >= instant(start)


@pytest.mark.parametrize("seed", [0, 1, 2**53 - 1, 2**53])
def test_any_seed_makes_a_world_of_its_own(seed: int) -> None:
    tick = SPRING // made(10_000)[1].tick
    mine = rows(arrivals(*made(10_000, seed=seed), tick, ALL))
    assert len(mine) > 1000
    assert not set(mine) & set(rows(arrivals(*made(10_000, seed=7), tick, ALL)))


def test_fewer_users_than_slots_leave_slots_empty() -> None:
    world, intensity = made(7, per_day=100_000)
    found = arrivals(world, intensity, SPRING // intensity.tick, ALL)
    assert set(found.users.tolist()) == set(range(7))


def test_one_user_has_them_all() -> None:
    world, intensity = lonely(57_000)
    day = [arrivals(world, intensity, SPRING // intensity.tick + n, ALL) for n in range(96)]
    assert abs(sum(len(part) for part in day) - 57_000) < 6 * 57_000**0.5
    assert {int(user) for part in day for user in part.users} == {0}


def test_a_user_of_several_events_in_one_microsecond_gets_ids_without_repeats() -> None:
    """A billion events a second of one user: a thousand in each microsecond."""
    world, intensity = lonely(1e9 * 86_400)
    found = arrivals(world, intensity, SPRING // intensity.tick, ALL)
    assert len(found) > 20_000
    per_microsecond = np.unique(found.times, return_counts=True)[1]
    assert per_microsecond.max() > 256  # more than the eight bits beside the time
    assert [o for n in per_microsecond.tolist() for o in range(n)] == found.ordinals.tolist()
    ids = event_ids(
        key(42, Purpose.EVENT_ID),
        *(array.astype(np.uint64) for array in (found.times, found.users, found.ordinals)),
    )
    assert len(set(zip(ids.high.tolist(), ids.low.tolist(), strict=True))) == len(found)


def test_ordinals_count_the_events_of_each_user_in_each_microsecond() -> None:
    """A few busy users, brute force; most ordinals are 0 and some are not."""
    world, intensity = made(50, per_day=1e6 * 86_400 / 50)
    found = arrivals(world, intensity, SPRING // intensity.tick, ALL)
    seen: dict[tuple[int, int], int] = {}
    for time, user, ordinal in rows(found):
        assert ordinal == seen.get((time, user), 0)
        seen[time, user] = ordinal + 1
    assert max(seen.values()) > 1


def test_a_part_by_time_is_what_lies_between() -> None:
    world, intensity = made(100_000)
    found = arrivals(world, intensity, SPRING // intensity.tick, ALL)
    first, last = int(found.times[10]), int(found.times[-10])
    assert rows(found.between(first, last)) == [row for row in rows(found) if first <= row[0] < last]
    assert len(found.between(last, last)) == 0
    assert len(found.between(0, first)) + len(found.between(first, 2**60)) == len(found)


def test_a_tick_without_events_is_empty() -> None:
    world, intensity = made(1, per_day=1e-9)
    found = arrivals(world, intensity, SPRING // intensity.tick, ALL)
    assert len(found) == 0
    assert found.order.dtype == np.uint64


def test_nobody_is_up_in_hours_of_zero() -> None:
    """One zone, zeros from midnight to five: not even by rounding at the fastest rate there is."""
    country = Country("ISL", "Iceland", 1, Fraction(1), (("Atlantic/Reykjavik", Fraction(1)),))
    world = World.build(Dataset((country,), "test", None, "0" * 64), 1000, 42)
    intensity = Intensity(world, CURVES["zeros"], 1e9 * 86.4)
    midnight = instant("2026-03-01T00:00:00Z")
    ticks = (midnight + np.arange(0, 5 * HOUR, 600 * SECOND)) // intensity.tick
    assert not counts(world, intensity, ticks, ALL).any()


@pytest.mark.parametrize("users", [1, 500, 1024, 10_000, 123_456, 50_000_000])
def test_the_index_finds_the_stratum_of_every_user(users: int) -> None:
    """At every border of the axis, and at a stride."""
    world = World.build(load("world-2025"), users, 42)
    borders = np.concatenate([world.firsts, world.firsts - 1, world.firsts + 1])
    asked = np.concatenate([borders, np.arange(0, users, max(1, users // 5000)), [users - 1]])
    asked = asked[(asked >= 0) & (asked < users)]
    strata = world.populated
    for user, found in zip(asked.tolist(), user_index(world).stratum(asked).tolist(), strict=True):
        assert strata[found].first <= user < strata[found].first + strata[found].users


def test_days_of_23_and_25_hours_have_their_events() -> None:
    """The world's count of a day of daylight saving change, against the sum of its strata's means."""
    world, intensity = made(20_000)
    for day in ("2026-03-29T00:00:00Z", "2026-10-25T00:00:00Z"):
        start = instant(day)
        ticks = np.arange(start // intensity.tick, (start + DAY) // intensity.tick)
        drawn = int(counts(world, intensity, ticks, ALL).sum())
        expected = float(intensity.stratum_means(np.array([start]), np.array([start + DAY])).sum())
        assert abs(drawn - expected) < 5 * expected**0.5
