"""All shards of a run in one process, under a fake clock, with everything that can go wrong.

The harness plays the operator and the cluster: it keeps checkpoints, makes the next plan by
`planning.next_plan`, and starts shards anew where they were. Its broker takes messages at least once. A
crash may come at any operation that leaves a shard (a send, a save), before or after it took effect, and
loses all that is not in a checkpoint. The oracle is one pass over the whole timeline, all slots at once.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from diurnal_api.checkpoint import Checkpoint
from diurnal_api.layout import SLOTS, Segment, cut, earliest, furthest, parse_position, slots_of
from diurnal_api.plan import Plan
from diurnal_api.planning import first_plan, next_plan, total_reached
from diurnal_api.spec import Spec
from diurnal_worker.checkpoints import StoreUnavailableError
from diurnal_worker.dataset import Country, Dataset
from diurnal_worker.shard import Settings, Shard, Workshop
from diurnal_worker.sinks import NOTHING_YET, Batch, Framing, PermanentSinkError
from diurnal_worker.sinks.counters import Counters
from diurnal_worker.timeline import ALL_SLOTS
from diurnal_worker.workshop import build_workshop

MINUTE = 60_000_000
HOUR = 60 * MINUTE
START = 1_774_735_200_000_000  # 2026-03-28T22:00:00Z: daylight saving begins in Berlin three hours later
GENERATED = len(b'{"generation_timestamp":1774735200000000')
STATUS_EVERY = 0.2
STOP_SECONDS = 20.0

THREE_COUNTRIES = Dataset(
    tuple(
        Country(alpha3, alpha3, people, Fraction(1), ((zone, Fraction(1)),))
        for alpha3, zone, people in (
            ("DEU", "Europe/Berlin", 80),
            ("IND", "Asia/Kolkata", 1400),
            ("USA", "America/New_York", 340),
        )
    ),
    "three countries",
    None,
    "0" * 64,
)


def spec(events_per_second: float = 0.2, hours: float | None = 3, **changes: Any) -> Spec:
    """A spec of a small world; `changes` are dotted fields with __ for the dots."""
    values: dict[str, Any] = {
        "sink": {"discard": {}},
        "population": {"users": 3000, "seed": 7},
        "traffic": {"rate": {"eventsPerSecond": events_per_second}},
        "clock": {"start": _text(START)},
        "budget": {"maxMessagesPerSecond": "Unlimited"},
    }
    if hours is not None:
        values["clock"]["end"] = _text(START + int(hours * HOUR))
    for path, value in changes.items():
        *folders, name = path.split("__")
        place = values
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = value
    return Spec.model_validate(values)


def dense(microseconds: int, **changes: Any) -> Spec:
    """A world with some two events a microsecond, for so long."""
    changes |= {"population__users": 100_000, "clock__start": "2026-03-29T00:00:00.000000Z"}
    end = f"2026-03-29T00:00:00.{microseconds:06d}Z"
    return spec(events_per_second=2_000_000, hours=None, clock__end=end, **changes)


def _text(instant: int) -> str:
    from diurnal_api.instants import format_instant

    return format_instant(instant)


class Crashed(BaseException):
    """The process is gone; no code of its own sees that."""


class FakeClock:
    """Seconds that only the harness moves."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> int:
        return START + int(self.now * 1e6)


@dataclass
class Delivery:
    """A batch on its way to the broker, or there."""

    shard: int
    payload: bytes
    messages: int
    until: int
    sent: float
    arrives: float
    answered: float
    lost: bool = False


