"""Expected events and real time of a stretch of simulated time, without generating anything. Pure.

While no zone changes its offset, the world's rate repeats every nominal day (or week): a stretch is whole
periods and a rest, read from one table of quarter hours. A stretch of years is cut at the changes of
daylight saving; one of many years repeats its first 52 weeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diurnal_worker.activity import DAY, SECOND, WEEK, Hourly
from diurnal_worker.zones import QUARTER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diurnal_api.plan import Pace
    from diurnal_worker.activity import Activity
    from diurnal_worker.intensity import Intensity

_HOURS_A_WEEK: Final = 168
_YEAR: Final = 52 * WEEK
"""Microseconds of a year that is a whole number of periods of every curve."""


@dataclass(frozen=True)
class Leg:
    """What a stretch of simulated time holds: expected events, and real seconds at the pace.

    ``real_seconds`` is 0 where neither budget nor maxSpeed holds the clock back.
    """

    events: float = 0.0
    real_seconds: float = 0.0

    def plus(self, other: Leg, times: int = 1) -> Leg:
        """This and ``other``, the latter ``times`` over."""
        return Leg(self.events + times * other.events, self.real_seconds + times * other.real_seconds)


class LocalTimes(NamedTuple):
    """How many users share each UTC offset (microseconds, ascending)."""

    offsets: NDArray[np.int64]
    users: NDArray[np.float64]


def period_of(activity: Activity) -> int:
    """Microseconds after which the curve repeats: a nominal day or week."""
    return WEEK if isinstance(activity, Hourly) and len(activity.hours) == _HOURS_A_WEEK else DAY


class Expectation:
    """The course of one regime of one world at a pace."""

    def __init__(self, intensity: Intensity, pace: Pace) -> None:
        self.intensity = intensity
        self.period = period_of(intensity.activity)
        self._per_user = intensity.mean_rate / intensity.world.users / SECOND / intensity.activity.mean
        self._messages_per_second = pace.messages_per_second
        self._max_speed = pace.max_speed
        self._known: dict[int, LocalTimes] = {}

    def over(self, begin: int, end: int) -> Leg:
        """What [begin, end) holds, microseconds since 1970; exact up to two years, then within 1e-5."""
        years = max((end - begin) // _YEAR - 1, 0)
        if years <= 1:
            return self._exactly(begin, end)
        rest = self._exactly(begin + years * _YEAR, end)
        return rest.plus(self._exactly(begin, begin + _YEAR), times=years)

    def when(self, begin: int, events: float) -> int:
        """The instant at which ``events`` are expected to have occurred since ``begin``."""
        about = begin + round(events / self.intensity.mean_rate * SECOND)
        # Whole periods hold their mean: what is left to search is a period, and a shift of daylight saving.
        low, high = max(begin, about - self.period - DAY), about + self.period + DAY
        missing = events - self.over(begin, low).events
        while high - low > SECOND // 1000:
            middle = (low + high) // 2
            passed = self.over(low, middle).events
            if passed < missing:
                low, missing = middle, missing - passed
            else:
                high = middle
        return high

    def _exactly(self, begin: int, end: int) -> Leg:
        total = Leg()
        for first, last, local in self._stretches(begin, end):
            total = total.plus(self._under(local, first, last))
        return total

    def _stretches(self, begin: int, end: int) -> Iterator[tuple[int, int, LocalTimes]]:
        """[begin, end) cut where any zone changes its offset."""
        since, current = begin, self._local(begin)
        for day in (*range(begin - begin % DAY + DAY, end, DAY), end):
            if _same(current, self._local(day)):
                continue
            for quarter in range(max(day - DAY, since) // QUARTER * QUARTER + QUARTER, day + 1, QUARTER):
                following = self._local(quarter)
                if not _same(current, following):
                    yield since, quarter, current
                    since, current = quarter, following
        if since < end:
            yield since, end, current

    def _local(self, instant: int) -> LocalTimes:
        """The local times in the quarter of ``instant``; remembered, since asking the zones takes long."""
        quarter = instant // QUARTER
        if quarter not in self._known:
            daylight = self.intensity.daylight(instant)
            self._known[quarter] = LocalTimes(daylight.offsets, daylight.totals)
        return self._known[quarter]

    def _under(self, local: LocalTimes, begin: int, end: int) -> Leg:
        """What [begin, end) holds under one daylight saving."""
        quarters = np.arange(0, self.period, QUARTER)
        events = self._events(local, quarters, QUARTER)
        seconds = self._seconds(events, QUARTER)
        # Sums count from the period of ``begin``, so that they stay as small as the stretch.
        origin = begin - begin % self.period
        upto = [self._since(local, origin, instant, events, seconds) for instant in (begin, end)]
        return upto[1].plus(upto[0], times=-1)

    def _since(
        self,
        local: LocalTimes,
        origin: int,
        instant: int,
        events: NDArray[np.float64],
        seconds: NDArray[np.float64],
    ) -> Leg:
        """What [origin, instant) holds, by the quarter hours of a whole period from ``origin``."""
        periods, within = divmod(instant - origin, self.period)
        whole, rest = divmod(within, QUARTER)
        leg = Leg(float(events[:whole].sum()), float(seconds[:whole].sum()))
        leg = leg.plus(Leg(float(events.sum()), float(seconds.sum())), times=periods)
        if not rest:
            return leg
        part = self._events(local, np.array([instant - rest]), rest)
        return leg.plus(Leg(float(part[0]), float(self._seconds(part, rest)[0])))

    def _events(self, local: LocalTimes, starts: NDArray[np.int64], length: int) -> NDArray[np.float64]:
        """Expected events of [start, start + length), each within a quarter hour."""
        if self.intensity.constant:
            return np.full(starts.shape, self.intensity.mean_rate * length / SECOND)
        shares = self.intensity.activity.integrals(starts[:, None] + local.offsets, length)
        events: NDArray[np.float64] = (shares * local.users).sum(axis=1) * self._per_user
        return events

    def _seconds(self, events: NDArray[np.float64], length: int) -> NDArray[np.float64]:
        """Real seconds of intervals of ``length`` with so many events, as ``diurnal_worker.pace`` has it."""
        seconds = np.zeros(events.shape)
        if self._messages_per_second is not None:
            seconds = events / float(self._messages_per_second)
        if self._max_speed is not None:
            seconds = np.maximum(seconds, length / SECOND / float(self._max_speed))
        return seconds


def _same(one: LocalTimes, other: LocalTimes) -> bool:
    return one is other or (
        np.array_equal(one.offsets, other.offsets) and np.array_equal(one.users, other.users)
    )
