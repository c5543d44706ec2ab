"""Neighbouring draws: what one slot draws next, what the next slot and the next tick draw.

Keys that are reused, or too alike, make whole neighbours equal or alike. Of each eight ticks two neighbours
are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import checks
from checks import Floats, Ints
from diurnal_fidelity import laws
from diurnal_fidelity.columns import Tick
from diurnal_fidelity.questions.question import Answer, Question, squares
from diurnal_fidelity.scenarios import Scenario
from reference import SLOTS

_GRID = 32
_FIRST = 4  # events of a slot that are held against its neighbours'
_OF_EACH = 8


class NeighbouringDraws(Question):
    """Place and spot of an event against those of its neighbours by draw, by slot, and by tick."""

    title = "neighbouring draws"
    neighbours = ("next draw", "next slot", "next tick", "next slot and tick before")

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._before: tuple[int, Floats] | None = None

    def see(self, tick: Tick) -> None:
        if tick.number % _OF_EACH > 1:
            return
        both = np.stack([tick.places[tick.drawn], tick.spots[tick.drawn]])
        slots = tick.slots[tick.drawn]
        follows = np.flatnonzero((slots[1:] == slots[:-1])[::2]) * 2
        self._compare("next draw", both[:, follows], both[:, follows + 1])
        firsts = _firsts(both, tick.slot_counts)
        self._compare("next slot", firsts[:, :-1:2], firsts[:, 1::2])
        if self._before is not None and self._before[0] == tick.number - 1:
            self._compare("next tick", self._before[1], firsts)
            self._compare("next slot and tick before", self._before[1][:, 1:], firsts[:, :-1])
        self._before = tick.number, firsts

    def _compare(self, name: str, first: Floats, second: Floats) -> None:
        first, second = first.reshape(2, -1), second.reshape(2, -1)
        known = ~np.isnan(first[0]) & ~np.isnan(second[0])
        for i, one in enumerate(("place", "spot")):
            for j, other in enumerate(("place", "spot")):
                counts = squares(first[i][known], second[j][known], _GRID)
                self.sum(f"{name}: {one} x {other}", counts)

    def answers(self) -> Iterator[Answer]:
        for name, counts in self.sums.items():
            yield Answer(name, checks.even(counts))


class Coincidences(Question):
    """Microseconds that a slot shares with the next slot, or with itself a tick later, beyond chance."""

    title = "shared microseconds"

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._before: tuple[int, Ints, Ints] | None = None

    def see(self, tick: Tick) -> None:
        if tick.number % _OF_EACH > 1:
            return
        where = np.sort(tick.slots * tick.length + (tick.arrivals.times - tick.start))
        counts = tick.slot_counts
        chance = float(counts[1:] @ counts[:-1]) / tick.length
        self.sum("of neighbouring slots", np.array([_pairs(where, where + tick.length), chance]))
        if self._before is not None and self._before[0] == tick.number - 1:
            chance = float(counts @ self._before[2]) / tick.length
            self.sum("of neighbouring ticks", np.array([_pairs(where, self._before[1]), chance]))
        self._before = tick.number, where, counts

    def answers(self) -> Iterator[Answer]:
        for name, (pairs, chance) in self.sums.items():
            yield Answer(f"shared microseconds {name}: Poisson", laws.poisson(round(pairs), chance))


def _firsts(both: Floats, counts: Ints) -> Floats:
    """Place and spot of each slot's first draws, shape (2, slots, _FIRST), nan where there are fewer."""
    index = (np.cumsum(counts) - counts)[:, None] + np.arange(_FIRST)
    there = np.arange(_FIRST) < counts[:, None]
    found = np.full((2, SLOTS, _FIRST), np.nan)
    found[:, there] = both[:, index[there]]
    return found


def _pairs(first: Ints, second: Ints) -> int:
    """Equal pairs of two sorted arrays."""
    low, high = (np.searchsorted(second, first, side=side) for side in ("left", "right"))
    return int(np.sum(high - low))
