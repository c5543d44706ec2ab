"""From what is wanted to what workers obey: the first plan of a run, and the next one after a change. Pure.

A change of shards or traffic makes a new epoch of the same run; budget, speed and end change the pace of
the plan there is; what a run cannot change is refused (the API server does so by CEL).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from diurnal_api.events import DEVICE_TYPE_WEIGHTS, EVENT_TYPE_WEIGHTS
from diurnal_api.layout import Segment, format_position, furthest, start_position
from diurnal_api.money import (
    billed_message_bytes,
    billed_request_bytes,
    messages_per_second,
    total_messages,
)
from diurnal_api.plan import MAX_REGIMES, DatasetRef, Pace, Plan, PlannedPopulation, Regime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diurnal_api.checkpoint import Checkpoint
    from diurnal_api.events import Events
    from diurnal_api.sink import Sink
    from diurnal_api.spec import Spec

LARGEST_BODY: Final = {"JSON": 424, "Avro": 200}
"""Upper bounds of a message's bytes by encoding; the worker's tests hold its encoder to them."""

LONGEST_VALUE: Final = {
    "event_id": 36,
    "user_id": 36,
    "session_id": 36,
    "event_type": max(map(len, EVENT_TYPE_WEIGHTS)),
    "app_id": 8,
    "device_type": max(map(len, DEVICE_TYPE_WEIGHTS)),
    "os_version": 12,
    "country_code": 3,
}
"""Upper bounds of an attribute's bytes."""

FEWEST_IN_A_REQUEST: Final = 3
"""Messages in a request from which on its minimum of 1,000 bytes never decides a price."""

_LONGEST_TICK_SECONDS: Final = 900
_QUIETEST: Final = 4
"""The world's rate in its quietest hours is at least its mean over this, by the built-in activities."""

UNTHROTTLED_MESSAGES_PER_SECOND: Final = 200_000.0
SKEW_REAL_SECONDS: Final = 60.0
LEAST_SKEW_SECONDS: Final = 1800.0


class PlanError(ValueError):
    """There is no plan for what is wanted; the text names the field and the remedy."""


class UnchangeableError(PlanError):
    """A change that a run cannot make; the text names the field and the remedy."""


class TooManyRegimesError(UnchangeableError):
    """The run has had as many traffics as a plan holds; the text says how to go on."""


class BudgetTooSmallError(PlanError):
    """A budget that pays for no message at all; the text names the field and the remedy."""


def first_plan(
    spec: Spec,
    *,
    run: str,
    now: int,
    shards: int,
    engine: str,
    tzdata: str,
    dataset: DatasetRef | None = None,
) -> Plan:
    """The plan of a new run; ``now`` (microseconds since 1970) is what ``clock.start: Now`` means."""
    start = now if spec.clock.start == "Now" else spec.clock.start
    return Plan(
        run=run,
        epoch=1,
        shards=shards,
        engine=engine,
        tzdata=tzdata,
        start=start,
        dataset=dataset,
        population=PlannedPopulation(
            users=spec.population.users, seed=spec.population.seed, countries=spec.population.countries
        ),
        regimes=(Regime(start=start, traffic=spec.traffic),),
        pace=pace_of(spec, shards),
        segments=tuple(format_position(start_position(start))),
        events=spec.events,
        sink=spec.sink,
    )


def next_plan(plan: Plan, spec: Spec, shards: int, position: Sequence[Segment], reach: int) -> Plan:
    """The plan after a change of spec; ``position`` covers all slots, ``reach`` is the furthest promise.

    The same plan comes back where nothing changed. UnchangeableError where the run cannot follow.
    """
    _refuse_unchangeable(plan, spec)
    repaced = plan.model_copy(update={"pace": pace_of(spec, shards)})
    if shards == plan.shards and spec.traffic == plan.regimes[-1].traffic:
        return repaced
    regimes = plan.regimes
    if spec.traffic != regimes[-1].traffic:
        begin = max(reach, furthest(position))
        regimes = (*(r for r in regimes if r.start < begin), Regime(start=begin, traffic=spec.traffic))
        if len(regimes) > MAX_REGIMES:
            raise TooManyRegimesError(
                f"spec.traffic changed {MAX_REGIMES - 1} times in this run, which is as often as a plan can "
                "tell: put it back, or begin a new run with another spec.restartNonce"
            )
    return repaced.model_copy(
        update={
            "epoch": int(plan.epoch) + 1,
            "shards": shards,
            "regimes": regimes,
            "segments": tuple(format_position(position)),
        }
    )


