"""What this project is measured against: a thinning loop as textbooks have it, done right, event by event.

An exponential gap at the highest rate, the weights of all countries at that moment, accept or reject,
choose a country, choose a user; then a dict with the same eleven fields, `json.dumps` and
`PublisherClient.publish`. It uses the standard library's `random` and no shortcut that the textbook lacks.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from diurnal_worker.sources import load

START = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS_PER_USER_PER_DAY = 57
PEAK_HOUR = 16
FLOOR = 0.03
MEAN_ACTIVITY = FLOOR + (1 - FLOOR) / 2
USERS_WITH_IDS = 1000

EVENT_TYPES = {
    "app_open": 0.40,
    "search": 0.30,
    "app_install": 0.15,
    "review_submit": 0.05,
    "in_app_purchase": 0.05,
    "app_close": 0.04,
    "app_uninstall": 0.01,
}
DEVICE_TYPES = {"phone": 0.80, "tablet": 0.15, "desktop": 0.05}
OS_VERSIONS = ("iOS 15.2", "iOS 17.4", "Android 13.0", "Android 14.1")
QUERIES = ("photo editor", "offline maps", "language course", "music player")


@dataclass(frozen=True)
class Country:
    """A country with one clock. weight: its users at full activity, in events a second."""

    alpha3: str
    weight: float
    offset_hours: float


def countries(users: int) -> list[Country]:
    """The countries of the built-in world, each in its largest zone, sharing `users`."""
    dataset = load("world-2025")
    total = sum(country.internet_users for country in dataset.countries)
    per_user = EVENTS_PER_USER_PER_DAY / 86400 / MEAN_ACTIVITY
    return [
        Country(
            country.alpha3,
            float(users * country.internet_users / total) * per_user,
            _offset_hours(max(country.zones, key=lambda zone: zone[1])[0]),
        )
        for country in dataset.countries
    ]


def _offset_hours(zone: str) -> float:
    offset = START.astimezone(ZoneInfo(zone)).utcoffset()
    return offset.total_seconds() / 3600 if offset else 0.0


def arrivals(users: int, seed: int) -> Iterator[tuple[float, str, int]]:
    """(seconds since START, country, user within it), by thinning, for ever."""
    draw = random.Random(seed)
    world = [(country.weight, country.offset_hours - PEAK_HOUR) for country in countries(users)]
    names = [country.alpha3 for country in countries(users)]
    highest = sum(weight for weight, _ in world)
    swing, angle, cos = (1 - FLOOR) / 2, 2 * math.pi / 24, math.cos
    now = 0.0
    while True:
        now += draw.expovariate(highest)
        hour = now / 3600
        weights = [weight * (FLOOR + swing * (1 + cos((hour + shift) * angle))) for weight, shift in world]
        if draw.random() * highest < sum(weights):
            country = draw.choices(names, weights)[0]
            yield now, country, draw.randrange(USERS_WITH_IDS)


def messages(users: int, seed: int) -> Iterator[bytes]:
    """The messages of `arrivals`, as JSON."""
    draw = random.Random(seed + 1)
    ids = [str(uuid4()) for _ in range(USERS_WITH_IDS)]
    start = int(START.timestamp() * 1_000_000)
    for seconds, country, user in arrivals(users, seed):
        event_type = draw.choices(list(EVENT_TYPES), list(EVENT_TYPES.values()))[0]
        event = {
            "generation_timestamp": time.time_ns() // 1000,
            "event_id": str(uuid4()),
            "event_timestamp": start + int(seconds * 1_000_000),
            "user_id": ids[user],
            "session_id": str(uuid4()),
            "event_type": event_type,
            "app_id": f"app_{draw.randint(1000, 9999)}",
            "device_type": draw.choices(list(DEVICE_TYPES), list(DEVICE_TYPES.values()))[0],
            "os_version": draw.choice(OS_VERSIONS),
            "country_code": country,
            "event_details": json.dumps(_details(event_type, draw)),
        }
        yield json.dumps(event).encode()


def _details(event_type: str, draw: random.Random) -> dict[str, object]:
    if event_type == "search":
        return {"search_query": draw.choice(QUERIES)}
    if event_type == "review_submit":
        return {"rating": draw.randint(1, 5)}
    if event_type == "in_app_purchase":
        return {"item_id": f"item_{draw.randint(1, 999)}", "price_usd": draw.choice((0.99, 4.99, 9.99))}
    return {}
