"""One tick as the questions see it: the engine's arrivals, what the closed form expects, and what follows.

`places` and `spots` are the heart. For the exact process every event has a place in its tick (in rescaled
time of its stratum) and a spot among its stratum's users of the slot, both uniform on [0, 1), and all of them
independent of each other; so any correlation is a question of pairs of uniform numbers. Whole microseconds
and whole users are spread over their unit by a dither, whose randomness is a function of the tick alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from checks import Floats, Ints
from diurnal_fidelity.closed_form import KNOTS, Expected
from diurnal_fidelity.scenarios import Scenario
from diurnal_worker.arrivals import Arrivals
from diurnal_worker.events import Events
from reference import SLOTS

_NUMBER_BITS = 34  # of an order key below the time: slot and number of the candidate


@dataclass(frozen=True, eq=False)
class Tick:
    """The events of one tick, in the world's order; arrays of one length but for those that say otherwise."""

    scenario: Scenario
    number: int
    arrivals: Arrivals
    expected: Expected
    events: Events | None  # only of some ticks: fields cost as much as arrivals

    @property
    def start(self) -> int:
        """Microseconds since 1970."""
        return self.number * self.length

    @property
    def length(self) -> int:
        """Microseconds."""
        return self.scenario.intensity.tick

    def __len__(self) -> int:
        return len(self.arrivals)

    @cached_property
    def strata(self) -> Ints:
        """Index into the scenario's strata of each event."""
        return self.scenario.stratum_of(self.arrivals.users)

    @cached_property
    def slots(self) -> Ints:
        """The slot of each event's user."""
        return self.arrivals.users % SLOTS

    @cached_property
    def slot_counts(self) -> Ints:
        """Events of every slot, shape (slots,)."""
        return np.bincount(self.slots, minlength=SLOTS).astype(np.int64)

    @cached_property
    def exact(self) -> Floats:
        """Microseconds into the tick, moved by U[0, 1); in the order of events, so sorted but for ties."""
        return self.arrivals.times - self.start + self._dither(0)

    @cached_property
    def groups(self) -> Ints:
        """Which clock each event's stratum lives by."""
        return self.expected.group_of[self.strata]

    @cached_property
    def places(self) -> Floats:
        """Share of the stratum's expected events of this tick that come before each event."""
        within = self.exact * (KNOTS / self.length)
        piece = np.minimum(within.astype(np.int64), KNOTS - 1)
        within -= piece
        piece += self.groups * (KNOTS + 1)
        flat = self.expected.profiles.ravel()
        before = flat[piece]
        piece += 1
        return before + within * (flat[piece] - before)

    @cached_property
    def spots(self) -> Floats:
        """Share of the stratum's users in the slot that come before each event's user.

        Among those of the slot, for a slot is drawn for itself: within a slot of a small stratum the users'
        places along the whole stratum are a lattice, which all draws of the slot share.
        """
        ranks = (self.arrivals.users - self.scenario.firsts[self.strata]) // SLOTS + self._dither(1)
        return np.asarray(ranks / self.scenario.law.residents[self.strata, self.slots])

    @cached_property
    def rising(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether the rate of each event's stratum rises over the tick."""
        half = self.expected.profiles[:, KNOTS // 2]
        return np.asarray(half < 0.5)[self.groups]

    @cached_property
    def drawn(self) -> Ints:
        """Positions of the events in the order in which each slot drew them, slot after slot."""
        keys = self.arrivals.order & np.uint64((1 << _NUMBER_BITS) - 1)
        return np.argsort(keys).astype(np.int64)

    def _dither(self, use: int) -> Floats:
        return np.random.default_rng([self.number, self.scenario.users, use]).random(len(self))
