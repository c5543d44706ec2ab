"""The AppStore event: what happened at each arrival, field by field, as arrays.

Every field is a function of the arrival (time, user, ordinal) and the seed, drawn from the event's own
id; so fields agree wherever and however often an event is made. The message is the contract of the
showcase this project replaces; see ``schema`` for its Avro record.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from diurnal_api.events import EVENT_TYPE_WEIGHTS
from diurnal_worker.arrivals import user_index
from diurnal_worker.choice import choose, thresholds
from diurnal_worker.identifiers import Ids, event_ids
from diurnal_worker.keyed import GOLDEN, Purpose, key, mixed, scaled
from diurnal_worker.users import Users

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from diurnal_worker.arrivals import Arrivals
    from diurnal_worker.strata import World

I64 = NDArray[np.int64]

EVENT_TYPES: Final = tuple(EVENT_TYPE_WEIGHTS)
FIRST_APP: Final = 1000
APPS: Final = 9000

# Lengths in bytes come in few sizes: rows are assembled by one copy for each length.
QUERIES: Final = (
    *("calendar", "podcasts", "painting", "workouts", "language", "tax help", "vpn free", "stickers"),
    *("weather radar", "offline music", "scan qr codes", "chess puzzles", "learn spanish", "kids learning"),
    *("pdf converter", "video calling", "photo collage", "sleep tracker", "habit tracker", "taxis near me"),
    *("train times near me", "football live score", "budget planner free", "cheap flights today"),
    *("meditation beginner", "crosswords for kids", "recipes for tonight", "language flashcards"),
    *('what is "dark mode"', "música latina", "météo demain", "日本語を学ぶ"),
)
RATINGS: Final = {5: 0.50, 4: 0.20, 3: 0.10, 2: 0.06, 1: 0.14}
PRICES: Final = (0.99, 0.99, 1.99, 1.99, 2.99, 4.99, 4.99, 9.99, 19.99, 49.99)
ITEMS: Final = 100


@dataclass(frozen=True, eq=False)
class Events:
    """Fields of n events; arrays of length n, indices into the tables of their ``EventMaker``."""

    times: I64
    event_ids: Ids
    user_ids: Ids
    session_ids: Ids
    types: NDArray[np.intp]
    apps: I64  # 1000 .. 9999
    traits: NDArray[np.intp]
    countries: I64
    details: I64

    def __len__(self) -> int:
        return int(self.times.size)

    def part(self, chosen: slice) -> Events:
        """Some of the events, in the same order."""
        return Events(
            self.times[chosen],
            Ids(self.event_ids.high[chosen], self.event_ids.low[chosen]),
            Ids(self.user_ids.high[chosen], self.user_ids.low[chosen]),
            Ids(self.session_ids.high[chosen], self.session_ids.low[chosen]),
            self.types[chosen],
            self.apps[chosen],
            self.traits[chosen],
            self.countries[chosen],
            self.details[chosen],
        )


class EventMaker:
    """Makes the events of one world; its tables say what the indices mean."""

    def __init__(
        self, world: World, event_weights: Mapping[str, float], device_weights: Mapping[str, float]
    ) -> None:
        self.users = Users(world.seed, device_weights)
        self.countries = world.countries
        self.details, self._first_detail = _details()
        self._index = user_index(world)
        self._country_of = world.country_of
        self._types = thresholds([event_weights.get(t, 0.0) for t in EVENT_TYPES])
        self._ratings = thresholds(list(RATINGS.values()))
        self._id_key = key(world.seed, Purpose.EVENT_ID)
        self._field_key = np.uint64(key(world.seed, Purpose.EVENT_FIELDS))

    def make(self, arrivals: Arrivals) -> Events:
        """The events at ``arrivals``, in the same order."""
        times, users = arrivals.times.astype(np.uint64), arrivals.users.astype(np.uint64)
        ids = event_ids(self._id_key, times, users, arrivals.ordinals.astype(np.uint64))
        bits = mixed(ids.high ^ mixed(ids.low + self._field_key))
        more = mixed(bits + np.uint64(GOLDEN))
        types = choose(self._types, bits)
        return Events(
            times=arrivals.times,
            event_ids=ids,
            user_ids=self.users.ids(users),
            session_ids=self.users.session_ids(times, users),
            types=types,
            apps=scaled(more, np.uint64(APPS)).astype(np.int64) + FIRST_APP,
            traits=self.users.traits_of(users),
            countries=self._country_of[self._index.stratum(arrivals.users)],
            details=self._details_of(types, more * np.uint64(APPS)),
        )

    def _details_of(self, types: NDArray[np.intp], bits: NDArray[np.uint64]) -> I64:
        """Index into ``details``; ``bits`` are uniform and independent of the type."""
        details = np.zeros(types.shape, np.int64)
        for name, choices in (("search", len(QUERIES)), ("in_app_purchase", ITEMS)):
            of_type = np.flatnonzero(types == EVENT_TYPES.index(name))
            chosen = scaled(bits[of_type], np.uint64(choices)).astype(np.int64)
            details[of_type] = chosen + self._first_detail[name]
        reviews = np.flatnonzero(types == EVENT_TYPES.index("review_submit"))
        rating = choose(self._ratings, bits[reviews])
        details[reviews] = rating + self._first_detail["review_submit"]
        return details


def _details() -> tuple[tuple[str, ...], dict[str, int]]:
    """Every value of event_details, compact JSON, and where those of each type begin; 0 is {}."""
    searches = [{"search_query": query} for query in QUERIES]
    reviews = [{"rating": rating} for rating in RATINGS]
    purchases = [
        {"item_id": f"item_{number + 100}", "price_usd": PRICES[number % len(PRICES)]}
        for number in range(ITEMS)
    ]
    tables: dict[str, Sequence[Mapping[str, object]]] = {
        "search": searches,
        "review_submit": reviews,
        "in_app_purchase": purchases,
    }
    values, first = ["{}"], dict[str, int]()
    for name, table in tables.items():
        first[name] = len(values)
        values += [json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in table]
    return tuple(values), first