class FakeSink:
    """At-least-once: batches arrive some time after they are sent, answers come later still."""

    framing: Framing = "lines"

    def __init__(self, run: Run, shard: int) -> None:
        self._run, self._shard = run, shard
        self.counters = Counters()
        self._until = NOTHING_YET
        self._window: list[Delivery] = []
        self.waited = 0.0

    def send(self, batch: Batch) -> None:
        self._run.operation("before a send")
        if self._run.refuses:
            self._run.refuses = False
            raise PermanentSinkError("Refused", "the next one is refused", self._until)
        now, latency = self._run.clock.now, self._run.latency()
        arrives = self._run.once_the_broker_moves(now + latency * self._run.random.random())
        answered = max(self._run.once_the_broker_moves(now + latency), arrives)
        delivery = Delivery(
            self._shard, bytes(batch.payload), batch.messages, batch.until, now, arrives, answered
        )
        self._run.check_promise(self._shard, batch.until)
        self._window.append(delivery)
        if batch.messages:
            self._run.deliveries.append(delivery)
        self._run.operation("after a send")

    def room(self, size: int, timeout: float) -> bool:
        self._advance()
        if len(self._window) < self._run.most_in_flight:
            return True
        self.waited = min(timeout, max(self._window[0].answered - self._run.clock.now, 1e-6))
        return False

    def acknowledged(self) -> int:
        self._advance()
        return self._until

    def drain(self, timeout: float) -> bool:
        last = max((delivery.answered for delivery in self._window), default=0.0)
        drained = last <= self._run.clock.now + timeout
        while self._window and self._window[0].answered <= self._run.clock.now + timeout:
            self._until = self._window.pop(0).until
        return drained

    def close(self) -> None:
        """What nobody waits for any more is given up."""
        self._advance()
        self.crash()

    def crash(self) -> None:
        """What has not arrived may arrive all the same, or never."""
        for delivery in self._window:
            if delivery.arrives > self._run.clock.now:
                delivery.lost = self._run.random.random() < 0.5

    def _advance(self) -> None:
        while self._window and self._window[0].answered <= self._run.clock.now:
            self._until = self._window.pop(0).until


class FakeStore:
    """Checkpoints of one shard, kept by the run as a cluster keeps Leases."""

    def __init__(self, run: Run, shard: int) -> None:
        self._run, self._shard = run, shard

    def save(self, checkpoint: Checkpoint) -> None:
        if self._run.random.random() < self._run.store_fails:
            raise StoreUnavailableError("away")
        self._run.operation("before a save")
        self._run.keep(checkpoint)
        self._run.operation("after a save")

    def keep(self, records: list[dict[str, Any]]) -> int:
        return 0

    def slowest(self) -> int | None:
        return self._run.slowest


@dataclass(frozen=True)
class CrashWindow:
    """Simulated time that a crashed shard may have sent and not yet recorded."""

    begin: int
    reach: int


