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
from diurnal_cli.forecast import speed_of
from diurnal_cli.forecast_warnings import warnings_of
from diurnal_worker.activity import DAY, SECOND

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import RenderableType

    from diurnal_cli.forecast import Extreme, Forecast, Hour, ShardShare

WIDTH: Final = 80
_BAR: Final = 16
_HOURS_A_DAY: Final = 24
_MOST_SHARDS: Final = 8
_UNLIMITED: Final = "as fast as it can"


def table(found: Forecast) -> RenderableType:
    """All of it, one under the other."""
    parts: list[RenderableType] = [_summary(found), Text(), _hours(found), Text(), _shards(found)]
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
    rest = f"; {others} of the table have none" if others else ""
    return (
        f"{amounts.count(int(found.plan.population.users))} in {found.countries} countries of {dataset}{rest}"
    )


def _rates(found: Forecast) -> str:
    mean = f"{amounts.significant(found.mean_rate)} events a simulated second in the mean"
    if found.highest.at is None:
        return f"{mean}, and all the time"
    return f"{mean}\nhighest {_extreme(found.highest)}\nlowest  {_extreme(found.lowest)}"


def _extreme(extreme: Extreme) -> str:
    at = "" if extreme.at is None else f" on {amounts.moment(extreme.at):%a %Y-%m-%d at %H:%M:%S} UTC"
    return f"{amounts.significant(extreme.rate)}{at}"


def _events(found: Forecast) -> str:
    daily = f"{_about(found.mean_rate * (DAY // SECOND))} a simulated day"
    return daily if found.ending is None else f"{_about(found.ending.leg.events)} to the end; {daily}"


def _about(events: float) -> str:
    return amounts.count(round(events)) if events >= 100 else amounts.significant(events)  # noqa: PLR2004


def _clock(found: Forecast) -> str:
    start, ending = amounts.instant(found.plan.start), found.ending
    if ending is None:
        return f"{start}, without an end"
    length = amounts.duration((ending.at - found.plan.start) / SECOND)
    by = (
        "" if ending.by == "end" else f"\nbudget.{ending.by} ends it with message {_about(ending.leg.events)}"
    )
    return f"{start}\nto {amounts.instant(ending.at)}, {length}{by}"


def _speed(found: Forecast) -> str:
    if found.speed is None:
        return f"{_UNLIMITED}: neither budget nor maxSpeed binds"
    return f"{_times(found.speed)} real time in the mean; {_limits(found)}"


def _limits(found: Forecast) -> str:
    pace, limits = found.plan.pace, []
    if pace.messages_per_second is not None:
        limits.append(
            f"{found.budget_by} allows {amounts.significant(float(pace.messages_per_second))} messages/s"
        )
    if pace.max_speed is not None:
        limits.append(f"maxSpeed {_times(float(pace.max_speed))}")
    return ", ".join(limits)


def _real_time(found: Forecast) -> str:
    if found.speed is None:
        return "what the workers need to generate the events"
    daily = f"{amounts.duration(SECONDS_A_DAY / found.speed)} a simulated day"
    return (
        daily
        if found.ending is None
        else f"{amounts.duration(found.ending.leg.real_seconds)} to the end; {daily}"
    )


def _publishing(found: Forecast) -> str:
    rate, prices = found.messages_per_second, []
    if found.ending is not None:
        prices.append(f"{_usd(found.cost.usd_of(found.ending.leg.events))} to the end")
    if rate is not None:
        prices.append(f"{_usd(found.cost.usd_of(rate * SECONDS_A_DAY))} a real day")
    prices.append(f"{_usd(found.cost.usd_of(found.mean_rate * (DAY // SECOND)))} a simulated day")
    free = "" if found.charged else "\n(this sink is free; so much it would be with pubsub)"
    return f"{'; '.join(prices)}{free}"


def _message(found: Forecast) -> str:
    cost = found.cost
    return (
        f"{amounts.significant(cost.content_bytes)} bytes in the mean, billed as {amounts.significant(cost.bytes_a_message)}"
        f" at ${cost.usd_per_tib} a TiB; the first\n10 GiB of a month, free for a billing account, are not deducted"
    )


def _usd(usd: Decimal) -> str:
    if not usd:
        return "$0"
    return f"${usd:,.2f}" if usd >= 1 else f"${amounts.significant(float(usd))}"


def _hours(found: Forecast) -> Table:
    rows = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    weekly = len(found.hours) > _HOURS_A_DAY
    for title in ("Day" if weekly else "From (UTC)", "Events/s", "", "Speed", "Bound by"):
        rows.add_column(title, justify="right" if title in {"Events/s", "Speed"} else "left", no_wrap=True)
    groups = _days(found.hours) if weekly else tuple((hour,) for hour in found.hours)
    top = max((hour.rate for hour in found.hours), default=0.0)
    for group in groups:
        events = sum(hour.leg.events for hour in group)
        length = group[-1].end - group[0].start
        rate = events * SECOND / length
        rows.add_row(
            _from(group, weekly=weekly),
            _rate_of(group, rate, weekly=weekly),
            Text("\N{BLACK SQUARE}" * round(_BAR * rate / top) if top else "", "cyan"),
            _speed_of(group, length),
            _bound_by(group),
        )
    return rows


def _days(hours: tuple[Hour, ...]) -> tuple[tuple[Hour, ...], ...]:
    return tuple(hours[i : i + _HOURS_A_DAY] for i in range(0, len(hours), _HOURS_A_DAY))


def _from(group: tuple[Hour, ...], *, weekly: bool) -> str:
    moment = amounts.moment(group[0].start)
    return f"{moment:%a %m-%d %H:%M}" if weekly else f"{moment:%m-%d %H:%M}"


def _rate_of(group: tuple[Hour, ...], mean: float, *, weekly: bool) -> str:
    if not weekly:
        return amounts.significant(mean)
    rates = [hour.rate for hour in group]
    return (
        f"{amounts.significant(mean)} ({amounts.significant(min(rates))}-{amounts.significant(max(rates))})"
    )


def _speed_of(group: tuple[Hour, ...], length: int) -> str:
    speed = speed_of(length, sum(hour.leg.real_seconds for hour in group))
    return "-" if speed is None else _times(speed)


def _bound_by(group: tuple[Hour, ...]) -> str:
    return ", ".join(sorted({hour.binds or "the workers" for hour in group}))


def _times(speed: float) -> str:
    return f"{amounts.significant(speed)}x"


def _shards(found: Forecast) -> RenderableType:
    rows = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("Shard", "Slots", "Users", "Events a simulated s", "Messages a real s"):
        rows.add_column(title, justify="right", no_wrap=True)
    shown = found.shards if len(found.shards) <= _MOST_SHARDS else (*found.shards[:3], found.shards[-1])
    for share in shown:
        if share is shown[-1] and len(shown) < len(found.shards):
            rows.add_row(*["..."] * 5)
        rows.add_row(*_shard(share))
    return rows


def _shard(share: ShardShare) -> tuple[str, ...]:
    rate = share.messages_per_second
    return (
        str(share.number),
        f"{share.slots.start}-{share.slots.stop - 1}",
        amounts.count(share.users),
        amounts.significant(share.events_per_second),
        _UNLIMITED if rate is None else amounts.significant(rate),
    )
