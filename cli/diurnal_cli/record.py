"""What a run leaves behind for its report: plain data, no I/O.

The runner fills a `RunRecord` at the end of a run; `diurnal_cli.report.render` turns it into a page.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HOUR = 3_600_000_000
"""An hour in microseconds."""


@dataclass(frozen=True)
class RunRecord:
    """One run, counted by simulated hour and country.

    `hours` (H,) holds the instants at which whole UTC hours start, ascending; `expected` and `drawn` (H, C)
    hold the events of each hour and country within [`start`, `end`): the first and last hour may be partial.
    `expected_event_types` may be expectations or weights: only their proportions are read.
    """

    name: str
    seed: int
    users: int
    engine: str
    start: int
    end: int
    hours: NDArray[np.int64]
    countries: tuple[str, ...]
    expected: NDArray[np.float64]
    drawn: NDArray[np.int64]
    event_types: dict[str, int]
    expected_event_types: dict[str, float]
    device_types: dict[str, int]
    messages: int
    bytes: int
    usd: str
    wall_seconds: float
    sink: str
    next_command: str

    @property
    def events(self) -> int:
        """Distinct events drawn; `messages` may exceed it by repeats."""
        return int(self.drawn.sum())

    @property
    def simulated_seconds(self) -> float:
        """The span of simulated time, in seconds."""
        return (self.end - self.start) / 1e6

    def covered_seconds(self) -> NDArray[np.float64]:
        """(H,) How much of each hour lies within [start, end), in seconds."""
        begins = np.maximum(self.hours, self.start)
        ends = np.minimum(self.hours + HOUR, self.end)
        seconds: NDArray[np.float64] = np.maximum(ends - begins, 0) / 1e6
        return seconds
