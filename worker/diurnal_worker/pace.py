"""How simulated time follows wall time: tick by tick, by counts that every shard knows.

A tick of N world events takes max(N / B, length / maxSpeed) of wall time, B the messages a second that
bind. Where the budget binds, a shard spreads its own events evenly over it; where maxSpeed binds, they
keep their own times, but are never denser than the budget allows. All shards so move at one speed and
their sum is B, without talking to each other.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from diurnal_worker.timeline import Stretch

F64 = NDArray[np.float64]
_SECOND: Final = 1_000_000
_SHORTEST_BATCH: Final = 0.25
_FEWEST_MESSAGES: Final = 4
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Pace:
    """The limits that bind: messages a real second over all shards, simulated seconds a real second."""

    messages_per_second: float | None = None
    max_speed: float | None = None

    @property
    def counts(self) -> bool:
        """Whether the world's counts matter."""
        return self.messages_per_second is not None

    def seconds(self, world_count: int, length: int) -> float:
        """Wall time of a stretch of ``length`` microseconds with ``world_count`` events."""
        return max(self._by_budget(world_count), self._by_speed(length))

    def brake(self, world_count: int, length: int) -> str:
        """Which limit sets the pace of such a stretch; the budget where both do."""
        return "max_speed" if self._by_speed(length) > self._by_budget(world_count) else "budget"

    def due(self, times: NDArray[np.int64], stretch: Stretch, world_count: int) -> F64:
        """When each of a shard's events is due, in seconds after the stretch began; ascending."""
        by_budget = self._by_budget(world_count)
        place: F64 = np.arange(times.size, dtype=np.float64) * (by_budget / max(times.size, 1))
        if self.max_speed is None or by_budget >= self._by_speed(stretch.end - stretch.begin):
            return place
        own: F64 = (times - stretch.begin) / (_SECOND * self.max_speed)
        if times.size:
            own = place + np.maximum.accumulate(own - place)
        return own

    def batch_seconds(self, most: float, own_count: int, world_count: int, length: int) -> float:
        """How long a batch may collect, at most ``most``.

        Under a throttle a quarter of a second where that is some messages: a minute then holds the same
        number to one in a hundred, wherever it begins.
        """
        by_budget = self._by_budget(world_count)
        if not own_count or not by_budget or by_budget < self._by_speed(length):
            return most
        return min(most, max(_SHORTEST_BATCH, _FEWEST_MESSAGES * by_budget / own_count))

    def density(self, share: float) -> float:
        """The most events a second for a shard that may expect ``share`` of the world's.

        By its expectation, not by its count in this stretch: the counts of shards that are in different
        stretches do not add up to the budget, their expectations do.
        """
        return share * self.messages_per_second if self.messages_per_second is not None else math.inf

    def _by_budget(self, world_count: int) -> float:
        return world_count / self.messages_per_second if self.messages_per_second is not None else 0.0

    def _by_speed(self, length: int) -> float:
        return length / (_SECOND * self.max_speed) if self.max_speed is not None else 0.0


class Schedule:
    """Lays stretches end to end on the wall clock. Small delays are caught up; a stall is not sprinted after.

    No second holds more than the greatest density of its stretches, and one batch; what chance puts beyond
    that comes a little later.
    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self.slipped = 0.0
        self._begin: float | None = None
        self._length = 0.0
        self._density = math.inf
        self._sent: deque[_Sending] = deque()

    def begin(self, now: float, length: float, density: float = math.inf) -> None:
        """The next stretch begins where the last one ended, or now if that is long ago.

        ``length`` in seconds, ``density`` in events a second.
        """
        ideal = now if self._begin is None else self._begin + self._length
        if now - ideal > self._tolerance:
            self._slip(now - ideal)
            ideal = now
        self._begin = ideal
        self._length, self._density = length, density

    def forget(self) -> None:
        """The next stretch begins when it begins: the one before was broken off."""
        self._begin = None

    def wait(self, now: float, due: float) -> float:
        """Seconds until ``due`` seconds after the stretch's begin; 0 when it is time."""
        assert self._begin is not None  # a stretch has begun
        late = now - (self._begin + due)
        if late > self._tolerance:
            self._begin += late
            self._slip(late)
        return max(-late, self._until_there_is_room(now), 0.0)

    def _slip(self, seconds: float) -> None:
        """So many seconds are given up; without a limit on the pace there is nothing to fall behind."""
        if self._length > 0.0:
            self.slipped += seconds

    def most_on_its_way(self, events: int, most: int) -> float:
        """How many events may be unanswered when ``events`` more are sent, in batches of at most ``most``.

        A broker that stood still publishes what was on its way in one moment: that, and what a second may
        carry, stay within the density and one full batch; half a second's share is allowed in any case.
        """
        return max(min(most, self._density) - 2 * events, self._density / 2)

    def sent(self, now: float, events: int) -> None:
        """So many events were sent now."""
        if events and not math.isinf(self._density):
            self._sent.append(_Sending(now, events, self._density))

    def _until_there_is_room(self, now: float) -> float:
        """Seconds until the second before holds no more than its share."""
        while self._sent and self._sent[0].at + 1.0 <= now:
            self._sent.popleft()
        share = max((sending.density for sending in self._sent), default=0.0)
        if sum(sending.events for sending in self._sent) <= max(share, self._density) * (1 + _ROUNDING):
            return 0.0
        return self._sent[0].at + 1.0 - now


@dataclass(frozen=True)
class _Sending:
    at: float
    events: int
    density: float
