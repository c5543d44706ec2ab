"""One shard of one epoch: generate, encode, send, await acknowledgements, checkpoint.

A state machine without a thread or a sleep: ``step`` does what is due and says how long nothing is, so the
same code runs in a process, in a pod, and with many shards under a fake clock in the tests. It obeys the
plan alone. When a shard owns slots with different clocks (after a rescale) the earliest ones move first.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from diurnal_api.layout import Segment, cut, earliest, furthest, merge, parse_position, slots_of
from diurnal_worker.account import Account
from diurnal_worker.arrivals import Arrivals
from diurnal_worker.batching import spans
from diurnal_worker.checkpoints import (
    Checkpoint,
    CheckpointStore,
    Spent,
    StoreUnavailableError,
    position_texts,
)
from diurnal_worker.pace import Pace, Schedule
from diurnal_worker.prepared import Prepared
from diurnal_worker.sinks import Batch, KeepingSink, PermanentSinkError
from diurnal_worker.sinks.wire import billed_bytes
from diurnal_worker.totals import Count

if TYPE_CHECKING:
    from diurnal_api.plan import DatasetRef, Plan
    from diurnal_worker.account import CountryCounts
    from diurnal_worker.encoding import Encoder
    from diurnal_worker.events import EventMaker, Events
    from diurnal_worker.rows import Rows
    from diurnal_worker.sinks import Sink
    from diurnal_worker.tally import Tally
    from diurnal_worker.timeline import Stretch, Timeline

_SECOND: Final = 1_000_000
_ASK_AGAIN: Final = 0.02


class Clock(Protocol):
    """The real clocks, or fake ones."""

    def monotonic(self) -> float:
        """Seconds that never jump; paces and leases read it."""

    def wall(self) -> int:
        """Microseconds since 1970; only generation_timestamp reads it."""


@dataclass(frozen=True)
class Settings:
    """Times of a worker, in seconds; tests scale them down."""

    checkpoint: float = 5.0
    tolerance: float = 0.5
    poll: float = 0.2
    most_messages: int = 1000
    batch_seconds: float = 1.0


@dataclass(frozen=True)
class Workshop:
    """What makes events out of a plan; the same for every shard."""

    timeline: Timeline
    maker: EventMaker
    encoder: Encoder


@dataclass
class _Sent:
    until: int
    spent: Spent


@dataclass
class _End:
    """Why nothing more is prepared, and the clock at which the shard then stands."""

    state: str
    message: str
    clock: int


@dataclass(frozen=True)
class _Reached:
    """The total at which a run ended before it went on, and the clock at which the shard stood then."""

    total: int
    clock: int


@dataclass
class Shard:
    """See the module's text. ``found`` is the checkpoint to go on from, None at the epoch's beginning.

    ``failed`` is a checkpoint that says what ended an earlier attempt: it is told until something is
    acknowledged again, so that a worker that tries again and again does not look well in between.
    """

    number: int
    plan: Plan
    workshop: Workshop
    sink: Sink
    store: CheckpointStore
    clock: Clock
    settings: Settings
    found: Checkpoint | None = None
    tally: Tally | None = None
    dataset: DatasetRef | None = None
    drift: str | None = None
    ended: Checkpoint | None = None
    failed: Checkpoint | None = None
    countries: CountryCounts | None = None
    account: Account = field(default_factory=Account)
    _prepared: Prepared | None = None
    _end: _End | None = None
    _next_plan: Plan | None = None
    _in_flight: deque[_Sent] = field(default_factory=deque)
    _unanswered: deque[tuple[int, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        whole = parse_position(self.plan.segments)
        own = slots_of(self.number, self.plan.shards)
        self._segments = self.found.position if self.found else cut(whole, own)
        self._frontier = self._segments
        # A predecessor may have sent what it promised, and did send what its slots stand at.
        self._promised_before = max(self.found.reach if self.found else 0, furthest(self._segments))
        self._reach = earliest(self._segments)  # so that a checkpoint comes before whatever is sent
        self._spent = self.found.spent if self.found else Spent()
        self._reached = self._reached_before(cut(whole, own))
        self._schedule = Schedule(self.settings.tolerance)
        self._count = Count(self.workshop.timeline, self.found.counted if self.found else None)
        self._keeping = self.sink if isinstance(self.sink, KeepingSink) else None
        self._obey_pace()
        self._saved_at = self.clock.monotonic()
        self._due_at = self._saved_at + self.settings.checkpoint
        self._saved_clock = earliest(self._segments)
        self._ticks_ahead = 2

    def _reached_before(self, begin: tuple[Segment, ...]) -> _Reached | None:
        """What the checkpoint says, or the plan while the shard stands where its epoch began."""
        total = self.found.total if self.found else None
        if total is None and self._segments == begin:
            total = self.plan.reached
        return _Reached(int(total), earliest(self._segments)) if total is not None else None

    @property
    def position(self) -> tuple[Segment, ...]:
        """Where the shard stands: everything before is acknowledged."""
        return self._segments

    @property
    def promised(self) -> int:
        """The simulated time before which all lies that it, or a predecessor, may have sent."""
        return max(self._reach, self._promised_before)

    @property
    def spent(self) -> Spent:
        """What was sent and acknowledged in this epoch."""
        return self._spent

    @property
    def frontier(self) -> int:
        """The clock before which everything is sent."""
        return earliest(self._frontier)

    @property
    def slipped(self) -> float:
        """Seconds by which this shard fell behind its pace, which it does not make up for."""
        return self._schedule.slipped

    def step(self) -> float | None:
        """Does what is due; returns the seconds for which nothing is, or None when the shard has ended."""
        if self.ended is not None:
            return None
        try:
            return self._step()
        except StoreUnavailableError:
            return self.settings.poll
        except PermanentSinkError as error:
            try:
                self._fail(error)
            except StoreUnavailableError:  # the sink raises it again, until it can be written down
                return self.settings.poll
            return None

    def renew(self) -> None:
        """Stores the last checkpoint again when one is due: how a shard that rests keeps its Lease."""
        now = self.clock.monotonic()
        if now >= self._due_at:
            self._due_at = now + self.settings.checkpoint
            with suppress(StoreUnavailableError):
                if self.ended is not None:
                    self.store.save(self.ended)
                    return
                try:
                    self._checkpoint(self._reach)
                except PermanentSinkError as error:
                    self._fail(error)

    def repace(self, plan: Plan) -> None:
        """Obeys another pace of the same epoch at once: budget, speed, end, totals."""
        self._next_plan = None
        if plan.pace == self.plan.pace:
            return
        with suppress(PermanentSinkError):  # the sink raises it again
            self._finish_the_microsecond()
        if self._is_concluding:
            self._next_plan = plan
            return
        if self.ended is not None and self.ended.total is not None:
            self._reached = _Reached(int(self.ended.total), earliest(self._segments))
        self.plan = plan
        self.workshop = replace(self.workshop, timeline=self.workshop.timeline.ending_at(plan.pace.end))
        self._count = self._count.along(self.workshop.timeline)
        self._prepared = self._end = self.ended = None
        self._schedule.forget()
        self._obey_pace()

    @property
    def _is_concluding(self) -> bool:
        """Whether a total is sent and not yet acknowledged: no other one before it is known to be reached."""
        at_a_total = self._end is not None and self._end.state == "BudgetExhausted"
        return at_a_total and self._prepared is None and self.ended is None

    def _obey_pace(self) -> None:
        pace = self.plan.pace
        self._pace = Pace(_float(pace.messages_per_second), _float(pace.max_speed))
        limit = pace.max_messages
        self._limit = int(limit) if limit is not None else None

    def stop(self, timeout: float) -> bool:
        """Awaits what is on its way, and checkpoints; whether all is acknowledged.

        Nothing more is sent, but for the rest of a microsecond. Where all is sent that there is, the end is
        recorded.
        """
        if self.ended is not None:
            return True
        try:
            self._finish_the_microsecond()
            drained = self.sink.drain(timeout)
            if drained:
                self._reach = max(earliest(self._frontier), self._promised_before)
            if drained and self._prepared is None and self._end is not None:
                self._conclude()
            else:
                self._checkpoint(self._reach)
        except PermanentSinkError as error:
            self._fail(error)
            return False
        return drained

    def _finish_the_microsecond(self) -> None:
        """Sends what shares its time with the last event that was sent, for no clock lies between them."""
        prepared = self._prepared
        while prepared is not None and prepared.inside_a_microsecond:
            self._send(prepared)
            prepared = self._prepared

    def _step(self) -> float:
        self.account.works(self.clock.monotonic())
        self._checkpoint_when_due()
        if self._prepared is None:
            if self._end is not None:
                return self._conclude()
            wait = self._prepare()
            if wait is not None:
                return wait
            if self._prepared is None:
                return 0.0
        return self._send_due(self._prepared)

    def _checkpoint_when_due(self) -> None:
        """A store that is out of reach is tried again; what was promised so far may still be sent.

        One that does not answer is waited for half of the time at most.
        """
        now = self.clock.monotonic()
        if now >= self._due_at:
            try:
                self._checkpoint(self._reach_from(earliest(self._frontier)))
            except StoreUnavailableError:
                after = self.clock.monotonic()
                self._due_at = after + max(self.settings.poll, after - now)

    def _send_due(self, prepared: Prepared) -> float:
        wait = self._schedule.wait(self.clock.monotonic(), prepared.next.due)
        if wait > 0.0:
            return self._rest(min(wait, max(self._due_at - self.clock.monotonic(), 0.0)), self.account.brake)
        if self._too_much_is_on_its_way(prepared.next.last - prepared.next.first):
            return self._rest(_ASK_AGAIN, "sink")
        if self._has_room(len(prepared.parcel().payload)):
            self._send(prepared)
        return 0.0

    def _rest(self, seconds: float, brake: str) -> float:
        """Nothing is due for so long, and why; returns the seconds."""
        self.account.rests(self.clock.monotonic(), seconds, brake)
        return seconds

    def _has_room(self, size: int) -> bool:
        """Whether the sink takes so many bytes; waits a little for it."""
        before = self.clock.monotonic()
        found = self.sink.room(size, self.settings.poll)
        self.account.waited(self.clock.monotonic() - before, "sink")
        return found

    def _too_much_is_on_its_way(self, events: int) -> bool:
        """Whether a throttled shard waits for answers; a sink that keeps what it takes gives none."""
        if self._keeping is not None:
            return False
        answered = self.sink.acknowledged()
        while self._unanswered and self._unanswered[0][0] <= answered:
            self._unanswered.popleft()
        waiting = sum(messages for _, messages in self._unanswered)
        return waiting > self._schedule.most_on_its_way(events, self.settings.most_messages)

    def _send(self, prepared: Prepared) -> None:
        """Hands the next span to the sink."""
        parcel = prepared.parcel()
        until = parcel.span.until
        self.sink.send(Batch(parcel.payload, len(parcel.events), until))
        if self.tally is not None:
            self.tally.add(parcel.events)
        if self.countries is not None:
            self.countries.add(parcel.events)
        if parcel.span.last > parcel.span.first:
            self._unanswered.append((until, len(parcel.events)))
        self._in_flight.append(_Sent(until, _cost(len(parcel.payload), len(parcel.events))))
        self._frontier = _moved(self._frontier, until)
        self._schedule.sent(self.clock.monotonic(), len(parcel.events))
        prepared.sent()
        if prepared.done:
            self._prepared = None

    def _prepare(self) -> float | None:
        """Makes the next stretch; returns seconds to wait where it may not begin yet."""
        clock = earliest(self._frontier)
        stretch = self.workshop.timeline.stretch_at(clock)
        if stretch is None:
            self._end = _End("Completed", "the simulated time reached its end", clock)
            return 0.0
        slowest = self.store.slowest() if self.plan.shards > 1 else None
        if slowest is not None and clock > slowest + self.plan.pace.skew_seconds * _SECOND:
            return self._wait_for_the_slowest()
        if not self._is_counted(stretch):
            return 0.0
        end = min([stretch.end, *(s.clock for s in self._frontier if s.clock > clock)])
        if end > self._reach:
            self._checkpoint(self._reach_from(clock))
        self._generate(stretch, clock, end)
        return None

    def _is_counted(self, stretch: Stretch) -> bool:
        """Whether all that went before is counted, where a total asks for it."""
        return (self._limit is None and self._reached is None) or self._count.reaches(stretch)

    def _wait_for_the_slowest(self) -> float:
        """A leader says where it stands and pauses: what it is ahead is not sprinted after by the others."""
        if self._keeping is not None or self.sink.acknowledged() > earliest(self._segments):
            self._checkpoint(self._reach_from(earliest(self._frontier)))
        return self._rest(self.settings.poll, "skew")

    def _generate(self, stretch: Stretch, clock: int, end: int) -> None:
        timeline = self.workshop.timeline
        ranges = [s.slots for s in merge(s for s in self._frontier if s.clock == clock)]
        arrived = _together([timeline.arrivals(stretch, slots) for slots in ranges]).between(clock, end)
        arrived = self._without_what_went_before(arrived, stretch, clock)
        if self._limit is not None and (limit := self._count.cut(stretch, self._limit)) is not None:
            arrived = limit.allowed(arrived)
            if limit.clock < end or end == stretch.end:
                end = max(limit.clock, clock)
                text = f"the total of {self.plan.pace.max_messages} messages is reached"
                self._end = _End("BudgetExhausted", text, end)
        world = timeline.world_count(stretch) if self._pace.counts else 0
        expected = round(world * (end - clock) / (stretch.end - stretch.begin))
        own, pace = len(arrived), self._pace
        length = pace.seconds(expected, end - clock)
        due = pace.due(arrived.times, _part(stretch, clock, end), expected)
        seconds = pace.batch_seconds(self.settings.batch_seconds, own, expected, end - clock)
        batches = spans(arrived.times, due, end, self.settings.most_messages, seconds, length)
        share = timeline.share(stretch, ranges) if pace.counts else 1.0
        self._schedule.begin(self.clock.monotonic(), length, pace.density(share))
        self.account.stretch(own, length, pace.brake(expected, end - clock))
        self._prepared = Prepared(arrived, batches, self._written)

    def _without_what_went_before(self, arrived: Arrivals, stretch: Stretch, clock: int) -> Arrivals:
        """The events after the total at which the run ended before, where the shard still stands there."""
        if self._reached is None or self._reached.clock != clock:
            return arrived
        before = self._count.cut(stretch, self._reached.total)
        return arrived if before is None or before.clock != clock else before.refused(arrived)

    def _written(self, arrived: Arrivals) -> tuple[Events, Rows]:
        """Events and their bytes, generated now."""
        events = self.workshop.maker.make(arrived)
        return events, self.workshop.encoder.encode(events, self.clock.wall())

    def _conclude(self) -> float:
        """Awaits the last acknowledgements, then records the end."""
        assert self._end is not None  # only called then
        drained = self.sink.drain(self.settings.poll)
        if self._keeping is not None:
            self._keeping.finish()
        self._checkpoint(self._end.clock, whole=drained)
        if not drained or earliest(self._segments) < self._end.clock:
            return self.settings.poll
        self._record_end(self._end.state, self._end.state, self._end.message)
        if self._next_plan is not None:
            self.repace(self._next_plan)
        return 0.0

    def _checkpoint(self, reach: int, *, whole: bool = False) -> None:
        """Stores where the shard stands and how far it may now go.

        ``whole``: all that was sent is acknowledged, also what shares its microsecond with what is not sent.
        """
        marks = self._keeping.commit() if self._keeping is not None else {}
        self._settle(self.sink.acknowledged())
        tallied = self._tallied(earliest(self._segments) + (1 if whole else 0))
        self._save(marks, tallied, max(reach, self._reach))
        if self._keeping is not None:
            self._keeping.committed()
        self._learn_speed()

    def _tallied(self, clock: int) -> dict[str, Any]:
        if self.tally is None:
            return {}
        records, open_hours = self.tally.settle(clock)
        return {"open": open_hours, "offset": self.store.keep(records)}

    def _save(self, marks: dict[str, Any], tally: dict[str, Any], reach: int) -> None:
        checkpoint = Checkpoint(
            epoch=int(self.plan.epoch),
            shard=self.number,
            segments=position_texts(self._segments),
            reach=max(reach, self._promised_before),
            spent=self._spent,
            total=self._reached.total if self._reached else None,
            counted=self._count.known_at(earliest(self._segments)),
            dataset=self.dataset,
            drift=self.drift,
            sink=marks,
            tally=tally,
        )
        if self.failed is not None:
            why, words = self.failed.reason, self.failed.message
            checkpoint = checkpoint.model_copy(update={"state": "Failed", "reason": why, "message": words})
        self.store.save(checkpoint)
        self.account.checkpoints += 1
        self.found, self._reach = checkpoint, int(checkpoint.reach)

    def _record_end(self, state: str, reason: str, message: str) -> None:
        """The last checkpoint once more, with why nothing follows it."""
        assert self.found is not None  # every end is preceded by a checkpoint
        total = self.found.total
        if state == "BudgetExhausted":
            total = max(self._limit or 0, total or 0)
        ended = self.found.model_copy(
            update={"state": state, "reason": reason, "message": message, "total": total}
        )
        self.store.save(ended)
        self.ended = ended

    def _settle(self, clock: int) -> None:
        """Moves the position to what the sink acknowledged."""
        before, self._segments = self._segments, _moved(self._segments, clock)
        if self._segments != before:
            self.failed = None
        if self._reached is not None and earliest(self._segments) > self._reached.clock:
            self._reached = None
        while self._in_flight and self._in_flight[0].until <= clock:
            self._spent = self._spent.plus(self._in_flight.popleft().spent)

    def _reach_from(self, clock: int) -> int:
        """The end of the stretch some ticks ahead: what is covered until the checkpoint after the next."""
        timeline = self.workshop.timeline
        here = timeline.stretch_at(clock)
        if here is None:
            return clock
        tick = timeline.intensity(here.regime).tick
        there = timeline.stretch_at(here.begin + (self._ticks_ahead - 1) * tick)
        return there.end if there is not None else timeline.end or here.end

    def _learn_speed(self) -> None:
        """Twice the ticks of the last interval are promised next, so that checkpoints keep their pace."""
        now, clock = self.clock.monotonic(), earliest(self._frontier)
        here = self.workshop.timeline.stretch_at(clock)
        if here is not None:
            ticks = (clock - self._saved_clock) / self.workshop.timeline.intensity(here.regime).tick
            rate = ticks / max(now - self._saved_at, 1e-3)
            self._ticks_ahead = min(max(2, int(2 * rate * self.settings.checkpoint)), 2 * self._ticks_ahead)
        self._saved_at, self._saved_clock = now, clock
        self._due_at = now + self.settings.checkpoint

    def _fail(self, error: PermanentSinkError) -> None:
        """Keeps what was acknowledged before a permanent error, and says what it was."""
        if self._keeping is not None:  # nothing since the last checkpoint counts
            if self.found is None:
                self._save({}, {}, self._reach)
        else:
            self._settle(error.until)
            self._save({}, self._tallied(earliest(self._segments)), self._reach)
        self._record_end("Failed", error.reason, error.message)


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _moved(segments: tuple[Segment, ...], clock: int) -> tuple[Segment, ...]:
    """Every segment at ``clock`` or later."""
    return merge(Segment(s.first, s.last, max(s.clock, clock)) for s in segments)


def _together(parts: list[Arrivals]) -> Arrivals:
    """Events of several slot ranges in the world's order."""
    if len(parts) == 1:
        return parts[0]
    order = np.concatenate([p.order for p in parts])
    sort = np.argsort(order, kind="stable")
    return Arrivals(
        np.concatenate([p.times for p in parts])[sort],
        np.concatenate([p.users for p in parts])[sort],
        np.concatenate([p.ordinals for p in parts])[sort],
        order[sort],
    )


def _part(stretch: Stretch, begin: int, end: int) -> Stretch:
    return type(stretch)(stretch.regime, stretch.tick, begin, end)


def _cost(payload: int, messages: int) -> Spent:
    """What a batch is billed; one without messages is never sent."""
    if not messages:
        return Spent()
    return Spent(messages=messages, bytes=payload, billed_bytes=billed_bytes(payload, messages))
