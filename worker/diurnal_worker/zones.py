"""Local time: the UTC offset of every zone in any quarter of an hour, daylight saving included.

Every civil offset since 1972-01-07 is a multiple of a quarter hour; a change of one takes effect at the next
quarter hour, where since 2012 all of them fall (docs/decisions/0005). Ticks divide quarter hours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from diurnal_worker.zonefiles import zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

QUARTER: Final = 900 * 1_000_000
_QUARTERS_A_DAY: Final = 96
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UnknownOffsetError(ValueError):
    """An offset that clocks of quarter hours do not have; the text says where, when, and the remedy."""

    reason: Final = "ClockTooEarly"


class Offsets:
    """UTC offsets of ``zones`` (IANA names) in microseconds; remembers the last day asked for."""

    def __init__(self, zones: Sequence[str]) -> None:
        self._names = tuple(zones)
        self._zones = tuple(zone(name) for name in zones)
        self._day: int | None = None
        self._table: NDArray[np.int64] = np.zeros((_QUARTERS_A_DAY, len(self._names)), np.int64)

    def at(self, quarter: int) -> NDArray[np.int64]:
        """Offsets in force from ``quarter`` (whole quarter hours since 1970), shape (zones,)."""
        day, of_day = divmod(quarter, _QUARTERS_A_DAY)
        if day != self._day:
            self._table = np.array([self._offsets_of_day(i, day) for i in range(len(self._zones))]).T
            self._day = day
        offsets: NDArray[np.int64] = self._table[of_day]
        return offsets

    def _offsets_of_day(self, index: int, day: int) -> list[int]:
        """One zone's offset in each of a day's quarters; a day without a change is asked only twice."""
        first = day * _QUARTERS_A_DAY
        start, end = self._offset(index, first), self._offset(index, first + _QUARTERS_A_DAY)
        if start == end:
            return [start] * _QUARTERS_A_DAY
        return [self._offset(index, first + i) for i in range(_QUARTERS_A_DAY)]

    def _offset(self, index: int, quarter: int) -> int:
        moment = _EPOCH + timedelta(minutes=15 * quarter)
        offset = moment.astimezone(self._zones[index]).utcoffset() or timedelta()
        microseconds = offset // timedelta(microseconds=1)
        if microseconds % QUARTER:
            civil = f"{'-' if microseconds < 0 else '+'}{abs(offset)!s:0>8}"
            raise UnknownOffsetError(
                f"time zone {self._names[index]} is {civil} from UTC at {moment:%Y-%m-%dT%H:%M:%SZ}, "
                "which is no multiple of 15 minutes: start later"
            )
        return microseconds
