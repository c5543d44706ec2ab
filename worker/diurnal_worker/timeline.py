"""The run as a sequence of stretches: ticks, clipped by the start, the end and the changes of regime.

A tick is generated whole and clipped, so a run that starts at T yields exactly the tail of one that
started earlier. The world's count of a stretch is the same for every shard, which is what pace and totals
are made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from diurnal_api.layout import SLOTS
from diurnal_worker.arrivals import Arrivals, arrivals, counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from diurnal_worker.intensity import Intensity
    from diurnal_worker.strata import World

I64 = NDArray[np.int64]

ALL_SLOTS: Final = range(SLOTS)
TICKS_COUNTED_AT_ONCE: Final = 32


@dataclass(frozen=True)
class Stretch:
    """The part [begin, end) of tick ``tick`` of regime ``regime``."""

    regime: int
    tick: int
    begin: int
    end: int


class Timeline:
    """What happens in a world from ``start`` on, until ``end`` where there is one.

    ``regimes`` are (start, intensity) in the order of simulated time; the first one also holds before.
    """

    def __init__(
        self, world: World, regimes: Sequence[tuple[int, Intensity]], start: int, end: int | None
    ) -> None:
        self.world = world
        self.start, self.end = start, end
        self._starts = [begin for begin, _ in regimes]
        self._intensities = [intensity for _, intensity in regimes]
        self._counted: dict[int, int] = {}
        self._counted_regime = -1
        self._ahead = np.zeros((0, 0), np.int64)
        self._ahead_of: tuple[int, int, range] | None = None

    def ending_at(self, end: int | None) -> Timeline:
        """The same run with another end."""
        regimes = list(zip(self._starts, self._intensities, strict=True))
        return Timeline(self.world, regimes, self.start, end)

    def intensity(self, regime: int) -> Intensity:
        """The intensity of a regime by its number."""
        return self._intensities[regime]

    def stretch_at(self, clock: int) -> Stretch | None:
        """The stretch that holds ``clock``; None where the run has ended."""
        if self.end is not None and clock >= self.end:
            return None
        regime = max(sum(1 for start in self._starts if start <= clock) - 1, 0)
        length = self._intensities[regime].tick
        tick = clock // length
        begin, end = tick * length, (tick + 1) * length
        begin = max(begin, self.start, self._starts[regime] if regime else self.start)
        if regime + 1 < len(self._starts):
            end = min(end, self._starts[regime + 1])
        return Stretch(regime, tick, begin, end if self.end is None else min(end, self.end))

    def stretches(self, clock: int, until: int | None = None) -> Iterator[Stretch]:
        """The stretches from the one that holds ``clock`` on, up to ``until`` or the end."""
        while (until is None or clock < until) and (stretch := self.stretch_at(clock)) is not None:
            yield stretch
            clock = stretch.end

    def regimes_between(self, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
        """The parts (begin, end, regime) of an interval, one a regime."""
        for regime in range(len(self._starts)):
            first = begin if regime == 0 else max(begin, self._starts[regime])
            last = min(end, self._starts[regime + 1]) if regime + 1 < len(self._starts) else end
            if first < last:
                yield first, last, regime

    def arrivals(self, stretch: Stretch, slots: range) -> Arrivals:
        """The events of contiguous ``slots`` in ``stretch``."""
        intensity = self._intensities[stretch.regime]
        wanted = self._counted_ahead(stretch, slots)
        found = arrivals(self.world, intensity, stretch.tick, slots, wanted)
        return found if self._is_whole(stretch) else found.between(stretch.begin, stretch.end)

    def _counted_ahead(self, stretch: Stretch, slots: range) -> I64:
        """Events of every slot in the tick; several ticks cost hardly more than one."""
        which = stretch.regime, stretch.tick // TICKS_COUNTED_AT_ONCE, slots
        if which != self._ahead_of:
            first = which[1] * TICKS_COUNTED_AT_ONCE
            ticks = np.arange(first, first + TICKS_COUNTED_AT_ONCE)
            self._ahead = counts(self.world, self._intensities[stretch.regime], ticks, slots)
            self._ahead_of = which
        counted: I64 = self._ahead[stretch.tick % TICKS_COUNTED_AT_ONCE]
        return counted

    def world_count(self, stretch: Stretch) -> int:
        """How many events the whole world has in ``stretch``."""
        if not self._is_whole(stretch):
            return len(self.arrivals(stretch, ALL_SLOTS))
        if stretch.tick not in self._counted or self._counted_regime != stretch.regime:
            ticks = np.arange(stretch.tick, stretch.tick + TICKS_COUNTED_AT_ONCE)
            totals = counts(self.world, self._intensities[stretch.regime], ticks, ALL_SLOTS).sum(axis=1)
            self._counted = dict(zip(ticks.tolist(), totals.tolist(), strict=True))
            self._counted_regime = stretch.regime
        return self._counted[stretch.tick]

    def share(self, stretch: Stretch, ranges: Iterable[range]) -> float:
        """The part of the world's events that is expected of these slots, in the stretch's tick."""
        expected = self._intensities[stretch.regime].slot_means(np.array([stretch.tick]))[0]
        whole = float(expected.sum())
        own = sum(float(expected[slots.start : slots.stop].sum()) for slots in ranges)
        return own / whole if whole > 0.0 else 1.0

    def _is_whole(self, stretch: Stretch) -> bool:
        return stretch.end - stretch.begin == self._intensities[stretch.regime].tick
