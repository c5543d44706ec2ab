"""Low rates are cheap: the loop of a throttled shard turns for what it sends and stores alone."""

from typing import Any

import pytest

from diurnal_worker.checkpoints import StoreUnavailableError
from diurnal_worker.shard import Settings, Shard
from diurnal_worker.sinks.discard import DiscardSink
from diurnal_worker.sources import load
from diurnal_worker.workshop import build_workshop
from harness import FakeClock, Run, spec

SECONDS = 120


class CountingStore:
    """Counts what is stored, and keeps none of it."""

    saved = 0

    def save(self, checkpoint: object) -> None:
        self.saved += 1

    def keep(self, records: list[dict[str, Any]]) -> int:
        return 0

    def slowest(self) -> int | None:
        return None


def test_a_throttled_shard_wakes_no_more_often_than_it_sends_and_stores() -> None:
    """1,000/s over 4 shards: some four sends a second, and a checkpoint every five seconds."""
    plan = Run(spec(6.6, None, population__users=10_000, budget__maxMessagesPerSecond=1000), shards=4).plan
    clock, sink = FakeClock(), DiscardSink("pubsub")
    workshop = build_workshop(plan, load("world-2025"), "pubsub")
    store = CountingStore()
    shard = Shard(1, plan, workshop, sink, store, clock, Settings())
    wakes, begun = 0, clock.monotonic()
    while clock.monotonic() < begun + SECONDS:
        wait = shard.step()
        assert wait is not None
        if wait > 0:
            wakes += 1
            clock.now += wait
    assert sink.counters.messages == pytest.approx(250 * SECONDS, rel=0.03)
    assert sink.counters.attempts < 6 * SECONDS
    assert wakes <= sink.counters.attempts + store.saved


class HangingStore(CountingStore):
    """From some time on it takes five seconds to say that it does not answer."""

    hangs = False

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def save(self, checkpoint: object) -> None:
        if self.hangs:
            self._clock.now += 5.0
            raise StoreUnavailableError("it hangs")
        super().save(checkpoint)


def test_a_store_that_hangs_takes_half_of_the_time_at_most() -> None:
    plan = Run(spec(6.6, None, population__users=10_000, budget__maxMessagesPerSecond=1000), shards=4).plan
    clock, sink = FakeClock(), DiscardSink("pubsub")
    store = HangingStore(clock)
    workshop = build_workshop(plan, load("world-2025"), "pubsub")
    shard = Shard(1, plan, workshop, sink, store, clock, Settings())

    def go_on(seconds: float) -> int:
        before, end = sink.counters.messages, clock.monotonic() + seconds
        while clock.monotonic() < end:
            wait = shard.step() or 0.0  # which itself moves the clock
            clock.now += wait
        return sink.counters.messages - before

    go_on(60)
    store.hangs = True
    assert go_on(15) >= 250 * 15 * 0.3, "what is promised already is sent meanwhile"
