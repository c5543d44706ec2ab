"""This project's side of a comparison: one worker with all slots, as it runs in a pod, unpaced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from diurnal_api.instants import format_instant
from diurnal_api.plan import Plan
from diurnal_worker.arrivals import Arrivals
from diurnal_worker.checkpoints import Checkpoint, Spent
from diurnal_worker.shard import Settings, Shard, Workshop
from diurnal_worker.sinks import Batch, Sink
from diurnal_worker.sinks.discard import DiscardSink
from diurnal_worker.sources import load
from diurnal_worker.timeline import ALL_SLOTS
from diurnal_worker.workshop import build_workshop

TOPIC = "projects/benchmark/topics/benchmark"
START = "2026-01-01T00:00:00.000000Z"
EVENTS_PER_USER_PER_DAY = 57
MESSAGES = 1000


def plan_for(users: int, *, encoding: str = "JSON", total: str = "Diurnal") -> Plan:
    """A plan of one shard for this many users of the built-in world, without a limit."""
    rate = {"eventsPerUserPerDay": EVENTS_PER_USER_PER_DAY}
    return Plan.model_validate(
        {
            "run": "benchmark",
            "epoch": 0,
            "shards": 1,
            "engine": "benchmark",
            "tzdata": "benchmark",
            "start": START,
            "population": {"users": users, "seed": 42, "countries": {"builtin": "world-2025"}},
            "regimes": [{"start": START, "traffic": {"rate": rate, "total": total}}],
            "pace": {},
            "segments": [f"0-1023@{START}"],
            "events": {"encoding": encoding},
            "sink": {"pubsub": {"topic": TOPIC}},
        }
    )


def workshop_for(plan: Plan) -> Workshop:
    """What makes the events of the plan."""
    return build_workshop(plan, load("world-2025"), "pubsub")


def ticks(workshop: Workshop, slots: range = ALL_SLOTS) -> Iterator[Arrivals]:
    """The arrivals of one tick after another, for ever."""
    for stretch in workshop.timeline.stretches(workshop.timeline.start):
        yield workshop.timeline.arrivals(stretch, slots)


def time_to_first_send(users: int, total: str) -> float:
    """CPU-seconds from a ready worker, which goes on in the middle of a tick, to its first batch."""
    plan = plan_for(users, total=total)
    workshop = workshop_for(plan)
    tick = workshop.timeline.intensity(0).tick
    middle = workshop.timeline.start + 20 * 3600 * 1_000_000 // tick * tick + tick // 2
    found = Checkpoint(
        epoch=0,
        shard=0,
        segments=[f"0-1023@{format_instant(middle)}"],
        reach=middle + 2 * tick,
        spent=Spent(),
    )
    sink = DiscardSink("pubsub")
    begun = time.process_time()
    shard = Shard(0, plan, workshop, sink, _Memory(), _Clock(), Settings(), found)
    while not sink.counters.messages:
        shard.step()
    return time.process_time() - begun


def batches(workshop: Workshop) -> Iterator[Batch]:
    """Full batches of ready messages, for ever."""
    for drawn in ticks(workshop):
        rows = workshop.encoder.encode(workshop.maker.make(drawn), time.time_ns() // 1000)
        for first in range(0, len(drawn), MESSAGES):
            last = min(first + MESSAGES, len(drawn))
            yield Batch(rows.slice(first, last), last - first, int(drawn.times[last - 1]))


class Worker:
    """One worker that generates, encodes, sends and checkpoints (into memory)."""

    def __init__(self, users: int, sink: Sink) -> None:
        plan = plan_for(users)
        self._sink = sink
        self._shard = Shard(0, plan, workshop_for(plan), sink, _Memory(), _Clock(), Settings())

    def run(self, go_on: Callable[[], bool]) -> int:
        """Works while `go_on`; returns the messages acknowledged since the worker began."""
        while go_on():
            self._shard.step()
        if not self._shard.stop(60) or self._shard.found is None:
            raise TimeoutError("the server did not acknowledge everything within a minute")
        return self._shard.found.spent.messages


class _Memory:
    """Keeps no checkpoint: nothing here is resumed."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Nothing to store it in."""

    def keep(self, records: list[dict[str, Any]]) -> int:
        """Nothing to store them in."""
        return 0

    def slowest(self) -> int | None:
        """There is no other shard."""
        return None


class _Clock:
    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> int:
        return time.time_ns() // 1000
