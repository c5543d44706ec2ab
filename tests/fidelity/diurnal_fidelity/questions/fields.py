"""What happened: each field follows its weights, whatever the moment, the user and the other fields are.

Event types, apps and details are drawn anew for every event, so within any class of other events they follow
their own law exactly; devices belong to users and are asked about in `population`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from checks import Floats, Ints
from diurnal_api.events import EVENT_TYPE_WEIGHTS
from diurnal_fidelity import laws
from diurnal_fidelity.columns import Tick
from diurnal_fidelity.questions.question import Answer, Question, indices
from diurnal_worker.events import APPS, FIRST_APP, ITEMS, PRICES, QUERIES, RATINGS, Events
from reference import HOUR

_TYPES = tuple(EVENT_TYPE_WEIGHTS)
_CELLS = 16
_APP_CELLS = 36  # divides the number of apps
_FIRST = {"search": 1, "review_submit": 1 + len(QUERIES), "in_app_purchase": 1 + len(QUERIES) + len(RATINGS)}
_PRICE_OF = np.unique(PRICES, return_inverse=True)[1]


class Fields(Question):
    """Tables of one field's values (columns, of a known law) by classes of something else (rows)."""

    title = "fields"

    def see(self, tick: Tick) -> None:
        if tick.events is None or not len(tick):
            return
        events = tick.events
        kinds = _kinds(tick, events)
        app_cells = (events.apps - FIRST_APP) // (APPS // _APP_CELLS)
        self.sum("single app", np.bincount(events.apps - FIRST_APP, minlength=APPS)[None])
        for name, kind in kinds.items():
            self._tabulate(f"type by {name}", kind, events.types, len(_TYPES))
            self._tabulate(f"app by {name}", kind, app_cells, _APP_CELLS)
        self._tabulate("app by type", events.types, app_cells, _APP_CELLS)
        self._tabulate("type by type of the next event", events.types[1::2], events.types[:-1:2], len(_TYPES))
        self._tabulate("app by app of the next event", app_cells[1::2], app_cells[:-1:2], _APP_CELLS)
        self._details(events, {**kinds, "app": app_cells})

    def _details(self, events: Events, kinds: dict[str, Ints]) -> None:
        for event_type, name, values in (
            ("search", "query", len(QUERIES)),
            ("review_submit", "rating", len(RATINGS)),
            ("in_app_purchase", "item", ITEMS),
        ):
            of_type = np.flatnonzero(events.types == _TYPES.index(event_type))
            value = events.details[of_type] - _FIRST[event_type]
            for kind, rows in kinds.items():
                self._tabulate(f"{name} by {kind}", rows[of_type], value, values)
            if name == "item":
                prices = _PRICE_OF[value % len(PRICES)]
                self._tabulate("price by place", kinds["place"][of_type], prices, int(_PRICE_OF.max()) + 1)

    def _tabulate(self, name: str, rows: Ints, columns: Ints, width: int) -> None:
        size = min(rows.size, columns.size)
        table = np.bincount(rows[:size] * width + columns[:size], minlength=_MOST_ROWS * width)
        self.sum(name, table.reshape(-1, width))

    def answers(self) -> Iterator[Answer]:
        for name, table in self.sums.items():
            law = _LAWS[name.split(" ")[0]]
            if name.endswith("by place"):
                yield Answer(f"{name.split(' ')[0]}: chi-square", laws.shares(table.sum(axis=0)[None], law))
            yield Answer(f"{name}: chi-square", laws.shares(table, law))


_MOST_ROWS = 64


def _kinds(tick: Tick, events: Events) -> dict[str, Ints]:
    """Classes of events that no field of the event itself decides, at most _MOST_ROWS each."""
    return {
        "place": indices(tick.places, _CELLS),
        "spot": indices(tick.spots, _CELLS),
        "slot": tick.slots % 32,
        "stratum": tick.strata % 32,
        "hour": np.full(len(tick), tick.start // HOUR % 24),
        "device": events.traits.astype(np.int64),
        "session": (events.session_ids.low & np.uint64(15)).astype(np.int64),
        "user id": (events.user_ids.low & np.uint64(15)).astype(np.int64),
        "event id": (events.event_ids.low & np.uint64(15)).astype(np.int64),
        "microsecond": events.times % 32,
    }


def _even(size: int) -> Floats:
    return np.full(size, 1 / size)


_LAWS = {
    "type": np.array(list(EVENT_TYPE_WEIGHTS.values())) / sum(EVENT_TYPE_WEIGHTS.values()),
    "single": _even(APPS),
    "app": _even(_APP_CELLS),
    "query": _even(len(QUERIES)),
    "rating": np.array(list(RATINGS.values())),
    "item": _even(ITEMS),
    "price": np.bincount(_PRICE_OF) / len(PRICES),
}
