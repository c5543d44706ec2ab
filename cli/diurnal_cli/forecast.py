"""What a simulation will do before it does it: rates, speed, duration, cost, shards. Pure.

All numbers are expectations: the drawn counts scatter around them as a Poisson process does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from diurnal_api.layout import slots_of
from diurnal_cli.expectation import Expectation, Leg
from diurnal_cli.extremes import Extreme, extremes
from diurnal_cli.message_cost import MessageCost, mean_content_bytes, messages_per_request
from diurnal_worker.activity import HOUR, SECOND
from diurnal_worker.traffic import intensity_of

if TYPE_CHECKING:
    from diurnal_api.plan import Plan
    from diurnal_api.spec import Budget, Spec
    from diurnal_worker.intensity import Intensity
    from diurnal_worker.strata import World

MAX_MESSAGES_PER_SECOND: Final = "maxMessagesPerSecond"
MAX_USD_PER_DAY: Final = "maxUSDPerDay"
MAX_SPEED: Final = "maxSpeed"


@dataclass(frozen=True)
class Hour:
    """An hour of simulated time from ``start`` on, or what the end leaves of it."""

    start: int
    end: int
    leg: Leg
    binds: str | None

    @property
    def rate(self) -> float:
        """Mean events a simulated second."""
        return self.leg.events * SECOND / (self.end - self.start)

    @property
    def speed(self) -> float | None:
        """Simulated seconds a real second; None where nothing holds the clock back."""
        return speed_of(self.end - self.start, self.leg.real_seconds)


@dataclass(frozen=True)
class Ending:
    """When a run ends, and by what: "end", "maxMessages" or "maxUSD"."""

    at: int
    by: str
    leg: Leg


@dataclass(frozen=True)
class ShardShare:
    """What one shard does; rates are means, in events a simulated and a real second."""

    number: int
    slots: range
    users: int
    events_per_second: float
    messages_per_second: float | None


@dataclass(frozen=True)
class Forecast:
    """See the module's text. ``typical`` is the first nominal period, or the run where that is shorter."""

    plan: Plan
    name: str
    period: int
    countries: int
    countries_in_dataset: int
    mean_rate: float
    highest: Extreme
    lowest: Extreme
    hours: tuple[Hour, ...]
    typical: Leg
    typical_length: int
    budget_by: str | None
    ending: Ending | None
    cost: MessageCost
    charged: bool
    shards: tuple[ShardShare, ...]
    suspended: bool
    live: bool

    @property
    def speed(self) -> float | None:
        """Mean simulated seconds a real second; None where nothing holds the clock back."""
        if self.ending is not None:
            return speed_of(self.ending.at - self.plan.start, self.ending.leg.real_seconds)
        return speed_of(self.typical_length, self.typical.real_seconds)

    @property
    def messages_per_second(self) -> float | None:
        """Mean messages a real second over all shards; None where nothing holds the clock back."""
        leg = self.ending.leg if self.ending is not None else self.typical
        return leg.events / leg.real_seconds if leg.real_seconds > 0 else None


def speed_of(length: int, real_seconds: float) -> float | None:
    """Simulated seconds a real second of ``length`` microseconds; None where they take no time."""
    return length / SECOND / real_seconds if real_seconds > 0 else None


def forecast(plan: Plan, spec: Spec, name: str, world: World, countries_in_dataset: int) -> Forecast:
    """The forecast of a new run by ``plan``, the first of ``spec``, in ``world``."""
    intensity = intensity_of(world, plan.regimes[0].traffic)
    course = Expectation(intensity, plan.pace)
    ending = _ending(course, plan, spec.budget)
    begin, until = plan.start, plan.start + course.period
    until = until if ending is None else min(until, max(ending.at, begin + 1))
    highest, lowest = extremes(intensity, begin, until)
    typical = course.over(begin, until)
    found = Forecast(
        plan=plan,
        name=name,
        period=course.period,
        countries=len({stratum.country for stratum in world.populated}),
        countries_in_dataset=countries_in_dataset,
        mean_rate=intensity.mean_rate,
        highest=highest,
        lowest=lowest,
        hours=_hours(course, plan, spec.budget, until),
        typical=typical,
        typical_length=until - begin,
        budget_by=_budget_by(plan, spec.budget),
        ending=ending,
        cost=MessageCost(0.0, 1.0, spec.budget.usd_per_tib),
        charged=spec.sink.pubsub is not None,
        shards=(),
        suspended=spec.suspend or spec.shards == 0,
        live=spec.clock.starts_now and spec.clock.max_speed is not None,
    )
    return replace(
        found,
        cost=_cost(found, world, intensity),
        shards=_shards(found, world),
    )


def _ending(course: Expectation, plan: Plan, budget: Budget) -> Ending | None:
    """What ends the run first."""
    pace, start = plan.pace, plan.start
    whole = None if pace.end is None else course.over(start, pace.end)
    limit = pace.max_messages
    if limit is not None and (whole is None or whole.events > limit):
        at = course.when(start, int(limit))
        by = "maxMessages" if limit == budget.max_messages else "maxUSD"
        return Ending(at, by, Leg(float(limit), course.over(start, at).real_seconds))
    if pace.end is not None and whole is not None:
        return Ending(pace.end, "end", whole)
    return None


def _budget_by(plan: Plan, budget: Budget) -> str | None:
    """Which field the budget's messages a second come from: the tighter one."""
    throttle = plan.pace.messages_per_second
    if throttle is None:
        return None
    return MAX_MESSAGES_PER_SECOND if throttle == budget.max_messages_per_second else MAX_USD_PER_DAY


def _hours(course: Expectation, plan: Plan, budget: Budget, until: int) -> tuple[Hour, ...]:
    starts = range(plan.start, until, HOUR)
    return tuple(_hour(course, plan, budget, start, min(start + HOUR, until)) for start in starts)


def _hour(course: Expectation, plan: Plan, budget: Budget, start: int, end: int) -> Hour:
    leg, pace = course.over(start, end), plan.pace
    by_budget = leg.events / float(pace.messages_per_second) if pace.messages_per_second else 0.0
    by_speed = (end - start) / SECOND / float(pace.max_speed) if pace.max_speed else 0.0
    binds = MAX_SPEED if by_speed > by_budget else _budget_by(plan, budget) if by_budget else None
    return Hour(start, end, leg, binds)


def _cost(found: Forecast, world: World, intensity: Intensity) -> MessageCost:
    plan, shards, rate = found.plan, int(found.plan.shards), found.messages_per_second
    per_tick = intensity.mean_rate * intensity.tick / SECOND / shards
    return replace(
        found.cost,
        content_bytes=mean_content_bytes(world, plan.events, plan.sink, plan.start),
        messages_per_request=messages_per_request(
            plan.sink, None if rate is None else rate / shards, per_tick
        ),
    )


def _shards(found: Forecast, world: World) -> tuple[ShardShare, ...]:
    shards, rate = int(found.plan.shards), found.messages_per_second
    shares = []
    for number in range(shards):
        slots = slots_of(number, shards)
        users = int(world.slot_users[slots.start : slots.stop].sum())
        share = users / world.users
        shares.append(
            ShardShare(number, slots, users, found.mean_rate * share, None if rate is None else rate * share)
        )
    return tuple(shares)
