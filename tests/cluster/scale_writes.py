"""Counts the writes of statuses, on the API server's word: a watch is told of each one.

Nobody else writes the simulations after their creation, so every change of one is a write of its status.
"""

from __future__ import annotations

import time
from typing import Any

WINDOW = 1.0


class StatusWrites:
    """When each status was written; `seen` is told by a watch on simulations."""

    def __init__(self) -> None:
        self._at: list[float] = []

    def __len__(self) -> int:
        return len(self._at)

    def seen(self, kind: str, _: dict[str, Any]) -> None:
        """A simulation was created or changed."""
        if kind == "MODIFIED":
            self._at.append(time.monotonic())

    def most_in_a_second(self) -> int:
        """The most writes within any second."""
        at = list(self._at)
        return max((sum(first <= each < first + WINDOW for each in at) for first in at), default=0)
