"""Low rates are cheap: the loop of a throttled shard turns for what it sends and stores alone."""

from typing import Any

import pytest

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
