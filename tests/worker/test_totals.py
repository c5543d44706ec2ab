"""Totals: the Nth event of the world's order is the last, whichever slots a worker looks at."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from diurnal_worker.timeline import ALL_SLOTS, Timeline
from diurnal_worker.totals import Total
from harness import HOUR, START, Run, spec

HALVES = (range(512), range(512, 1024))


@pytest.fixture
def timeline() -> Timeline:
    return Run(spec(hours=1), 1).workshop.timeline


def allowed(timeline: Timeline, total: int, slots: range) -> tuple[list[int], int | None]:
    """(times of the events that go, the clock at which a worker of these slots then stands)."""
    counter = Total(timeline, total)
    times: list[int] = []
    for stretch in timeline.stretches(START):
        found = timeline.arrivals(stretch, slots)
        cut = counter.cut(stretch)
        if cut is not None:
            return times + cut.allowed(found).times.tolist(), cut.clock
        times += found.times.tolist()
    return times, None


def world(timeline: Timeline) -> NDArray[np.int64]:
    return np.concatenate([timeline.arrivals(s, ALL_SLOTS).times for s in timeline.stretches(START)])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.4, 0.5, 0.99])
def test_the_first_n_events_go_for_any_sharding(timeline: Timeline, share: float) -> None:
    times = world(timeline)
    total = max(1, int(share * times.size))
    parts = [allowed(timeline, total, slots) for slots in HALVES]
    assert sorted(parts[0][0] + parts[1][0]) == times[:total].tolist()
    assert {clock for _, clock in parts} == {int(times[total])}


def test_a_total_beyond_the_end_cuts_nothing(timeline: Timeline) -> None:
    times = world(timeline)
    assert allowed(timeline, times.size + 1, ALL_SLOTS) == (times.tolist(), None)


def test_the_very_last_event_ends_the_run_at_its_end(timeline: Timeline) -> None:
    times = world(timeline)
    assert allowed(timeline, times.size, ALL_SLOTS) == (times.tolist(), START + HOUR)


def test_a_total_that_is_already_spent_lets_nothing_go(timeline: Timeline) -> None:
    last = list(timeline.stretches(START))[-1]
    cut = Total(timeline, 1).cut(last)
    assert cut is not None
    assert cut.clock == last.begin
    assert len(cut.allowed(timeline.arrivals(last, ALL_SLOTS))) == 0
