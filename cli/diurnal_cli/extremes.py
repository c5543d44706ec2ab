"""When the world's rate is highest and lowest. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from diurnal_worker.activity import SECOND
from diurnal_worker.zones import QUARTER

if TYPE_CHECKING:
    from diurnal_worker.intensity import Intensity

_FLAT: Final = 1e-9


@dataclass(frozen=True)
class Extreme:
    """A rate in events a simulated second, and the first instant that has it; None where all have."""

    rate: float
    at: int | None


def extremes(intensity: Intensity, begin: int, end: int) -> tuple[Extreme, Extreme]:
    """The highest and the lowest world rate in [begin, end), to the second.

    Curves bend only at quarter hours (their knots, offsets and changes of daylight saving are there), so the
    best quarter is searched by minutes, and the best minute by seconds.
    """
    grid = np.arange(begin - begin % QUARTER, end, QUARTER)
    grid[0] = begin
    rates = intensity.world_rate(grid)
    if np.ptp(rates) <= _FLAT * intensity.mean_rate:
        flat = Extreme(float(intensity.mean_rate), None)
        return flat, flat
    return _refined(intensity, grid, rates, end, 1), _refined(intensity, grid, rates, end, -1)


def _refined(intensity: Intensity, grid: np.ndarray, rates: np.ndarray, end: int, sign: int) -> Extreme:
    best = int(np.argmax(sign * rates))
    at, rate = int(grid[best]), float(rates[best])
    for reach, step in ((QUARTER, 60 * SECOND), (60 * SECOND, SECOND)):
        near = np.arange(max(at - reach, int(grid[0])), min(at + reach, end - 1) + 1, step)
        nearby = intensity.world_rate(near)
        closest = int(np.argmax(sign * nearby))
        if sign * (float(nearby[closest]) - rate) > _FLAT * abs(rate):
            at, rate = int(near[closest]), float(nearby[closest])
    return Extreme(rate, at)
