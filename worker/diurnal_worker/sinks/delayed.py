"""Calls that wait their turn: what failed and is tried again later.

A thread lives only while something waits, so that a healthy sink has none.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Delayed:
    """Runs calls after a delay, one after another, in a thread that ends when none is left."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._running = False
        self._closed = False

    def call(self, seconds: float, what: Callable[[], None]) -> None:
        """Runs `what` in `seconds`, unless `close` comes first."""
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._order), what))
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="diurnal-retries", daemon=True).start()
            self._changed.notify()

    def hurry(self) -> None:
        """Runs at once what waits now."""
        with self._changed:
            self._waiting = [(0.0, order, what) for _, order, what in self._waiting]
            heapq.heapify(self._waiting)
            self._changed.notify()

    def close(self) -> None:
        """Forgets what waits."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify()

    def _run(self) -> None:
        while (what := self._next()) is not None:
            what()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while self._waiting:
                seconds = self._waiting[0][0] - time.monotonic()
                if seconds <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(seconds)
            self._running = False
            return None
