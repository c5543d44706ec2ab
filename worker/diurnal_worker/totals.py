"""A total of messages ends the run at the Nth event of the world's order, the same for any sharding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diurnal_worker.timeline import ALL_SLOTS

if TYPE_CHECKING:
    from diurnal_worker.arrivals import Arrivals
    from diurnal_worker.timeline import Stretch, Timeline


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


class Total:
    """Counts the world's events along the stretches of one worker, from the start of the run."""

    def __init__(self, timeline: Timeline, limit: int) -> None:
        self._timeline = timeline
        self._limit = limit
        self._upto = timeline.start
        self._before = 0

    def cut(self, stretch: Stretch) -> Cut | None:
        """Where ``stretch`` is cut by the total, or None where all of it goes."""
        self._before += self._timeline.count_between(self._upto, stretch.begin)
        self._upto = stretch.begin
        left = self._limit - self._before
        if self._timeline.world_count(stretch) < left:
            return None
        if left <= 0:
            return Cut(-1, stretch.begin)
        world = self._timeline.arrivals(stretch, ALL_SLOTS)
        clock = int(world.times[left]) if left < len(world) else stretch.end
        return Cut(int(world.order[left - 1]), clock)
