"""Where a shard's events are cut into batches: full, or due together, and only between microseconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

_ROUNDING: Final = 1e-9


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

    No span holds more than ``most`` events, nor waits longer than ``seconds`` unless for the rest of a
    microsecond. A span ends between two different microseconds; only where one microsecond alone holds
    more than ``most`` events it does not, and then ``until`` is that microsecond. ``until`` is never ahead
    of what is due, so that whoever goes on from there is not early; hence the last span may be empty, due
    when the stretch is over, unless its end is reached with the last event.
    """
    cuts: list[Span] = []
    first = 0
    while first < times.size:
        by_time = int(np.searchsorted(due, due[first] + seconds - _ROUNDING, side="left"))
        last = min(first + most, max(by_time, first + 1), times.size)
        if last < times.size:
            last = _between_microseconds(times, first, last, most)
        is_open = last < times.size and times[last] == times[last - 1]
        until = int(times[last - 1]) + (0 if is_open else 1)
        cuts.append(Span(first, last, min(until, end), float(due[last - 1]), is_open))
        first = last
    if cuts and (due[-1] >= length or cuts[-1].until == end):
        return [*cuts[:-1], replace(cuts[-1], until=end)]
    return [*cuts, Span(times.size, times.size, end, length)]


def _between_microseconds(times: NDArray[np.int64], first: int, last: int, most: int) -> int:
    """The nearest cut at or before ``last`` between different microseconds, else the next one that fits."""
    earlier = int(np.searchsorted(times, times[last], side="left"))
    if earlier > first:
        return earlier
    later = int(np.searchsorted(times, times[last], side="right"))
    return later if later - first <= most else last
