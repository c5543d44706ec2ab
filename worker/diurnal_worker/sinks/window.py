"""Which batches are durable without a gap: the arithmetic behind `acknowledged`. Pure.

Answers come in any order, and a clock may pass an event only when everything before it has been
answered, so one late batch holds the clock back, however many after it are durable.
"""

from __future__ import annotations

from collections import deque

from diurnal_worker.sinks import NOTHING_YET


class Window:
    """The batches that were taken and not yet passed by the clock, in the order they were taken."""

    def __init__(self) -> None:
        self._until = NOTHING_YET
        self._first = 0
        self._clocks: deque[int] = deque()
        self._durable: deque[bool] = deque()

    @property
    def until(self) -> int:
        """The clock (microseconds) before which everything is durable, or NOTHING_YET."""
        return self._until

    def __len__(self) -> int:
        """Batches that the clock has not passed, durable ones behind a gap included."""
        return len(self._clocks)

    def admit(self, until: int) -> int:
        """Takes the next batch, which reaches to the clock `until`; returns its number."""
        latest = self._clocks[-1] if self._clocks else self._until
        if until < latest:
            raise ValueError(f"a batch until {until} follows one until {latest}: batches go forward in time")
        self._clocks.append(until)
        self._durable.append(False)
        return self._first + len(self._clocks) - 1

    def acknowledge(self, number: int) -> None:
        """The batch with this number is durable; saying so again changes nothing."""
        if number >= self._first:
            self._durable[number - self._first] = True
        while self._durable and self._durable[0]:
            self._durable.popleft()
            self._until = self._clocks.popleft()
            self._first += 1
