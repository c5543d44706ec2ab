"""At most so many of something in any second, in the order in which they are asked for. Pure.

Statuses are written so: the API server stores a whole object at each write and tells every watcher of it, and
a thousand simulations that begin at once must not be a storm to it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

SPAN: Final = 1.2
"""Seconds in which there are at most so many: what goes out over a second may arrive within a shorter one."""


class Turns:
    """Gives ``most`` turns in any second; times are seconds of any monotonic clock."""

    def __init__(self, most: int) -> None:
        self._last: deque[float] = deque(maxlen=most)

    def take(self, now: float) -> float:
        """Takes the next turn and returns how long to wait for it."""
        full = len(self._last) == self._last.maxlen
        turn = max(now, self._last[0] + SPAN) if full else now
        self._last.append(turn)
        return turn - now
