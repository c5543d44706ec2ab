"""A drawn sample beside the reference that it should follow, and the questions to ask of the two.

The engine's tests and the planted defects ask the same questions through this class, so that a defect that is
caught here is one that the engine's tests would catch. Questions return p-values (see `checks`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

import checks
from checks import Floats, Ints
from reference import HOUR, MINUTE, SLOTS, Reference, Stratum


@dataclass(frozen=True)
class Sample:
    """All events in [start, end), a whole number of ticks; times sorted, users are indices on the axis."""

    reference: Reference
    start: int
    end: int
    tick: int
    times: Ints
    users: Ints
    slots: int = SLOTS

    @cached_property
    def strata(self) -> tuple[Stratum, ...]:
        """The strata that have users, in axis order."""
        return tuple(stratum for stratum in self.reference.strata if stratum.users)

    @cached_property
    def stratum_of(self) -> Ints:
        """The place in `strata` of every event; -1 or beyond the last never occurs in a sound sample."""
        firsts = np.array([stratum.first for stratum in self.strata], np.int64)
        return np.searchsorted(firsts, self.users, side="right").astype(np.int64) - 1

    @cached_property
    def rng(self) -> np.random.Generator:
        """For the dither below a microsecond."""
        return np.random.default_rng(20260101)

    def first(self, ticks: int) -> "Sample":
        """The events of the first ticks: for questions that need no millions."""
        end = self.start + ticks * self.tick
        last = int(np.searchsorted(self.times, end))
        return replace(self, end=end, times=self.times[:last], users=self.users[:last])

    def cells(self, width: int = HOUR) -> tuple[Ints, Floats]:
        """Counts and expectations, shape (intervals, strata)."""
        starts = range(self.start, self.end, width)
        flat = (self.times - self.start) // width * len(self.strata) + self.stratum_of
        observed = np.bincount(flat, minlength=len(starts) * len(self.strata)).astype(np.int64)
        means = [
            [self.reference.expected(s, t, min(t + width, self.end)) for s in self.strata] for t in starts
        ]
        return observed.reshape(len(starts), len(self.strata)), np.array(means)

    def by_stratum(self, width: int = HOUR) -> float:
        """Do the counts by stratum and interval fit?"""
        return checks.chi_square(*self.cells(width))

    def by_stratum_worst(self, width: int = HOUR) -> float:
        """Does the strangest count by stratum and interval fit?"""
        return checks.worst_cell(*self.cells(width))

    def by_interval(self, width: int) -> float:
        """Do the world's counts by interval fit?"""
        observed, expected = self.cells(width)
        return checks.chi_square(observed.sum(axis=1), expected.sum(axis=1))

    def by_user(self) -> float:
        """Has every user the events of its zone? For small worlds with some LEAST events a user."""
        expected = [
            np.full(s.users, self.reference.user_mean(s.zone, self.start, self.end)) for s in self.strata
        ]
        return checks.chi_square(self._per_user, np.concatenate(expected))

    def by_rank(self, cells: int = 1000) -> float:
        """Are events even along the users of the largest stratum? For worlds with few events a user."""
        _, users = self._events_of(self.largest)
        return checks.uniformity(self._user_places(users), cells)

    def by_last_digits(self, cells: int = 64) -> float:
        """Are events even over the remainders of the users' ranks in their slots?"""
        return checks.even(np.bincount(self.users // self.slots % cells, minlength=cells).astype(np.int64))

    def by_slot_and_tick(self) -> float:
        """Are the counts by slot and tick Poisson, neither too loose nor too tight?"""
        return checks.chi_square(*self.slot_ticks)

    def neighbours(self, ticks: int, slots: int) -> float:
        """Are the counts of slot-ticks independent of those `ticks` later and `slots` along?"""
        strange = checks.standardised(*self.slot_ticks)
        rows, columns = strange.shape
        return checks.uncorrelated(
            strange[: rows - ticks, : columns - slots].ravel(), strange[ticks:, slots:].ravel()
        )

    def repeats_from_tick_to_tick(self) -> float:
        """Do neighbouring ticks share more offsets than by chance?"""
        number, offset = (self.times - self.start) // self.tick, (self.times - self.start) % self.tick
        sizes = np.bincount(number)
        earlier = number * self.tick + offset
        later = earlier - self.tick
        return checks.coincidences(
            earlier, later[number > 0], float(np.sum(sizes[1:] * sizes[:-1]) / self.tick)
        )

    def repeats_from_slot_to_slot(self) -> float:
        """Do neighbouring slots share more times than by chance?"""
        slot = self.users % self.slots
        place = (self.times - self.start) * self.slots + slot
        later = (place - 1)[slot > 0]
        counts, _ = self.slot_ticks
        pairs = float(np.sum(counts[:, 1:] * counts[:, :-1]) / self.tick)
        return checks.coincidences(place, later, pairs)

    def gaps(self) -> float:
        """Are the rescaled gaps of the world exponential?"""
        return checks.uniform_ks(self._world_gaps)

    def successive_gaps(self) -> float:
        """Is a gap independent of the one before?"""
        gaps = (self._world_gaps - 0.5) * np.sqrt(12)
        return checks.uncorrelated(gaps[:-1], gaps[1:])

    def gaps_of_largest(self) -> float:
        """Are the rescaled gaps of the largest stratum exponential?"""
        times, _ = self._events_of(self.largest)
        return checks.uniform_ks(checks.rescaled_gaps(times, self.cumulative(self.largest), self.rng))

    def places(self, rising: bool) -> float:
        """Where a stratum's rate rises (falls) over a tick: are its events in the right places in the tick?

        Asked of the eight largest strata; the strangest answer times their number.
        """
        largest = sorted(self.strata, key=lambda stratum: -stratum.users)[:8]
        return min(1.0, len(largest) * min(self._places(stratum, rising) for stratum in largest))

    def _places(self, stratum: Stratum, rising: bool) -> float:
        times, _ = self._events_of(stratum)
        edges = [(t, t + self.tick - 1) for t in range(self.start, self.end, self.tick)]
        grows = [
            self.reference.user_rate(stratum.zone, a) < self.reference.user_rate(stratum.zone, b)
            for a, b in edges
        ]
        chosen = times[np.array(grows)[(times - self.start) // self.tick] == rising]
        return checks.uniform_ks(self._tick_places(stratum, chosen)) if chosen.size else 1.0

    def time_and_user(self) -> float:
        """Is the place in the tick independent of who the user is, in the largest stratum?"""
        times, users = self._events_of(self.largest)
        return checks.joint_uniformity(self._tick_places(self.largest, times), self._user_places(users))

    def cumulative(self, *strata: Stratum) -> Callable[[Floats], Floats]:
        """Expected events of the strata before a time: knots with lines between.

        Knots lie a minute apart; three where many zones, smooth in sum, are slow to integrate.
        """
        width = MINUTE if len(self._zones) < 10 or len(strata) == 1 else 3 * MINUTE
        knots = np.arange(self.start, self.end + width, width)
        by_zone: dict[str, int] = {}
        for stratum in strata:
            by_zone[stratum.zone] = by_zone.get(stratum.zone, 0) + stratum.users
        steps = sum(
            (users * self._steps(zone, width) for zone, users in by_zone.items()), np.zeros(knots.size - 1)
        )
        heights = np.concatenate([[0.0], np.cumsum(steps)])
        return lambda times: np.interp(times, knots, heights)

    @cached_property
    def largest(self) -> Stratum:
        """The stratum with most users."""
        return max(self.strata, key=lambda stratum: stratum.users)

    @cached_property
    def slot_ticks(self) -> tuple[Ints, Floats]:
        """Counts and expectations by tick and slot, shape (ticks, slots)."""
        starts = range(self.start, self.end, self.tick)
        flat = (self.times - self.start) // self.tick * self.slots + self.users % self.slots
        observed = np.bincount(flat, minlength=len(starts) * self.slots).astype(np.int64)
        residents = np.array(
            [np.bincount(self._slots_of(zone), minlength=self.slots) for zone in self._zones]
        )
        means = [[self.reference.user_mean(z, t, t + self.tick) for z in self._zones] for t in starts]
        return observed.reshape(len(starts), self.slots), np.array(means) @ residents

    @cached_property
    def _zones(self) -> list[str]:
        return sorted({stratum.zone for stratum in self.strata})

    def _slots_of(self, zone: str) -> Ints:
        homes = [np.arange(s.first, s.first + s.users) % self.slots for s in self.strata if s.zone == zone]
        return np.concatenate(homes)

    @cached_property
    def _per_user(self) -> Ints:
        return np.bincount(self.users, minlength=self.reference.users).astype(np.int64)

    def _events_of(self, stratum: Stratum) -> tuple[Ints, Ints]:
        inside = self.stratum_of == self.strata.index(stratum)
        return self.times[inside], self.users[inside]

    @cached_property
    def _world_gaps(self) -> Floats:
        return checks.rescaled_gaps(self.times, self.cumulative(*self.strata), self.rng)

    def _tick_places(self, stratum: Stratum, times: Ints) -> Floats:
        return checks.rescaled_places(times, self.tick, self.cumulative(stratum), self.rng)

    def _user_places(self, users: Ints) -> Floats:
        return (users - self.largest.first + self.rng.random(users.size)) / self.largest.users

    def _steps(self, zone: str, width: int) -> Floats:
        starts = range(self.start, self.end, width)
        return np.array([self.reference.user_mean(zone, t, t + width) for t in starts])
