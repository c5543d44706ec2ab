"""The status of a simulation: what was observed, in the form that people and programs read. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from diurnal_api.instants import format_instant, parse_instant
from diurnal_api.layout import Segment, earliest, format_position
from diurnal_api.money import format_usd, usd_of
from diurnal_api.names import LABEL_SIMULATION, LABEL_UID
from diurnal_api.plan import Plan
from diurnal_api.status import Condition, ObservedClock, Rates, Spent, Status
from diurnal_operator.conditions import Progress
from diurnal_operator.situation import Situation
from diurnal_operator.throttling import Throttle, expected_rate

_DIGITS: Final = 4
_MICROSECONDS: Final = 1e6
_LEAST: Final = 1e-3
"""A mean of nothing more ends here, so that a standing clock is no news."""
_SHORTEST: Final = 1.0
"""Seconds that a measurement takes at least."""
_MEMORY: Final = 30.0
"""Seconds after which a measurement counts for a third."""


@dataclass(frozen=True)
class Measured:
    """Simulated seconds and messages a real second since the last status; None where nothing is known yet."""

    speed: float | None = None
    rate: float | None = None


def status_of(
    situation: Situation,
    plan: Plan | None,
    position: tuple[Segment, ...],
    conditions: tuple[Condition, ...],
    progress: Progress,
    throttle: Throttle | None,
) -> Status:
    """The whole status; ``position`` is empty where there is no run yet."""
    running = throttle is not None
    lately = measured(situation, position) if running and _is_same_run(situation, plan) else Measured()
    stopped = Measured(speed=0.0, rate=0.0)
    return Status(
        observed_generation=situation.generation,
        conditions=conditions,
        clock=_clock(situation, plan, position, lately if running else stopped) if plan else None,
        plan=plan,
        shards=progress.shards if running else 0,
        ready_shards=progress.ready,
        ready=f"{progress.ready}/{progress.shards}",
        selector=f"{LABEL_SIMULATION}={situation.name},{LABEL_UID}={situation.uid}",
        rate=_rates(situation, plan, lately if running else stopped),
        spent=_spent(situation) if plan else None,
        users=int(situation.spec.population.users),
        state=state_of(conditions, progress, throttle),
        message=message_of(conditions, throttle),
    )


def measured(situation: Situation, position: tuple[Segment, ...]) -> Measured:
    """Speed and rate lately: exponential means, for checkpoints come in lumps. None while workers start."""
    status = situation.status
    before, settling = status.clock, status.condition("Reconciling")
    if before is None or before.time is None or before.observed_at is None or not position:
        return Measured()
    if settling is not None and settling.status == "True":
        return Measured()
    known = Measured(before.speed, status.rate.achieved if status.rate else None)
    seconds = (situation.seen.now - parse_instant(before.observed_at)) / _MICROSECONDS
    if seconds < _SHORTEST:
        return known
    sent = max(situation.spent.messages - int(status.spent.messages if status.spent else 0), 0)
    moved = max(earliest(position) - before.time, 0) / _MICROSECONDS
    weight = 1 - math.exp(-seconds / _MEMORY)
    return Measured(_mean(known.speed, moved / seconds, weight), _mean(known.rate, sent / seconds, weight))


def state_of(conditions: tuple[Condition, ...], progress: Progress, throttle: Throttle | None) -> str:
    """One word for tables."""
    found = {condition.type: condition for condition in conditions}
    if found["Stalled"].status == "True":
        return "Stalled"
    if progress.doing:
        return progress.reason
    ready = found["Ready"].reason
    return "Throttled" if ready == "Running" and throttle is not None and throttle.slows_the_clock else ready


def message_of(conditions: tuple[Condition, ...], throttle: Throttle | None) -> str:
    """What a person should know, in one sentence."""
    ready = next(condition for condition in conditions if condition.type == "Ready")
    return f"{ready.message}; {throttle.message}" if ready.reason == "Running" and throttle else ready.message


def is_urgent(before: Status, after: Status) -> bool:
    """Whether a change should not wait for its turn: another plan, generation, state or condition.

    Throttled may wait: it follows measurements.
    """
    return _gist(before) != _gist(after)


def is_news(before: Status, after: Status) -> bool:
    """Whether anything changed but the time of the observation."""
    return _timeless(before) != _timeless(after)


def due_in(before: Status, now: int, seconds: float) -> float:
    """Seconds until the next status may be written; a clock that was set back does not hold it up."""
    if before.clock is None or before.clock.observed_at is None:
        return 0.0
    since = (now - parse_instant(before.clock.observed_at)) / 1e6
    return seconds - since if 0 <= since < seconds else 0.0


def _is_same_run(situation: Situation, plan: Plan | None) -> bool:
    return plan is not None and situation.plan is not None and situation.plan.run == plan.run


def _gist(status: Status) -> tuple[object, ...]:
    told = {
        condition.type: (condition.status, condition.reason)
        for condition in status.conditions
        if condition.type != "Throttled"
    }
    plan = status.plan.as_json() if status.plan else None
    state = "Running" if status.state == "Throttled" else status.state
    return plan, status.observed_generation, state, told


def _timeless(status: Status) -> dict[str, object]:
    told = status.as_json()
    if "clock" in told:
        told["clock"] = {key: value for key, value in told["clock"].items() if key != "observedAt"}
    return told


def _clock(
    situation: Situation, plan: Plan, position: tuple[Segment, ...], lately: Measured
) -> ObservedClock:
    time = earliest(position)
    return ObservedClock(
        time=time,
        short=f"{format_instant(time)[:19]}Z",
        reach=situation.reach(plan, position),
        observed_at=f"{format_instant(situation.seen.now)}",
        speed=lately.speed,
        segments=tuple(format_position(position)),
    )


def _rates(situation: Situation, plan: Plan | None, lately: Measured) -> Rates | None:
    if plan is None:
        return None
    expected = expected_rate(situation.spec, plan.pace)
    if expected is None and lately.rate is None:
        return None  # an object that loses its last field to server-side apply would become null
    return Rates(expected=None if expected is None else _rounded(expected), achieved=lately.rate)


def _spent(situation: Situation) -> Spent:
    spent = situation.spent
    costs = situation.spec.sink.pubsub is not None
    usd = usd_of(spent.billed_bytes if costs else 0, situation.spec.budget.usd_per_tib)
    return Spent(messages=spent.messages, bytes=spent.billed_bytes, usd=format_usd(usd))


def _mean(before: float | None, value: float, weight: float) -> float:
    mixed = value if before is None else before + weight * (value - before)
    return 0.0 if mixed < _LEAST else _rounded(mixed)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
