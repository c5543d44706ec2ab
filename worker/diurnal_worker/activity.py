"""Activity curves: how awake people are along their local day or week.

A curve gives relative activity m at a phase of its period, its mean over the nominal period, its exact
integral over an interval, and bounds for rejection. Phases are local microseconds since Monday 00:00.
Within a tick a curve is smooth: knots stand at half hours, ticks divide quarter hours.

Values decide events, so they are float64 by +, - and x in a fixed order; cosines are a polynomial of
our own, because libm's and numpy's differ in the last bit between machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
THURSDAY: Final = 3 * DAY  # 1970-01-01 was a Thursday; weeks are counted from Monday
_SLACK: Final = 2.0**-40  # bounds are widened by more than a value is ever rounded
_TWO_PI: Final = 6.283185307179586
_COSINE_TERMS: Final = 16


class Activity(Protocol):
    """A periodic activity curve; see the module's text for units."""

    @property
    def mean(self) -> float:
        """Mean of m over the nominal period."""

    @property
    def straight(self) -> bool:
        """Whether m is a line within every tick."""

    def values(self, local: I64) -> F64:
        """M at local instants (int64 microseconds since 1970, local time), elementwise."""

    def integrals(self, local: I64, length: int) -> F64:
        """Integral of m over [local, local + length) in microseconds, elementwise; inside one tick."""

    def bounds(self, local: I64, length: int) -> tuple[F64, F64]:
        """(lowest, highest) m within [local, local + length], slightly widened; inside one tick."""


@dataclass(frozen=True)
class Cosine:
    """m(h) = floor + (1 - floor) (1 + cos(2 pi (h - peak) / 24)) / 2, h the local hour.

    The day/night factor of the showcase this project replaces (peak 16, floor 0.03).
    """

    peak_hour: float
    floor: float

    @property
    def mean(self) -> float:
        return self.floor + (1.0 - self.floor) * 0.5

    @property
    def straight(self) -> bool:
        return False

    def values(self, local: I64) -> F64:
        swing = cosine_of_turns(self._turns(local))
        return np.maximum(self.mean + (1.0 - self.floor) * 0.5 * swing, 0.0)

    def integrals(self, local: I64, length: int) -> F64:
        # sin b - sin a as 2 cos(mid) sin(half): no cancellation however short the tick.
        half_turn = length * 0.5 / DAY
        swing = cosine_of_turns(self._turns(local) + half_turn) * _sine_of_small_turn(half_turn)
        # Of a few microseconds around a trough of zero less is left than rounding takes away.
        return np.maximum(length * self.mean + (1.0 - self.floor) * (DAY / _TWO_PI) * swing, 0.0)

    def bounds(self, local: I64, length: int) -> tuple[F64, F64]:
        first, last = self.values(local), self.values(local + length)
        turns, span = self._turns(local), length / DAY
        has_trough = (turns < 0.5) & (turns + span > 0.5)
        low = np.where(has_trough, self.floor, np.minimum(first, last))
        high = np.where(turns + span > 1.0, 1.0, np.maximum(first, last))
        return _widened(low, high)

    def _turns(self, local: I64) -> F64:
        """Phase since the peak in [0, 1)."""
        return ((local - round(self.peak_hour * HOUR)) % DAY) / DAY


@dataclass(frozen=True)
class Hourly:
    """24 values a day or 168 a week (Monday first): value i stands at HH:30, linear between, cyclic."""

    hours: tuple[float, ...]

    @property
    def mean(self) -> float:
        total = 0.0
        for value in self.hours:
            total += value
        return total / len(self.hours)

    @property
    def straight(self) -> bool:
        return True

    def values(self, local: I64) -> F64:
        since_first_knot = local + (THURSDAY - HOUR // 2)
        left = (since_first_knot // HOUR) % len(self.hours)
        start = self._knots[left]
        return start + (self._knots[left + 1] - start) * ((since_first_knot % HOUR) / HOUR)

    def integrals(self, local: I64, length: int) -> F64:
        return length * 0.5 * (self.values(local) + self.values(local + length))

    def bounds(self, local: I64, length: int) -> tuple[F64, F64]:
        first, last = self.values(local), self.values(local + length)
        return _widened(np.minimum(first, last), np.maximum(first, last))

    @cached_property
    def _knots(self) -> F64:
        return np.array([*self.hours, self.hours[0]], np.float64)


def _widened(low: F64, high: F64) -> tuple[F64, F64]:
    return np.maximum(low - _SLACK, 0.0), high + _SLACK


def hourly(values: Sequence[float]) -> Hourly:
    """A curve of 24 or 168 values; other lengths raise ValueError."""
    if len(values) not in (24, 168):
        raise ValueError(f"an hourly activity has 24 or 168 values, not {len(values)}")
    return Hourly(tuple(float(v) for v in values))


def cosine_of_turns(turns: F64) -> F64:
    """cos(2 pi turns) for turns in [0, 1.01]: the Taylor series about the half turn, within 1e-14."""
    z = (turns - 0.5) * _TWO_PI
    z = z * z
    value = np.ones_like(z)
    for n in range(2 * _COSINE_TERMS, 0, -2):
        value = 1.0 - z * value / (n * (n - 1))
    return -value


def _sine_of_small_turn(turn: float) -> float:
    """sin(2 pi turn) for turn below 1/100 by its Taylor series."""
    x = turn * _TWO_PI
    value = 1.0
    for n in (13, 11, 9, 7, 5, 3):
        value = 1.0 - x * x * value / (n * (n - 1))
    return x * value
