"""A small simulation of the same process, sound or with one planted defect: what the questions must find.

`Sound` draws the process in numpy, slot by slot and tick by tick, each from a generator of its own. A defect
overrides one step with a mistake that generators of this kind have been known to make.
"""

import math
from dataclasses import replace

import numpy as np

from checks import Floats, Ints
from reference import MINUTE, Activity, Reference, Stratum
from samples import Sample

Randomness = np.random.Generator


class Sound:
    """The process as it should be."""

    def __init__(self, reference: Reference, start: int, end: int, tick: int, slots: int = 32) -> None:
        self.reference, self.slots = reference, slots
        self.start, self.end, self.tick = start, end, tick
        self.law = self.believed(reference)
        self.integrals: dict[tuple[str, int], Floats] = {}
        self.strata = [self.place(stratum) for stratum in reference.strata]

    def sample(self) -> Sample:
        """All ticks and slots, in the order of time."""
        ticks = range(self.start // self.tick, self.end // self.tick)
        drawn = [self.draw(tick, slot) for tick in ticks for slot in range(self.slots)]
        times, users = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
        order = np.argsort(times, kind="stable")
        return Sample(self.reference, self.start, self.end, self.tick, times[order], users[order], self.slots)

    def draw(self, tick: int, slot: int) -> tuple[Ints, Ints]:
        """Times and users of one slot in one tick."""
        rng = self.generator(tick, slot)
        parts = [self.of_stratum(rng, tick, slot, stratum) for stratum in self.strata]
        times, users = (np.concatenate(each) for each in zip(*parts, strict=True))
        return times, users

    def of_stratum(self, rng: Randomness, tick: int, slot: int, stratum: Stratum) -> tuple[Ints, Ints]:
        """The part of one stratum: Poisson, then times by the inverse integral, then users."""
        first = stratum.first + (slot - stratum.first) % self.slots
        residents = len(range(first, stratum.first + stratum.users, self.slots))
        begin = tick * self.tick
        mean = residents * self.law.user_mean(stratum.zone, begin, begin + self.tick)
        where = rng.random(self.count(rng, mean))
        ranks = self.ranks(rng, where, residents)
        return begin + self.offsets(stratum.zone, begin, where), first + ranks * self.slots

    def believed(self, reference: Reference) -> Reference:
        """The intensity that is simulated."""
        return reference

    def place(self, stratum: Stratum) -> Stratum:
        """The stratum that is simulated."""
        return stratum

    def generator(self, tick: int, slot: int) -> Randomness:
        """The randomness of one slot in one tick."""
        return np.random.default_rng([1, tick, slot])

    def count(self, rng: Randomness, mean: float) -> int:
        """How many events a stratum has in a slot and tick."""
        return int(rng.poisson(mean))

    def offsets(self, zone: str, begin: int, where: Floats) -> Ints:
        """Microseconds in the tick of the places `where` in [0, 1) of its integral."""
        knots = np.arange(0, self.tick + MINUTE, MINUTE)
        heights = self.heights(zone, begin)
        return np.asarray(np.interp(where * heights[-1], heights, knots).astype(np.int64))

    def heights(self, zone: str, begin: int) -> Floats:
        """The integral at the knots, a minute apart."""
        if (zone, begin) not in self.integrals:
            starts = range(begin, begin + self.tick, MINUTE)
            steps = [self.law.user_mean(zone, start, start + MINUTE) for start in starts]
            self.integrals[zone, begin] = np.concatenate([[0.0], np.cumsum(steps)])
        return self.integrals[zone, begin]

    def ranks(self, rng: Randomness, where: Floats, residents: int) -> Ints:
        """Which of the slot's residents of the stratum the users are."""
        return rng.integers(residents, size=where.size)


class BiasedModulo(Sound):
    """A byte modulo the number of residents: the first ones come more often."""

    def ranks(self, rng: Randomness, where: Floats, residents: int) -> Ints:
        return rng.integers(256, size=where.size) % residents


class ThirtyTwoBits(Sound):
    """User draws of 32 bits in a world of more users."""

    def ranks(self, rng: Randomness, where: Floats, residents: int) -> Ints:
        return rng.integers(2**32 // self.slots, size=where.size) % residents


class OneDrawForTimeAndUser(Sound):
    """The user comes from the number that the time came from."""

    def ranks(self, rng: Randomness, where: Floats, residents: int) -> Ints:
        return (where * residents).astype(np.int64)


class KeysWithoutTheTick(Sound):
    """Every tick of a slot starts from the same key."""

    def generator(self, tick: int, slot: int) -> Randomness:
        return np.random.default_rng([1, slot])


class KeysWithoutTheSlot(Sound):
    """Every slot of a tick starts from the same key."""

    def generator(self, tick: int, slot: int) -> Randomness:
        return np.random.default_rng([1, tick])


class AddedKeys(Sound):
    """Keys added instead of mixed: slot s of tick k is slot s + 1 of tick k - 1."""

    def generator(self, tick: int, slot: int) -> Randomness:
        return np.random.default_rng([1, tick + slot])


class RoundedCounts(Sound):
    """As many events as expected, not a Poisson number of them."""

    def count(self, rng: Randomness, mean: float) -> int:
        return math.floor(mean + rng.random())


class LooseCounts(Sound):
    """Counts with a randomness factor of their own: more variable than Poisson."""

    def count(self, rng: Randomness, mean: float) -> int:
        return int(rng.poisson(mean * rng.uniform(0.8, 1.2)))


class LostTick(Sound):
    """One tick in the middle has no events."""

    def draw(self, tick: int, slot: int) -> tuple[Ints, Ints]:
        times, users = super().draw(tick, slot)
        kept = slice(0) if tick == (self.start + self.end) // 2 // self.tick else slice(None)
        return times[kept], users[kept]


class UniformInTheBin(Sound):
    """Right counts, but times uniform within the tick."""

    def offsets(self, zone: str, begin: int, where: Floats) -> Ints:
        return (where * self.tick).astype(np.int64)


class CoarseClock(Sound):
    """Times in whole hundredths of a second."""

    def offsets(self, zone: str, begin: int, where: Floats) -> Ints:
        return super().offsets(zone, begin, where) // 10_000 * 10_000


class ShiftedHour(Sound):
    """Hourly values that stand at HH:00 of the next hour's place: the day comes an hour late."""

    def believed(self, reference: Reference) -> Reference:
        curve = reference.activity
        late = Activity(lambda hours: curve.value(hours - 1), curve.mean, curve.highest)
        return Reference(reference.strata, late, reference.per_user_and_second * 86_400)


class ValuesAtTheFullHour(Sound):
    """Hourly values that stand at HH:00 and not at HH:30."""

    def believed(self, reference: Reference) -> Reference:
        curve = reference.activity
        early = Activity(lambda hours: curve.value(hours + 0.5), curve.mean, curve.highest)
        return Reference(reference.strata, early, reference.per_user_and_second * 86_400)


class NothingRejected(Sound):
    """Thinning that rejects nothing: the total stays flat, only the mix follows the day."""

    def believed(self, reference: Reference) -> Reference:
        per_day = reference.per_user_and_second * 86_400
        return Reference(reference.strata, reference.activity, per_day, constant=True)


class WinterForEver(Sound):
    """New York keeps its standard time after the clocks went forward."""

    def place(self, stratum: Stratum) -> Stratum:
        zone = stratum.zone.replace("America/New_York", "Etc/GMT+5")
        return replace(stratum, zone=zone)


class WholeHours(Sound):
    """Offsets cut to whole hours: India lives half an hour late."""

    def place(self, stratum: Stratum) -> Stratum:
        return replace(stratum, zone=stratum.zone.replace("Asia/Kolkata", "Etc/GMT-5"))
