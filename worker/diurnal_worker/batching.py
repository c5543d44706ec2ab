"""Where a shard's events are cut into batches: full, or due together, and only between microseconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Span:
    """Events first .. last - 1 of a stretch, complete up to ``until``, to be sent ``due`` seconds into it.

    ``open``: the next span begins in the microsecond in which this one ends.
    """

    first: int
    last: int
    until: int
    due: float
    open: bool = False


def spans(
    times: NDArray[np.int64], due: NDArray[np.float64], end: int, most: int, seconds: float, length: float
) -> list[Span]:
    """Cuts a stretch that ends at ``end`` and takes ``length`` seconds; the last span closes it.

    No span holds more than ``most`` events nor waits longer than ``seconds``. A span ends between two
    different microseconds; only where one microsecond alone holds more than ``most`` events it does not,
    and then ``until`` is that microsecond.
    """
    cuts: list[Span] = []
    first = 0
    while first < times.size:
        by_time = int(np.searchsorted(due, due[first] + seconds, side="left"))
        last = min(first + most, max(by_time, first + 1))
        if last < times.size:
            last = _between_microseconds(times, first, last, most)
        until = int(times[last]) if last < times.size else end
        cuts.append(Span(first, last, until, float(due[last - 1]), until == times[last - 1]))
        first = last
    if not cuts:
        return [Span(0, 0, end, length)]
    return cuts


def _between_microseconds(times: NDArray[np.int64], first: int, last: int, most: int) -> int:
    """The nearest cut at or before ``last`` between different microseconds, else the next one that fits."""
    earlier = int(np.searchsorted(times, times[last], side="left"))
    if earlier > first:
        return earlier
    later = int(np.searchsorted(times, times[last], side="right"))
    return later if later - first <= most else last
