"""What limits the speed of a run, told to people: its budget, its clock, a ceiling, its workers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from diurnal_api.money import messages_per_second
from diurnal_api.plan import Pace
from diurnal_api.planning import FEWEST_IN_A_REQUEST, largest_billed_message, mean_events_per_second
from diurnal_api.spec import Spec
from diurnal_operator.ceilings import Grant
from diurnal_operator.settings import Ceilings

NO_USE: Final = "more shards will not help"
BEHIND: Final = 0.7
"""A run that achieves less than this share of what it may send is limited by its workers."""


@dataclass(frozen=True)
class Throttle:
    """Whether a run is slower than it would be without limits, why, and what would change that."""

    is_on: bool
    reason: str
    message: str
    slows_the_clock: bool = False


def throttle_of(
    spec: Spec, pace: Pace, granted: Grant, ceilings: Ceilings, achieved: float | None, shards: int
) -> Throttle:
    """What binds a running simulation; ``achieved`` is its rate where it has been measured."""
    expected = expected_rate(spec, pace)
    if expected is not None and achieved is not None and achieved < BEHIND * expected:
        return _workers(shards, ceilings)
    if granted.binding:
        return _ceiling(granted, pace)
    rate, speed = pace.messages_per_second, pace.max_speed
    live = mean_events_per_second(spec) * float(speed) if speed is not None else None
    if rate is not None and (live is None or float(rate) < live):
        return _budget(spec, pace, live)
    if live is not None:
        return Throttle(False, "MaxSpeed", f"spec.clock.maxSpeed {speed:g} sets the speed; {NO_USE}")
    return _unlimited(shards, spec)


def expected_rate(spec: Spec, pace: Pace) -> float | None:
    """Messages a real second on the average that the plan leads to; None where nothing limits it."""
    limits = [] if pace.messages_per_second is None else [float(pace.messages_per_second)]
    if pace.max_speed is not None:
        limits.append(mean_events_per_second(spec) * float(pace.max_speed))
    return min(limits, default=None)


def _workers(shards: int, ceilings: Ceilings) -> Throttle:
    if shards >= ceilings.shards:
        more = f"the administrator of the operator allows no more than {ceilings.shards} shards"
    else:
        more = "more shards, or more CPU for each, will help"
    return Throttle(True, "Workers", f"the workers send less than their budget allows: {more}")


def _ceiling(granted: Grant, pace: Pace) -> Throttle:
    what = "messages a second" if granted.binding == "MessagesCeiling" else "US dollars a day"
    text = (
        f"the ceiling of the operator in {what}, over all simulations, leaves {_rate(pace)}; {NO_USE}: "
        "only its administrator can raise it"
    )
    return Throttle(True, granted.binding, text, slows_the_clock=True)


def _budget(spec: Spec, pace: Pace, live: float | None) -> Throttle:
    largest = largest_billed_message(spec.events, spec.sink)
    priced = spec.budget.model_copy(update={"max_messages_per_second": "Unlimited"})
    by_price = messages_per_second(priced, largest, FEWEST_IN_A_REQUEST)
    dollars = by_price is not None and by_price <= (pace.messages_per_second or 0)
    reason, field = (
        ("MaxUSDPerDay", "maxUSDPerDay") if dollars else ("MaxMessagesPerSecond", "maxMessagesPerSecond")
    )
    speed = float(pace.messages_per_second or 0) / mean_events_per_second(spec)
    text = (
        f"spec.budget.{field} binds at {_rate(pace)}: about {speed:.3g} simulated seconds a second; {NO_USE}"
    )
    if live is not None:
        text += f"; spec.clock.maxSpeed {pace.max_speed:g} would need {live:,.0f} messages/s"
    return Throttle(True, reason, text, slows_the_clock=live is not None)


def _unlimited(shards: int, spec: Spec) -> Throttle:
    if spec.shards > shards:
        text = "nothing but the workers limits the speed: more shards would help, if they were allowed"
        return Throttle(True, "ShardsCeiling", text)
    return Throttle(False, "Unlimited", "nothing but the workers limits the speed: more shards will help")


def _rate(pace: Pace) -> str:
    return f"{float(pace.messages_per_second or 0):,.5g} messages/s"
