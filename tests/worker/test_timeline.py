"""The timeline: stretches without gaps, clipped exactly, and counts that agree with the events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diurnal_api.layout import SLOTS
from diurnal_worker.activity import Cosine
from diurnal_worker.intensity import Intensity
from diurnal_worker.strata import World
from diurnal_worker.timeline import ALL_SLOTS, Timeline
from harness import HOUR, MINUTE, START, THREE_COUNTRIES

WORLD = World.build(THREE_COUNTRIES, 2000, 3)
SLOW = Intensity(WORLD, Cosine(16, 0.03), 10)
FAST = Intensity(WORLD, Cosine(16, 0.03), 20_000)


def timeline(changes: list[int], start: int, end: int | None) -> Timeline:
    regimes = [(start, SLOW), *((time, (FAST, SLOW)[i % 2]) for i, time in enumerate(sorted(set(changes))))]
    return Timeline(WORLD, regimes, start, end)


@settings(deadline=None)
@given(st.lists(st.integers(START + 1, START + HOUR), max_size=4), st.integers(1, HOUR))
def test_stretches_lie_end_to_end_from_start_to_end_within_one_tick_of_one_regime(
    changes: list[int], length: int
) -> None:
    times = timeline(changes, START + 7, START + 7 + length)
    found = list(times.stretches(times.start))
    assert [s.begin for s in found] == [times.start, *(s.end for s in found[:-1])]
    assert found[-1].end == times.end
    starts = [times.start, *sorted(set(changes))]
    for stretch in found:
        tick = times.intensity(stretch.regime).tick
        assert stretch.tick * tick <= stretch.begin < stretch.end <= (stretch.tick + 1) * tick
        assert stretch.regime == max(sum(start <= stretch.begin for start in starts) - 1, 0)
    assert times.stretch_at(found[-1].end) is None


@pytest.mark.parametrize("offset", [0, 1, 123_456_789, 899_999_999])
def test_the_count_of_a_stretch_is_that_of_its_events(offset: int) -> None:
    times = timeline([START + HOUR // 3 + 5], START + offset, START + HOUR)
    for stretch in list(times.stretches(times.start))[:12]:
        assert times.world_count(stretch) == len(times.arrivals(stretch, ALL_SLOTS))


def test_events_of_a_clipped_stretch_are_those_of_the_whole_one_in_between() -> None:
    whole, part = timeline([], START, None), timeline([], START + 100_000_000, START + 700_000_000)
    stretch, clipped = whole.stretch_at(START), part.stretch_at(part.start)
    assert stretch is not None
    assert clipped is not None
    everything = whole.arrivals(stretch, ALL_SLOTS).times
    inside = everything[(everything >= part.start) & (everything < START + 700_000_000)]
    assert np.array_equal(part.arrivals(clipped, ALL_SLOTS).times, inside)


def test_an_interval_is_cut_where_the_traffic_changes() -> None:
    times = timeline([START + 100, START + 300], START, None)
    expected = [(START + 50, START + 100, 0), (START + 100, START + 300, 1), (START + 300, START + 400, 2)]
    assert list(times.regimes_between(START + 50, START + 400)) == expected


def test_another_end_changes_nothing_before_it() -> None:
    times = timeline([START + HOUR // 2], START, START + HOUR)
    longer = times.ending_at(START + 2 * HOUR)
    assert longer.end == START + 2 * HOUR
    assert list(longer.stretches(START, START + HOUR)) == list(times.stretches(START))


def test_the_share_of_slots_is_their_part_of_all_events_in_the_long_run_and_all_shares_are_one() -> None:
    times = timeline([], START, START + HOUR)
    halves = [range(400), range(400, SLOTS)]
    stretches = list(times.stretches(times.start))
    expected = [[times.share(stretch, [half]) for half in halves] for stretch in stretches]
    assert [sum(shares) for shares in expected] == pytest.approx([1.0] * len(stretches))
    fast = Timeline(WORLD, [(START, FAST)], START, START + MINUTE)
    first = next(fast.stretches(fast.start))
    drawn = [len(fast.arrivals(first, half)) for half in halves]
    share = drawn[0] / sum(drawn)
    error = (share * (1 - share) / sum(drawn)) ** 0.5
    assert sum(drawn) > 10_000
    assert abs(fast.share(first, [range(200), range(200, 400)]) - share) < 5 * error