def needs_new_epoch(plan: Plan, spec: Spec, shards: int) -> bool:
    """Whether workers must stop for what changed."""
    return shards != plan.shards or spec.traffic != plan.regimes[-1].traffic


def total_reached(plan: Plan, stored: Sequence[Checkpoint | None]) -> int | None:
    """The total of messages at which every shard ended, now or before; ``stored`` has one for each shard.

    The Nth event may share its microsecond with later ones, and then no clock lies between what went and what
    did not: who goes on needs the number.
    """
    totals = {checkpoint.total if checkpoint is not None else None for checkpoint in stored}
    return totals.pop() if len(totals) == 1 and None not in totals else plan.reached


def pace_of(spec: Spec, shards: int) -> Pace:
    """The limits of a spec as workers obey them."""
    largest = largest_billed_message(spec.events, spec.sink)
    counted_on = messages_in_a_request(spec, shards)
    throttle = messages_per_second(spec.budget, largest, counted_on)
    total = total_messages(spec.budget, largest, counted_on)
    if total == 0:
        raise BudgetTooSmallError(
            "spec.budget.maxUSD pays for no message at all: raise it, or check budget.usdPerTiB"
        )
    return Pace(
        messages_per_second=throttle,
        max_speed=spec.clock.max_speed,
        end=spec.clock.end,
        max_messages=total,
        skew_seconds=_skew(spec, throttle, shards),
    )


def messages_in_a_request(spec: Spec, shards: int, rate: float | None = None) -> int:
    """How many messages a request surely holds, 1 to 3: what prices count on (docs/decisions/0004).

    A request is cut by the batch's limits and by the end of a tick: slow runs of many shards send small ones.
    ``rate`` is a limit in messages a second that the spec does not know of.
    """
    pubsub = spec.sink.pubsub
    most = int(pubsub.max_batch_messages) if pubsub else FEWEST_IN_A_REQUEST
    seconds = min(float(pubsub.max_batch_seconds), 1.0) if pubsub else 1.0
    mean = mean_events_per_second(spec)
    in_a_batch = [mean * _LONGEST_TICK_SECONDS / _QUIETEST]
    throttle = messages_per_second(spec.budget, largest_billed_message(spec.events, spec.sink), 1)
    in_a_batch += [limit * seconds for limit in (throttle, rate) if limit is not None]
    if spec.clock.max_speed is not None:
        in_a_batch.append(mean * float(spec.clock.max_speed) * seconds / _QUIETEST)
    return max(1, min(FEWEST_IN_A_REQUEST, most, int(min(in_a_batch) / shards)))


def most_billed_a_message(spec: Spec, shards: int, rate: float | None = None) -> float:
    """The most bytes that a message is billed, its part of a request's minimum included."""
    whole = billed_request_bytes(0) / messages_in_a_request(spec, shards, rate)
    return max(largest_billed_message(spec.events, spec.sink), whole)


def largest_billed_message(events: Events, sink: Sink) -> int:
    """The most bytes that one message is billed: body, attributes, overhead."""
    names = sink.pubsub.attributes if sink.pubsub else ()
    return billed_message_bytes(LARGEST_BODY[events.encoding], {n: "x" * LONGEST_VALUE[n] for n in names})


def mean_events_per_second(spec: Spec) -> float:
    """The world's mean rate in simulated time."""
    rate = spec.traffic.rate
    if rate.events_per_second is not None:
        return float(rate.events_per_second)
    return float(rate.events_per_user_per_day or 0) * int(spec.population.users) / 86_400


def _skew(spec: Spec, throttle: float | None, shards: int) -> float:
    """Simulated seconds that a shard may be ahead: a minute of real time at the mean speed."""
    speed = (throttle or UNTHROTTLED_MESSAGES_PER_SECOND * shards) / mean_events_per_second(spec)
    if spec.clock.max_speed is not None:
        speed = min(speed, float(spec.clock.max_speed))
    return max(LEAST_SKEW_SECONDS, SKEW_REAL_SECONDS * speed)


def _refuse_unchangeable(plan: Plan, spec: Spec) -> None:
    planned, wanted = plan.population, spec.population
    for field, old, new in (
        ("population.users", planned.users, wanted.users),
        ("population.seed", planned.seed, wanted.seed),
        ("population.countries", planned.countries, wanted.countries),
        ("events", plan.events, spec.events),
        ("sink", plan.sink, spec.sink),
        ("clock.start", plan.start, plan.start if spec.clock.start == "Now" else spec.clock.start),
    ):
        if old != new:
            raise UnchangeableError(
                f"spec.{field} does not change within a run: put it back, or begin a new run"
            )
