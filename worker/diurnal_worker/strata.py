"""The world's users: how many live in each country and time zone, and which slot owns each.

Users are numbered g = 0 .. users - 1, stratum after stratum; slot(g) = g mod 1024. Every slot so holds
its even share of every stratum, to one user, and all counts are closed forms: no memory a user.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diurnal_api.layout import SLOTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diurnal_worker.dataset import Dataset

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Stratum:
    """The users of one country in one time zone: g in [first, first + users)."""

    country: str
    zone: str
    first: int
    users: int


@dataclass(frozen=True)
class World:
    """A population compiled for generation; equal inputs give equal worlds."""

    strata: tuple[Stratum, ...]
    users: int
    seed: int

    @staticmethod
    def build(dataset: Dataset, users: int, seed: int) -> World:
        """Apportions ``users`` to the strata of ``dataset`` by population x internet fraction x share."""
        places = [
            (country.alpha3, zone, country.population * country.internet_fraction * share)
            for country in sorted(dataset.countries, key=lambda c: c.alpha3)
            for zone, share in sorted(country.zones)
        ]
        counts = apportion(users, [weight for _, _, weight in places])
        firsts = np.cumsum([0, *counts])
        strata = tuple(
            Stratum(country, zone, int(first), count)
            for (country, zone, _), first, count in zip(places, firsts, counts, strict=False)
        )
        return World(strata, users, seed)

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """The distinct time zones, sorted."""
        return tuple(sorted({stratum.zone for stratum in self.strata if stratum.users}))

    @cached_property
    def countries(self) -> tuple[str, ...]:
        """The distinct countries, sorted."""
        return tuple(sorted({stratum.country for stratum in self.strata}))

    @cached_property
    def firsts(self) -> I64:
        """First user index of every populated stratum, ascending, shape (populated,)."""
        return np.array([s.first for s in self.populated], np.int64)

    @cached_property
    def populated(self) -> tuple[Stratum, ...]:
        """The strata that have users, in the order of the axis."""
        return tuple(s for s in self.strata if s.users)

    @cached_property
    def zone_of(self) -> I64:
        """Index into ``zones`` of every populated stratum."""
        index = {zone: i for i, zone in enumerate(self.zones)}
        return np.array([index[s.zone] for s in self.populated], np.int64)

    @cached_property
    def country_of(self) -> I64:
        """Index into ``countries`` of every populated stratum."""
        index = {country: i for i, country in enumerate(self.countries)}
        return np.array([index[s.country] for s in self.populated], np.int64)

    @cached_property
    def users_by_zone_and_slot(self) -> I64:
        """Users of each zone in each slot, shape (zones, 1024)."""
        counts = np.zeros((len(self.zones), SLOTS), np.int64)
        for stratum, zone in zip(self.populated, self.zone_of, strict=True):
            counts[zone] += users_by_slot(stratum.first, stratum.users)
        return counts

    @cached_property
    def users_by_zone(self) -> I64:
        """Users of each zone, shape (zones,)."""
        totals: I64 = self.users_by_zone_and_slot.sum(axis=1)
        return totals

    @cached_property
    def slot_users(self) -> I64:
        """Users of every slot, shape (1024,)."""
        return users_by_slot(0, self.users)


def users_by_slot(first: int, users: int) -> I64:
    """How many of the users [first, first + users) fall to each slot, shape (1024,)."""
    slots = np.arange(SLOTS)
    return (first + users - 1 - slots) // SLOTS - (first - 1 - slots) // SLOTS


def apportion(total: int, weights: Sequence[Fraction]) -> list[int]:
    """Shares ``total`` by largest remainder (Hamilton), exactly; ties go to the earlier place."""
    sum_of_weights = sum(weights, Fraction(0))
    quotas = [total * weight / sum_of_weights for weight in weights]
    counts = [quota.numerator // quota.denominator for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda i: (counts[i] - quotas[i], i))
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts
