"""Slots in which hardly anyone is awake: their candidates are drawn by composition, the stratum first.

``arrivals`` draws candidates uniformly over a slot's users. Where a few users are up and millions asleep, a
million of those would be rejected for one event, more than a sort key has numbers for. In such slots the
stratum of a candidate is drawn in proportion to its users times its own highest rate, then a user in it, and
the candidate is judged under the stratum's own envelope (Devroye 1986, II.3: rejection and composition).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diurnal_api.layout import SLOTS
from diurnal_worker.keyed import GOLDEN, U64, fractions, mixed, scaled

if TYPE_CHECKING:
    from diurnal_worker.intensity import Acceptance, Intensity
    from diurnal_worker.strata import World

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

ONE_IN: Final = 64
"""A slot is sparse where less than one candidate in so many would be accepted at the highest rates."""


class Candidates(NamedTuple):
    """Where candidates are: arrays of one length."""

    strata: I64  # index into the populated strata
    users: I64  # global user index
    offsets: U64  # microseconds into the tick


class Sparse:
    """The sparse slots among ``slots`` (global numbers) in one tick; rows count the slots from 0."""

    def __init__(self, world: World, slots: range, bounds: Acceptance, envelope: F64, tick: int) -> None:
        self._first_slot = slots.start
        self._bounds = bounds
        self._tick = tick
        self.weight = _weights(bounds, slots)  # inf where none can be sparse
        people = world.slot_users[slots.start : slots.stop].astype(np.float64)
        self.slots = self.weight * ONE_IN < people * envelope
        self._row_of = np.cumsum(self.slots) - 1
        self._firsts = world.firsts
        self._users, self._upto = self._shares(world)

    def _shares(self, world: World) -> tuple[I64, F64]:
        """Users, and the running sum of users times highest rate, of each (sparse slot, stratum)."""
        slots = np.flatnonzero(self.slots)[:, None] + self._first_slot
        if not slots.size:
            return np.zeros((0, 0), np.int64), np.zeros((0, 0))
        lasts = self._firsts + np.array([s.users for s in world.populated], np.int64) - 1
        users = (lasts - slots) // SLOTS - (self._firsts - 1 - slots) // SLOTS
        high = self._bounds.high[self._bounds.daylight.offset_of_stratum]
        return users, np.cumsum(users * high, axis=1)

    def placed(self, rows: I64, bits: U64) -> Candidates:
        """The candidates of sparse ``rows`` that ``bits`` stand for."""
        sparse = self._row_of[rows]
        strata = self._strata(sparse, fractions(bits))
        more = mixed(bits + np.uint64(GOLDEN))
        residents = self._users[sparse, strata].astype(np.uint64)
        slot = rows + self._first_slot
        first = self._firsts[strata] + (slot - self._firsts[strata]) % SLOTS
        users = first + scaled(more, residents).astype(np.int64) * SLOTS
        return Candidates(strata, users, scaled(more * residents, np.uint64(self._tick)))

    def _strata(self, sparse: I64, places: F64) -> I64:
        strata = np.zeros(sparse.shape, np.int64)
        for row in np.unique(sparse).tolist():
            of_row = np.flatnonzero(sparse == row)
            upto = self._upto[row]
            strata[of_row] = np.searchsorted(upto, places[of_row] * upto[-1], side="right")
        return strata

    def accepted(
        self, intensity: Intensity, start: int, candidates: Candidates, judge: F64
    ) -> NDArray[np.bool_]:
        """Which candidates of the tick from ``start`` on are events, by uniform ``judge`` in [0, 1)."""
        offset = self._bounds.daylight.offset_of_stratum[candidates.strata]
        instants = start + candidates.offsets.astype(np.int64)
        rates = intensity.relative_rates(instants, offset, self._bounds.daylight)
        accepted: NDArray[np.bool_] = judge * self._bounds.high[offset] < rates
        return accepted


def _weights(bounds: Acceptance, slots: range) -> F64:
    """Users times their highest rate, summed over each slot in the order of offsets."""
    weight = np.zeros(len(slots))
    if bounds.high.min() * ONE_IN >= bounds.high.max():
        return np.full(len(slots), np.inf)
    for offset, high in enumerate(bounds.high.tolist()):
        weight += bounds.daylight.users[offset, slots.start : slots.stop] * high
    return weight
