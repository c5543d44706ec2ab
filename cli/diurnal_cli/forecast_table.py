"""A forecast for people: what counts, the first day by hours (the first week by days), the shards. Pure.

Everything fits ``WIDTH`` columns; ``planning`` prints it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from diurnal_api.money import SECONDS_A_DAY
from diurnal_cli import amounts
from diurnal_cli.forecast_rows import UNLIMITED, hours_of, shards_of, times
from diurnal_cli.forecast_warnings import warnings_of
from diurnal_worker.activity import DAY, SECOND

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import RenderableType

    from diurnal_cli.extremes import Extreme
    from diurnal_cli.forecast import Forecast

WIDTH: Final = 80
_YEAR: Final = 365.25 * SECONDS_A_DAY
_LONG: Final = 3 * _YEAR


def table(found: Forecast) -> RenderableType:
    """All of it, one under the other."""
    parts: list[RenderableType] = [_summary(found), Text(), hours_of(found), Text(), shards_of(found)]
    parts += [Padding(Text(f"Warning: {text}", "yellow"), (1, 0, 0, 0)) for text in warnings_of(found)]
    return Group(*parts)


def _summary(found: Forecast) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for label, value in (
        ("Simulation", found.name),
        ("Users", _users(found)),
        ("Rate", _rates(found)),
        ("Events", _events(found)),
        ("Clock", _clock(found)),
        ("Speed", _speed(found)),
        ("Real time", _real_time(found)),
        ("Publishing", _publishing(found)),
        ("Delivery", "to one subscription as much again, for each one"),
        ("Message", _message(found)),
    ):
        grid.add_row(label, Text(value))
    return grid


def _users(found: Forecast) -> str:
    dataset = found.plan.dataset.uri if found.plan.dataset else ""
    others = found.countries_in_dataset - found.countries
    rest = f"; {others} more of it without a user" if others else ""
    return (
        f"{amounts.count(int(found.plan.population.users))} in {found.countries} countries of {dataset}{rest}"
    )


def _rates(found: Forecast) -> str:
    mean = f"{amounts.significant(found.mean_rate)} events a simulated second, the mean of a nominal day"
    if found.highest.at is None:
        return f"{mean} and of every moment"
    return f"{mean}\nhighest {_extreme(found.highest)}\nlowest  {_extreme(found.lowest)}"


def _extreme(extreme: Extreme) -> str:
    at = "" if extreme.at is None else f" on {amounts.moment(extreme.at):%a %Y-%m-%d at %H:%M:%S} UTC"
    return f"{amounts.significant(extreme.rate)}{at}"


def _events(found: Forecast) -> str:
    daily = f"{_about(found.mean_rate * (DAY // SECOND))} a simulated day"
    return daily if found.ending is None else f"{_about(found.ending.leg.events)} to the end; {daily}"


def _about(events: float) -> str:
    return amounts.count(round(events)) if events >= 100 else amounts.significant(events)


def _clock(found: Forecast) -> str:
    start, ending = amounts.instant(found.plan.start), found.ending
    if ending is None:
        return f"{start}, without an end"
    length = _duration((ending.at - found.plan.start) / SECOND)
    by = (
        "" if ending.by == "end" else f"\nbudget.{ending.by} ends it with message {_about(ending.leg.events)}"
    )
    return f"{start}\nto {amounts.instant(ending.at)}, {length}{by}"


def _speed(found: Forecast) -> str:
    if found.speed is None:
        return f"{UNLIMITED}: neither budget nor maxSpeed binds"
    return f"{times(found.speed)} real time in the mean; {_limits(found)}"


def _limits(found: Forecast) -> str:
    pace, limits = found.plan.pace, []
    if pace.messages_per_second is not None:
        limits.append(
            f"{found.budget_by} allows {amounts.significant(float(pace.messages_per_second))} messages/s"
        )
    if pace.max_speed is not None:
        limits.append(f"maxSpeed {times(float(pace.max_speed))}")
    return ", ".join(limits)


def _real_time(found: Forecast) -> str:
    if found.speed is None:
        return "what the workers need to generate the events"
    daily = f"{_duration(SECONDS_A_DAY / found.speed)} a simulated day"
    return (
        daily if found.ending is None else f"{_duration(found.ending.leg.real_seconds)} to the end; {daily}"
    )


def _publishing(found: Forecast) -> str:
    rate, prices = found.messages_per_second, []
    if found.ending is not None:
        prices.append(f"{_usd(found.cost.usd_of(found.ending.leg.events))} to the end")
    if rate is not None:
        prices.append(f"{_usd(found.cost.usd_of(rate * SECONDS_A_DAY))} a real day")
    prices.append(f"{_usd(found.cost.usd_of(found.mean_rate * (DAY // SECOND)))} a simulated day")
    free = "" if found.charged else "\n(what it would cost: this sink is free)"
    return f"{'; '.join(prices)}{free}"


def _message(found: Forecast) -> str:
    cost = found.cost
    return (
        f"{amounts.significant(cost.content_bytes)} bytes in the mean, billed as "
        f"{amounts.significant(cost.bytes_a_message)}, at ${cost.usd_per_tib} a TiB; the first\n"
        "10 GiB of a month, free for a billing account, are not deducted"
    )


def _usd(usd: Decimal) -> str:
    if not usd:
        return "$0"
    return f"${usd:,.2f}" if usd >= 1 else f"${amounts.significant(float(usd))}"


def _duration(seconds: float) -> str:
    if seconds < _LONG:
        return amounts.duration(seconds)
    return f"{amounts.significant(seconds / _YEAR)} years"
