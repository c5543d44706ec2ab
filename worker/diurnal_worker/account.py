"""What a shard did and what held it back, since it began. Pure; the metrics read it now and then.

Entries are made for each batch or rarer, never for each event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from diurnal_api.metrics import BRAKES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diurnal_worker.events import Events


@dataclass
class Account:
    """generated: events drawn. checkpoints: stored ones. held_back: seconds without sending, by brake.

    expected_rate: messages a real second that the present stretch asks of this shard, None where nothing
    limits it. brake: what sets the pace of that stretch.
    """

    generated: int = 0
    checkpoints: int = 0
    held_back: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BRAKES, 0.0))
    expected_rate: float | None = None
    brake: str = "budget"
    _resting: tuple[str, float, float] | None = None

    def stretch(self, events: int, seconds: float, brake: str) -> None:
        """A stretch of this shard with so many events begins, to be sent within so many seconds."""
        self.generated += events
        self.expected_rate = events / seconds if seconds > 0 else None
        self.brake = brake

    def rests(self, now: float, seconds: float, brake: str) -> None:
        """Nothing is to be done for ``seconds`` from ``now``; whoever asks earlier ends the rest."""
        self._resting = (brake, now, seconds)

    def works(self, now: float) -> None:
        """A rest is over: it lasted until now, at most for as long as it was to."""
        if self._resting is not None:
            brake, since, seconds = self._resting
            self.waited(min(now - since, seconds), brake)
            self._resting = None

    def waited(self, seconds: float, brake: str) -> None:
        """So many seconds went by with nothing sent."""
        self.held_back[brake] += max(seconds, 0.0)


class CountryCounts:
    """Events by country, counted as they are handed to the sink; only for who asked for it."""

    def __init__(self, countries: tuple[str, ...]) -> None:
        """``countries``: alpha-3 codes in the order in which events number them."""
        self.countries = countries
        self._counts: NDArray[np.int64] = np.zeros(len(countries), np.int64)

    def add(self, events: Events) -> None:
        """Counts the events of a batch."""
        self._counts += np.bincount(events.countries, minlength=self._counts.size)

    def seen(self) -> dict[str, int]:
        """Counts of the countries that had any."""
        return {
            code: count for code, count in zip(self.countries, self._counts.tolist(), strict=True) if count
        }
