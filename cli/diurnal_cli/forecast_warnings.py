"""What a person should know before a run begins. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from diurnal_api.planning import UNTHROTTLED_MESSAGES_PER_SECOND
from diurnal_cli import amounts
from diurnal_cli.forecast import MAX_SPEED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diurnal_cli.forecast import Forecast

_SLACK: Final = 1e-9


def warnings_of(found: Forecast) -> tuple[str, ...]:
    """Sentences, the gravest first; none where all is as one would expect."""
    return tuple(_warnings(found))


def _warnings(found: Forecast) -> Iterator[str]:
    if found.suspended:
        yield "spec.suspend is true or spec.shards is 0: nothing runs until that changes."
    yield from _slow(found)
    yield from _behind(found)
    yield from _beyond_the_workers(found)
    if found.cost.minimum_binds:
        yield (
            f"Requests hold only some {amounts.significant(found.cost.messages_per_request)} messages, so "
            "the minimum of 1,000 bytes a request decides the price: fewer shards or a longer "
            "sink.pubsub.maxBatchSeconds is cheaper."
        )


def _slow(found: Forecast) -> Iterator[str]:
    """The expected rate is above the budget: time crawls."""
    budget, speed = found.plan.pace.messages_per_second, found.speed
    if budget is None or speed is None or speed >= 1 - _SLACK or found.mean_rate <= float(budget):
        return
    yield (
        f"The world sends {amounts.significant(found.mean_rate)} events/s in the mean, "
        f"{found.budget_by} allows {amounts.significant(float(budget))}: simulated time runs at "
        f"{amounts.significant(speed)}x real time."
    )


def _behind(found: Forecast) -> Iterator[str]:
    """Live traffic that cannot keep up in the busy hours."""
    budget = found.plan.pace.messages_per_second
    slow = [hour for hour in found.hours if hour.binds not in {None, MAX_SPEED}]
    if found.live and budget is not None and slow and found.mean_rate <= float(budget):
        yield (
            f"In {len(slow)} of the first {len(found.hours)} hours {found.budget_by} is below the rate: "
            "live traffic falls behind real time then, and only a maxSpeed above 1 lets it catch up."
        )


def _beyond_the_workers(found: Forecast) -> Iterator[str]:
    rate, able = found.messages_per_second, UNTHROTTLED_MESSAGES_PER_SECOND * len(found.shards)
    if rate is not None and rate > able:
        yield (
            f"The pace asks for {amounts.significant(rate)} messages a real second, "
            f"shards={len(found.shards)} generates some {amounts.significant(able)} at most: "
            "it will be slower."
        )
