"""A forecast as plain data, for ``--output json`` and ``yaml``: keys stay, units are in their names. Pure.

Rates and ratios are numbers, money is text with six decimals, instants are RFC 3339 in UTC. ``null`` says
that there is none: no end, or a speed that nothing but the machine limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diurnal_api.instants import format_instant
from diurnal_api.money import SECONDS_A_DAY, format_usd
from diurnal_cli.forecast_warnings import warnings_of
from diurnal_worker.activity import DAY, SECOND

if TYPE_CHECKING:
    from diurnal_cli.extremes import Extreme
    from diurnal_cli.forecast import Forecast, Hour, ShardShare


def document(found: Forecast) -> dict[str, Any]:
    """The forecast as a mapping that JSON and YAML can hold."""
    return {
        "simulation": found.name,
        "engine": found.plan.engine,
        "tzdata": found.plan.tzdata,
        "population": _population(found),
        "clock": _clock(found),
        "rate": _rate(found),
        "events": _events(found),
        "budget": _budget(found),
        "cost": _cost(found),
        "shards": [_shard(share) for share in found.shards],
        "hours": [_hour(hour) for hour in found.hours],
        "warnings": list(warnings_of(found)),
    }


def _population(found: Forecast) -> dict[str, Any]:
    dataset = found.plan.dataset
    return {
        "users": int(found.plan.population.users),
        "countries": found.countries,
        "countriesInDataset": found.countries_in_dataset,
        "dataset": dataset.uri if dataset else None,
        "datasetSha256": dataset.sha256 if dataset else None,
    }


def _clock(found: Forecast) -> dict[str, Any]:
    ending, plan = found.ending, found.plan
    return {
        "start": format_instant(plan.start),
        "end": _instant(plan.pace.end),
        "endsAt": _instant(ending.at if ending else None),
        "endsBy": ending.by if ending else None,
        "simulatedSeconds": (ending.at - plan.start) / SECOND if ending else None,
        "realSeconds": (ending.leg.real_seconds or None) if ending else None,
        "meanSpeed": found.speed,
        "maxSpeed": plan.pace.max_speed,
    }


def _rate(found: Forecast) -> dict[str, Any]:
    return {
        "meanEventsPerSimulatedSecond": found.mean_rate,
        "highestEventsPerSimulatedSecond": found.highest.rate,
        "highestAt": _at(found.highest),
        "lowestEventsPerSimulatedSecond": found.lowest.rate,
        "lowestAt": _at(found.lowest),
    }


def _events(found: Forecast) -> dict[str, Any]:
    return {
        "perSimulatedDay": found.mean_rate * (DAY // SECOND),
        "toTheEnd": found.ending.leg.events if found.ending else None,
    }


def _budget(found: Forecast) -> dict[str, Any]:
    limit = found.plan.pace.max_messages
    return {
        "messagesPerRealSecond": found.plan.pace.messages_per_second,
        "messagesPerRealSecondBy": found.budget_by,
        "meanMessagesPerRealSecond": found.messages_per_second,
        "messagesOfTheRun": None if limit is None else int(limit),
    }


def _cost(found: Forecast) -> dict[str, Any]:
    cost, rate, ending = found.cost, found.messages_per_second, found.ending
    daily = None if rate is None else rate * SECONDS_A_DAY
    # Publishing and one subscription's delivery are billed alike, each by all bytes.
    prices = {
        "usdPerRealDay": _usd(found, daily),
        "usdPerSimulatedDay": _usd(found, found.mean_rate * (DAY // SECOND)),
        "usdToTheEnd": _usd(found, ending.leg.events if ending else None),
    }
    return {
        "sinkIsCharged": found.charged,
        "usdPerTiB": cost.usd_per_tib,
        "meanBodyAndAttributesBytes": cost.content_bytes,
        "meanBilledBytesPerMessage": cost.bytes_a_message,
        "meanMessagesPerRequest": cost.messages_per_request,
        "billedBytesToTheEnd": cost.bytes_of(ending.leg.events) if ending else None,
        "publishing": prices,
        "deliveryToOneSubscription": dict(prices),
    }


def _usd(found: Forecast, messages: float | None) -> str | None:
    return None if messages is None else format_usd(found.cost.usd_of(messages))


def _shard(share: ShardShare) -> dict[str, Any]:
    return {
        "shard": share.number,
        "firstSlot": share.slots.start,
        "lastSlot": share.slots.stop - 1,
        "users": share.users,
        "meanEventsPerSimulatedSecond": share.events_per_second,
        "meanMessagesPerRealSecond": share.messages_per_second,
    }


def _hour(hour: Hour) -> dict[str, Any]:
    return {
        "start": format_instant(hour.start),
        "events": hour.leg.events,
        "eventsPerSimulatedSecond": hour.rate,
        "speed": hour.speed,
        "realSeconds": hour.leg.real_seconds or None,
        "binds": hour.binds,
    }


def _at(extreme: Extreme) -> str | None:
    return _instant(extreme.at)


def _instant(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)