@dataclass
class Run:
    """A run from its first plan to its end, with whatever is done to it on the way."""

    spec: Spec
    shards: int
    seed: int = 0
    settings: Settings = field(default_factory=lambda: Settings(checkpoint=2.0))
    latency_seconds: float = 0.3
    most_in_flight: int = 8
    step_seconds: float = 0.02
    store_fails: float = 0.0
    broker_stands_still: tuple[float, float] = (0.0, 0.0)
    dataset: Dataset = THREE_COUNTRIES

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.clock = FakeClock()
        self.deliveries: list[Delivery] = []
        self.crashes: list[CrashWindow] = []
        self.slowest: int | None = None
        self.crash_at: int | None = None
        self.refuses = False
        self.furthest_reach = 0
        self._operations = 0
        self._clocks = np.zeros(SLOTS, np.int64)
        self._checkpoints: dict[tuple[int, int], Checkpoint] = {}
        self._alive: dict[int, Shard] = {}
        self._sinks: dict[int, FakeSink] = {}
        self._wakes: list[tuple[float, int, int]] = []
        self._order = 0
        self._status_due = 0.0
        now = self.clock.wall()  # what clock.start Now means
        self.plan = first_plan(self.spec, run="run", now=now, shards=self.shards, engine="1", tzdata="test")
        self.workshop = self._build()
        self.start_all()

    # What happens to a run.

    def go(self, steps: int | None = None) -> bool:
        """Takes so many steps, or all there are; whether every shard has ended."""
        while self._wakes and (steps is None or steps > 0):
            self._take_one()
            steps = None if steps is None else steps - 1
        return not self._wakes

    def finish(self) -> Run:
        """To the end, undisturbed."""
        self.crash_at, self.store_fails = None, 0.0
        assert self.go(200_000), "the run does not end"
        return self

    def kill(self, shard: int, away: float = 0.5) -> None:
        """SIGKILL; the supervisor starts it again after `away` seconds."""
        if self._alive.pop(shard, None) is None:
            return
        self._bury(shard)
        self._wakes = [wake for wake in self._wakes if wake[2] != shard]
        heapq.heapify(self._wakes)
        self._wake(shard, self.clock.now + away)

    def kill_all(self) -> None:
        for shard in sorted(self._alive):
            self._bury(shard)
        self._alive.clear()
        self._wakes.clear()

    def stop_all(self) -> bool:
        """SIGTERM to everything; whether all drained."""
        self.crash_at = None
        drained = True
        for number, shard in sorted(self._alive.items()):
            while True:
                try:
                    stopped = shard.stop(STOP_SECONDS)
                    break
                except StoreUnavailableError:
                    continue
            self._sinks[number].close()
            if not stopped:
                self._bury(number)
            drained = drained and stopped
        self.clock.now += STOP_SECONDS
        self._alive.clear()
        self._wakes.clear()
        return drained

    def start_all(self) -> None:
        for shard in range(int(self.plan.shards)):
            self._wake(shard, self.clock.now + self.random.random() * 0.3)

    def restart(self) -> Run:
        """SIGTERM to everything, and the same pods again."""
        self.stop_all()
        self.start_all()
        return self

    def follow(self, wanted: Spec, shards: int) -> None:
        """What the operator does once nothing runs: the next plan, and its shards."""
        assert not self._alive
        stored = [self.checkpoint(shard) for shard in range(int(self.plan.shards))]
        plan = self.plan.model_copy(update={"reached": total_reached(self.plan, stored)})
        reach = max([self.furthest_reach, *(c.reach for c in self._checkpoints.values())])
        self.plan = next_plan(plan, wanted, shards, self.position(), reach)
        self.spec = wanted
        self.slowest, self._status_due = None, 0.0
        self.workshop = self._build()
        self.start_all()

    def repace(self, wanted: Spec) -> None:
        """Another pace at once, for running shards."""
        self.plan = next_plan(self.plan, wanted, int(self.plan.shards), self.position(), 0)
        self.spec = wanted
        self.workshop = self._build()
        self._wakes.clear()
        for number in range(int(self.plan.shards)):
            if number in self._alive:
                self._alive[number].repace(self.plan)
            self._wake(number, self.clock.now)

    # What shards see.

    def operation(self, _what: str) -> None:
        """Something leaves a shard; the process may die here."""
        self._operations += 1
        if self.crash_at is not None and self._operations >= self.crash_at:
            self.crash_at = None
            raise Crashed

    def crash_after(self, operations: int) -> None:
        """The process of whoever does the operation with that number from now on dies in it."""
        self.crash_at = self._operations + operations

    def once_the_broker_moves(self, when: float) -> float:
        """The time, or the end of the broker's stall that it falls in."""
        begin, end = self.broker_stands_still
        return end if begin <= when < end else when

    def latency(self) -> float:
        slow = 10.0 if self.random.random() < 0.05 else 1.0
        return self.latency_seconds * (0.5 + self.random.random()) * slow

    def keep(self, checkpoint: Checkpoint) -> None:
        """Stores a checkpoint; no slot's clock ever falls, and none is past what is promised."""
        assert checkpoint.reach >= furthest(checkpoint.position), "a slot stands past the promised reach"
        for segment in checkpoint.position:
            clocks = self._clocks[segment.first : segment.last + 1]
            assert (clocks <= segment.clock).all(), "a clock moved back"
            clocks[:] = segment.clock
        assert slots_of(checkpoint.shard, int(self.plan.shards)) == _slots(checkpoint.position)
        self._checkpoints[checkpoint.epoch, checkpoint.shard] = checkpoint

    def check_promise(self, shard: int, until: int) -> None:
        """Nothing is sent beyond the stored reach, nor further ahead of the slowest than the bound."""
        stored = self.checkpoint(shard)
        assert stored is not None, "sent before the first checkpoint"
        assert until <= stored.reach, "sent beyond the promised reach"
        if self.slowest is not None:
            tick = max(self.workshop.timeline.intensity(r).tick for r in range(len(self.plan.regimes)))
            bound = self.slowest + float(self.plan.pace.skew_seconds) * 1e6 + tick
            assert until <= bound, "further ahead than the skew bound"

    # What a run left behind.

    def checkpoint(self, shard: int) -> Checkpoint | None:
        return self._checkpoints.get((int(self.plan.epoch), shard))

    def position(self) -> tuple[Segment, ...]:
        whole = parse_position(self.plan.segments)
        found: list[Segment] = []
        for shard in range(int(self.plan.shards)):
            stored = self.checkpoint(shard)
            found += stored.position if stored else cut(whole, slots_of(shard, int(self.plan.shards)))
        return tuple(sorted(found))

    def received(self) -> Counter[bytes]:
        """Every event that arrived, without its generation_timestamp, and how often."""
        arrived = (d.payload for d in self.deliveries if not d.lost)
        return Counter(line[GENERATED:] for payload in arrived for line in payload.splitlines())

    def expected(self) -> set[bytes]:
        """What one uninterrupted pass makes of the recorded regimes: the oracle."""
        return set(lines(self.workshop))

    # How it works.

    def _build(self) -> Workshop:
        return build_workshop(self.plan, self.dataset, "lines")

    def _own_workshop(self) -> Workshop:
        """Every process counts for itself."""
        shared = self.workshop
        return Workshop(shared.timeline.ending_at(shared.timeline.end), shared.maker, shared.encoder)

    def _wake(self, shard: int, when: float) -> None:
        self._order += 1
        heapq.heappush(self._wakes, (when, self._order, shard))

    def _take_one(self) -> None:
        when, _, number = heapq.heappop(self._wakes)
        self.clock.now = max(self.clock.now, when)
        self._observe()
        try:
            shard = self._alive.get(number) or self._begin(number)
            wait = shard.step()
        except Crashed:
            if number in self._alive:
                del self._alive[number]
                self._bury(number)
            self._wake(number, self.clock.now + 0.5)
            return
        if wait is None:
            assert shard.ended is not None
            return
        sink = self._sinks[number]
        waited, sink.waited = sink.waited, 0.0
        busy = 0.0 if wait else self.step_seconds * self.random.random()
        self._wake(number, self.clock.now + max(wait, waited, busy, 1e-9))

    def _begin(self, number: int) -> Shard:
        sink, store = FakeSink(self, number), FakeStore(self, number)
        shard = Shard(
            number,
            self.plan,
            self._own_workshop(),
            sink,
            store,
            self.clock,
            self.settings,
            self.checkpoint(number),
        )
        self._alive[number], self._sinks[number] = shard, sink
        return shard

    def _bury(self, number: int) -> None:
        self._sinks[number].crash()
        stored = self.checkpoint(number)
        if stored is not None:
            self.crashes.append(CrashWindow(earliest(stored.position), stored.reach))

    def _observe(self) -> None:
        """The status, as the operator writes it down from time to time."""
        if self.clock.now >= self._status_due:
            self.slowest = earliest(self.position())
            self._status_due = self.clock.now + STATUS_EVERY


