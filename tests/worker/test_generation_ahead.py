"""Generation is ahead of sending: what follows is made before it is due, and without waiting for answers."""

from __future__ import annotations

from typing import Any

import pytest

from diurnal_worker.shard import Settings, Shard
from diurnal_worker.sinks import NOTHING_YET, Batch, Framing
from diurnal_worker.sinks.counters import Counters
from diurnal_worker.sinks.discard import DiscardSink
from diurnal_worker.sources import load
from diurnal_worker.workshop import build_workshop
from harness import MINUTE, START, FakeClock, Run, spec
from test_low_rate import CountingStore


class LateSink:
    """Answers for a batch when it gets the next one; with ``room_for`` messages it is full."""

    framing: Framing = "lines"

    def __init__(self, room_for: int) -> None:
        self.counters = Counters()
        self.messages, self._room_for = 0, room_for
        self._answered = self.last = NOTHING_YET

    def send(self, batch: Batch) -> None:
        self.messages += batch.messages
        self._answered, self.last = self.last, batch.until

    def room(self, size: int, timeout: float) -> bool:
        return self.messages < self._room_for

    def acknowledged(self) -> int:
        return self._answered

    def drain(self, timeout: float) -> bool:
        return False

    def close(self) -> None:
        """There is nothing to give back."""


def shard_into(sink: LateSink, **budget: Any) -> tuple[Shard, FakeClock]:
    plan = Run(spec(hours=None, **budget), shards=1).plan
    clock = FakeClock()
    workshop = build_workshop(plan, load("world-2025"), "lines")
    return Shard(0, plan, workshop, sink, CountingStore(), clock, Settings()), clock


def test_a_stretch_is_made_before_it_is_due_and_while_what_was_sent_last_is_unanswered() -> None:
    sink = LateSink(room_for=1_000_000)
    shard, clock = shard_into(sink, budget__maxMessagesPerSecond=100)
    while not sink.messages or shard.account.generated > sink.messages:
        clock.now += shard.step() or 0.0
    made = sink.messages  # the first stretch, all of it
    while shard.account.generated == made:
        wait = shard.step() or 0.0
        clock.now += wait
    assert wait > 0.0, "the next stretch is made, and not due"
    assert sink.messages == made
    assert sink.acknowledged() < sink.last


def test_a_full_sink_holds_generation_back_by_one_stretch() -> None:
    sink = LateSink(room_for=1)
    shard, _ = shard_into(sink, budget__maxMessagesPerSecond="Unlimited")
    for _ in range(100):
        shard.step()
    first = shard.account.generated
    for _ in range(1000):
        shard.step()
    assert shard.account.generated == first, "no more is made than is taken"


class OldWord(CountingStore):
    """The status has not been written for long."""

    def slowest(self) -> int | None:
        return START


@pytest.mark.parametrize(("shards", "waits"), [(1, False), (2, True)])
def test_a_single_shard_waits_for_nobodys_clock(shards: int, waits: bool) -> None:
    plan = Run(spec(events_per_second=0.01, hours=None, clock__maxSpeed=100), shards=shards).plan
    clock, workshop = FakeClock(), build_workshop(plan, load("world-2025"), "lines")
    shard = Shard(0, plan, workshop, DiscardSink("lines"), OldWord(), clock, Settings())
    bound = START + int(float(plan.pace.skew_seconds) * 1_000_000)
    for _ in range(3000):
        wait = shard.step() or 0.0
        clock.now += wait
    assert (shard.frontier <= bound + 15 * MINUTE) == waits
