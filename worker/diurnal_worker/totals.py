"""A total of messages ends the run at the Nth event of the world's order, the same for any sharding."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from diurnal_api.checkpoint import Counted
from diurnal_worker.timeline import ALL_SLOTS

if TYPE_CHECKING:
    from diurnal_worker.arrivals import Arrivals
    from diurnal_worker.timeline import Stretch, Timeline

AT_ONCE: Final = 1024  # stretches: some tenth of a second


@dataclass(frozen=True)
class Cut:
    """The last stretch of a limited run: events up to ``last`` go, the clock then stands at ``clock``."""

    last: int  # order key (uint64) within the tick of the last event that goes; -1 where none does
    clock: int

    def allowed(self, events: Arrivals) -> Arrivals:
        """The events that still go."""
        if self.last < 0:
            return events.part(slice(0))
        return events.part(events.order <= np.uint64(self.last))

    def refused(self, events: Arrivals) -> Arrivals:
        """The events that no longer go."""
        if self.last < 0:
            return events
        return events.part(events.order > np.uint64(self.last))


class Count:
    """The world's events before a stretch, counted along the run from its start.

    In parts: a year of ticks takes seconds, and whoever counts has a Lease to renew meanwhile.
    """

    def __init__(self, timeline: Timeline, known: Counted | None = None) -> None:
        self._timeline = timeline
        self._marks = deque([(timeline.start, 0) if known is None else (int(known.upto), known.events)])

    def along(self, timeline: Timeline) -> Count:
        """The same count along a timeline that differs in its end alone."""
        other = Count(timeline)
        other._marks = self._marks
        return other

    def reaches(self, stretch: Stretch, most: int = AT_ONCE) -> bool:
        """Counts on towards ``stretch``, over ``most`` stretches; whether it is there."""
        upto, before = known = self._marks[-1]
        for passed in islice(self._timeline.stretches(upto, stretch.begin), most):
            before += self._timeline.world_count(passed)
            upto = passed.end
        if (upto, before) != known:
            self._marks.append((upto, before))
        return upto >= stretch.begin

    def known_at(self, clock: int) -> Counted | None:
        """The latest count for whoever goes on at ``clock``, or later; ``clock`` never falls."""
        while len(self._marks) > 1 and self._marks[1][0] <= clock:
            self._marks.popleft()
        upto, events = self._marks[0]
        return Counted(upto=upto, events=events) if self._timeline.start < upto <= clock else None

    def cut(self, stretch: Stretch, limit: int) -> Cut | None:
        """Where ``stretch``, once it is reached, is cut by a total; None where all of it goes."""
        left = limit - self._marks[-1][1]
        if self._timeline.world_count(stretch) < left:
            return None
        if left <= 0:
            return Cut(-1, stretch.begin)
        world = self._timeline.arrivals(stretch, ALL_SLOTS)
        clock = int(world.times[left]) if left < len(world) else stretch.end
        return Cut(int(world.order[left - 1]), clock)