def lines(workshop: Workshop, start: int | None = None) -> Iterator[bytes]:
    """Every event of a timeline from `start` on, without its generation_timestamp."""
    timeline = workshop.timeline
    for stretch in timeline.stretches(timeline.start):
        arrived = timeline.arrivals(stretch, ALL_SLOTS)
        if start is not None:
            arrived = arrived.between(start, stretch.end)
        rows = workshop.encoder.encode(workshop.maker.make(arrived), START)
        yield from (line[GENERATED:] for line in bytes(rows.payload).splitlines())


def before(run: Run, position: Iterable[Segment]) -> set[bytes]:
    """The events that lie before a position: each slot's up to its own clock."""
    workshop = run.workshop
    clocks = np.zeros(SLOTS, np.int64)
    for segment in position:
        clocks[segment.first : segment.last + 1] = segment.clock
    passed: set[bytes] = set()
    for stretch in workshop.timeline.stretches(workshop.timeline.start, int(clocks.max())):
        arrived = workshop.timeline.arrivals(stretch, ALL_SLOTS)
        done = arrived.part(arrived.times < clocks[arrived.users % SLOTS])
        rows = workshop.encoder.encode(workshop.maker.make(done), START)
        passed.update(line[GENERATED:] for line in bytes(rows.payload).splitlines())
    return passed


def in_the_worlds_order(plan: Plan, dataset: Dataset = THREE_COUNTRIES) -> list[bytes]:
    """Every event of a plan, first to last."""
    return list(lines(build_workshop(plan, dataset, "lines")))


def time_of(line: bytes) -> int:
    """The event_timestamp of a received line."""
    return int(line.split(b'"event_timestamp":', 1)[1].split(b",", 1)[0])


def _slots(position: Iterable[Segment]) -> range:
    ordered = sorted(position)
    return range(ordered[0].first, ordered[-1].last + 1)


def assert_one_stream(run: Run) -> None:
    """Nothing is lost, nothing is invented, and repeats lie where a crash may have left them."""
    received, expected = run.received(), run.expected()
    lost, invented = expected - set(received), set(received) - expected
    assert not lost, f"{len(lost)} of {len(expected)} events are lost, such as {min(lost, key=time_of)!r}"
    assert not invented, f"{len(invented)} events that cannot be, such as {min(invented)!r}"
    repeated = [time_of(line) for line, times in received.items() if times > 1]
    if not run.crashes:
        assert not repeated, f"{len(repeated)} repeats without a crash"
    for time in repeated:
        assert any(c.begin <= time < c.reach for c in run.crashes), "a repeat beyond any promised reach"
