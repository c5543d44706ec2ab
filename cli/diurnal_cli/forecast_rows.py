"""Tables of a forecast: its first day by hours, or its first week by days, and its shards. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from diurnal_cli import amounts
from diurnal_cli.forecast import MAX_SPEED, speed_of
from diurnal_worker.activity import SECOND

if TYPE_CHECKING:
    from diurnal_cli.forecast import Forecast, Hour, ShardShare

UNLIMITED: Final = "as fast as it can"
_BAR: Final = 16
_HOURS_A_DAY: Final = 24
_MOST_SHARDS: Final = 8
_WORKERS: Final = "the workers"
_WORDS: Final = {"From (UTC)", "", "Bound by"}


def hours_of(found: Forecast) -> Table:
    return _by_day(found) if len(found.hours) > _HOURS_A_DAY else _by_hour(found)


def _by_hour(found: Forecast) -> Table:
    rows = _table("From (UTC)", "Events/s", "", "Speed", "Bound by")
    top = max((hour.rate for hour in found.hours), default=0.0)
    for hour in found.hours:
        bar = "\N{BLACK SQUARE}" * round(_BAR * hour.rate / top) if top else ""
        rows.add_row(
            f"{amounts.moment(hour.start):%m-%d %H:%M}",
            amounts.significant(hour.rate),
            Text(bar, "cyan"),
            times(hour.speed),
            hour.binds or _WORKERS,
        )
    return rows


def _by_day(found: Forecast) -> Table:
    """A week, a row a day: 168 hours are for machines."""
    rows = _table("From (UTC)", "Mean/s", "Lowest", "Highest", "Speed", "Bound by")
    for i in range(0, len(found.hours), _HOURS_A_DAY):
        day = found.hours[i : i + _HOURS_A_DAY]
        length = day[-1].end - day[0].start
        rows.add_row(
            f"{amounts.moment(day[0].start):%a %d %H:%M}",
            amounts.significant(sum(hour.leg.events for hour in day) * SECOND / length),
            amounts.significant(min(hour.rate for hour in day)),
            amounts.significant(max(hour.rate for hour in day)),
            times(speed_of(length, sum(hour.leg.real_seconds for hour in day))),
            _bound_by(day),
        )
    return rows


def _bound_by(day: tuple[Hour, ...]) -> str:
    binding = {hour.binds for hour in day}
    if len(binding) == 1:
        return binding.pop() or _WORKERS
    return "budget, maxSpeed" if MAX_SPEED in binding else "budget"


def shards_of(found: Forecast) -> Table:
    rows = _table("Shard", "Slots", "Users", "Events a simulated s", "Messages a real s")
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
        UNLIMITED if rate is None else amounts.significant(rate),
    )


def _table(*titles: str) -> Table:
    """An open table; words stand left, numbers right."""
    rows = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in titles:
        rows.add_column(title, justify="left" if title in _WORDS else "right", no_wrap=True)
    return rows


def times(speed: float | None) -> str:
    """A speed, as a multiple of real time."""
    return "-" if speed is None else f"{amounts.significant(speed)}x"
