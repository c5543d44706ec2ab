"""How simulated time follows wall time: tick by tick, by counts that every shard knows.

A tick of N world events takes max(N / B, length / maxSpeed) of wall time, B the messages a second that
bind. Where the budget binds, a shard spreads its own events evenly over it; where maxSpeed binds, they
keep their own times, but are never denser than the budget allows. All shards so move at one speed and
their sum is B, without talking to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from diurnal_worker.timeline import Stretch

F64 = NDArray[np.float64]
_SECOND: Final = 1_000_000


@dataclass(frozen=True)
class Pace:
    """The limits that bind: messages a real second over all shards, simulated seconds a real second."""

    messages_per_second: float | None = None
    max_speed: float | None = None

    @property
    def unlimited(self) -> bool:
        """Whether nothing holds the clock back."""
        return self.messages_per_second is None and self.max_speed is None

    @property
    def counts(self) -> bool:
        """Whether the world's counts matter."""
        return self.messages_per_second is not None

    def seconds(self, world_count: int, length: int) -> float:
        """Wall time of a stretch of ``length`` microseconds with ``world_count`` events."""
        return max(self._by_budget(world_count), self._by_speed(length))

    def due(self, times: NDArray[np.int64], stretch: Stretch, world_count: int) -> F64:
        """When each of a shard's events is due, in seconds after the stretch began; ascending."""
        by_budget = self._by_budget(world_count)
        place = np.arange(times.size) * (by_budget / max(times.size, 1))
        if self.max_speed is None or by_budget >= self._by_speed(stretch.end - stretch.begin):
            return place
        own = (times - stretch.begin) / (_SECOND * self.max_speed)
        return place + np.maximum.accumulate(own - place) if times.size else own

    def _by_budget(self, world_count: int) -> float:
        return world_count / self.messages_per_second if self.messages_per_second is not None else 0.0

    def _by_speed(self, length: int) -> float:
        return length / (_SECOND * self.max_speed) if self.max_speed is not None else 0.0


class Schedule:
    """Lays stretches end to end on the wall clock. Small delays are caught up; a stall is not sprinted after."""

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._begin: float | None = None
        self._length = 0.0

    def begin(self, now: float, length: float) -> None:
        """The next stretch begins where the last one ended, or now if that is long ago."""
        ideal = now if self._begin is None else self._begin + self._length
        self._begin = ideal if now - ideal <= self._tolerance else now
        self._length = length

    def wait(self, now: float, due: float) -> float:
        """Seconds until ``due`` seconds after the stretch's begin; 0 when it is time."""
        assert self._begin is not None  # a stretch has begun
        late = now - (self._begin + due)
        if late > self._tolerance:
            self._begin += late
        return max(-late, 0.0)
