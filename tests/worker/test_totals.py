"""Totals: the Nth event of the world's order is the last, whichever slots a worker looks at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diurnal_api.checkpoint import Checkpoint
from diurnal_api.instants import format_instant
from diurnal_api.layout import earliest
from diurnal_api.plan import Plan
from diurnal_worker.shard import Settings, Shard
from diurnal_worker.sinks.discard import DiscardSink
from diurnal_worker.tally import Tally
from diurnal_worker.timeline import ALL_SLOTS, Stretch, Timeline
from diurnal_worker.totals import Count
from diurnal_worker.workshop import build_workshop
from harness import HOUR, START, THREE_COUNTRIES, FakeClock, Run, dense, in_the_worlds_order, spec, time_of
from test_low_rate import CountingStore

HALVES = (range(512), range(512, 1024))


@pytest.fixture
def timeline() -> Timeline:
    return Run(spec(hours=1), 1).workshop.timeline


def allowed(timeline: Timeline, total: int, slots: range) -> tuple[list[int], int | None]:
    """(times of the events that go, the clock at which a worker of these slots then stands)."""
    counter = Count(timeline)
    times: list[int] = []
    for stretch in timeline.stretches(START):
        found = timeline.arrivals(stretch, slots)
        assert counter.reaches(stretch)
        cut = counter.cut(stretch, total)
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
    counter = Count(timeline)
    assert counter.reaches(last)
    cut = counter.cut(last, 1)
    assert cut is not None
    assert cut.clock == last.begin
    assert len(cut.allowed(timeline.arrivals(last, ALL_SLOTS))) == 0


def test_a_long_past_is_counted_in_parts_and_is_the_same_count(timeline: Timeline) -> None:
    *_, last = timeline.stretches(START)
    counter, parts = Count(timeline), 1
    while not counter.reaches(last, most=1):
        parts += 1
    assert parts == (last.begin - START) // (last.end - last.begin)
    whole = Count(timeline)
    assert whole.reaches(last)
    times = world(timeline)
    before = int(np.searchsorted(times, last.begin))
    for found in (counter, whole, counter.along(timeline.ending_at(START + 2 * HOUR))):
        assert found.cut(last, before + 1) == whole.cut(last, before + 1)
        assert (cut := found.cut(last, before + 1)) is not None
        assert cut.allowed(timeline.arrivals(last, ALL_SLOTS)).times.tolist() == [times[before]]


class Late:
    """A run with a total that is a year old, on a machine that takes a millisecond to count a tick."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plan = Run(spec(hours=None, budget__maxMessages=10**9), shards=1).plan
        self.clock, self.store = FakeClock(), CountingStore()
        late = START + 365 * 24 * HOUR
        self.begin = Checkpoint(epoch=1, shard=0, segments=(f"0-1023@{format_instant(late)}",), reach=late)
        counted = Timeline.world_count

        def slowly(timeline: Timeline, stretch: Stretch) -> int:
            self.clock.now += 0.001
            return counted(timeline, stretch)

        monkeypatch.setattr(Timeline, "world_count", slowly)

    def seconds_to_the_first_message(self, found: Checkpoint) -> tuple[float, Checkpoint]:
        """How long a shard takes that goes on from ``found``, and what it then leaves to the next."""
        workshop, sink = build_workshop(self.plan, THREE_COUNTRIES, "lines"), DiscardSink("lines")
        shard = Shard(0, self.plan, workshop, sink, self.store, self.clock, Settings(), found)
        begun = self.clock.now
        while not sink.counters.messages:
            wait = shard.step() or 0.0  # which itself moves the clock
            self.clock.now += wait
        took = self.clock.now - begun
        assert shard.stop(1.0)
        assert shard.found is not None
        return took, shard.found


def test_a_shard_keeps_its_lease_while_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late(monkeypatch)
    took, _ = late.seconds_to_the_first_message(late.begin)
    assert took > 30, "it took long"
    assert late.store.saved >= took / (Settings().checkpoint + 2)


def test_who_goes_on_with_a_shard_does_not_count_again(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late(monkeypatch)
    took, left = late.seconds_to_the_first_message(late.begin)
    again, _ = late.seconds_to_the_first_message(left)
    assert took > 30
    assert again < 1
    assert left.counted is not None
    *_, last = (s for s in timeline_of(late.plan).stretches(START, int(left.counted.upto)))
    assert last.end == left.counted.upto <= earliest(left.position)
    counter = Count(timeline_of(late.plan))
    while not counter.reaches(last):
        pass
    assert (cut := counter.cut(last, left.counted.events)) is not None
    assert cut.clock == left.counted.upto, "the last of those that were counted is the last of its stretch"


def timeline_of(plan: Plan) -> Timeline:
    return build_workshop(plan, THREE_COUNTRIES, "lines").timeline


def test_the_report_counts_what_went_within_the_last_microsecond_too() -> None:
    whole = in_the_worlds_order(Run(dense(150), 1).plan)
    total = next(n for n in range(20, len(whole)) if time_of(whole[n - 1]) == time_of(whole[n]))
    plan = Run(dense(150, budget__maxMessages=total), 1).plan
    workshop, clock, kept = build_workshop(plan, THREE_COUNTRIES, "lines"), FakeClock(), Kept()
    tally, sink = Tally(workshop.maker), DiscardSink("lines")
    shard = Shard(0, plan, workshop, sink, kept, clock, Settings(), tally=tally)
    while (wait := shard.step()) is not None:
        clock.now += wait
    assert shard.ended is not None
    hours = [*kept.records, *shard.ended.tally["open"].values()]
    assert sum(sum(hour["countries"].values()) for hour in hours) == total == sink.counters.messages


class Kept(CountingStore):
    """Keeps the records of the hours that are over."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def keep(self, records: list[dict[str, Any]]) -> int:
        self.records += records
        return 0
