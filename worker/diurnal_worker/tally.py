"""What was drawn, counted: by simulated hour and country, by event type, by device. For the report.

Only events before the checkpoint's clock are counted, so tallies agree with the position whatever happens.
Hours that are over leave as records; what is open stays in the checkpoint: memory does not grow with time.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from diurnal_worker.events import EVENT_TYPES
from diurnal_worker.users import DEVICE_TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diurnal_worker.events import EventMaker, Events

HOUR: Final = 3_600_000_000


class Tally:
    """Counts of one shard. ``opened`` is what an earlier checkpoint left open."""

    def __init__(self, maker: EventMaker, opened: dict[str, Any] | None = None) -> None:
        self._countries = maker.countries
        self._device_of = np.array([DEVICE_TYPES.index(t.device) for t in maker.users.traits])
        self._pending: deque[Events] = deque()
        self._hours: dict[int, dict[str, Any]] = {int(h): v for h, v in (opened or {}).items()}

    def add(self, events: Events) -> None:
        """Takes events of one stretch; they are counted when the clock has passed them."""
        if len(events):
            self._pending.append(events)

    def settle(self, clock: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Counts the events before ``clock``; returns (records of hours that are over, the open hours)."""
        while self._pending and self._pending[0].times[0] < clock:
            events = self._pending.popleft()
            passed = int(np.searchsorted(events.times, clock))
            self._count(events.part(slice(0, passed)))
            if passed < len(events):
                self._pending.appendleft(events.part(slice(passed, None)))
        over = sorted(hour for hour in self._hours if hour + HOUR <= clock)
        records = [{"hour": hour, **self._hours.pop(hour)} for hour in over]
        return records, {str(hour): counts for hour, counts in self._hours.items()}

    def _count(self, events: Events) -> None:
        hours = events.times // HOUR
        for hour in np.unique(hours).tolist():
            part = hours == hour
            entry = self._hours.setdefault(
                hour * HOUR, {"countries": {}, "event_types": {}, "device_types": {}}
            )
            _add(entry["countries"], self._countries, events.countries[part])
            _add(entry["event_types"], EVENT_TYPES, events.types[part])
            _add(entry["device_types"], DEVICE_TYPES, self._device_of[events.traits[part]])


def _add(counts: dict[str, int], names: tuple[str, ...], indices: NDArray[np.integer]) -> None:
    found = np.bincount(indices, minlength=len(names))
    for index in np.flatnonzero(found).tolist():
        counts[names[index]] = counts.get(names[index], 0) + int(found[index])
