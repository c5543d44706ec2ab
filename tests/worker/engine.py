"""The engine under test beside its reference: the one place where the two are given the same world."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from diurnal_worker import activity as curves
from diurnal_worker.arrivals import arrivals
from diurnal_worker.dataset import Country, Dataset
from diurnal_worker.intensity import Intensity
from diurnal_worker.strata import World
from reference import SLOTS, Activity, Reference, apportion, cosine, hourly
from samples import Sample


@dataclass(frozen=True)
class Curve:
    """One activity, as the engine takes it and as the reference does."""

    engine: curves.Activity
    reference: Activity


DAY_AND_NIGHT = Curve(curves.Cosine(16, 0.03), cosine(16, 0.03))


def hours(values: Sequence[float]) -> Curve:
    """An hourly curve for both."""
    return Curve(curves.hourly(values), hourly(values))


def dataset(*places: tuple[str, str, int]) -> Dataset:
    """A world of one-zone countries: (alpha3, zone, people online)."""
    countries = [
        Country(alpha3, alpha3, people, Fraction(1), ((zone, Fraction(1)),))
        for alpha3, zone, people in places
    ]
    return Dataset(tuple(countries), "test", None, "0" * 64)


@dataclass(frozen=True)
class Case:
    """A world with its intensity, and the reference of the same."""

    world: World
    intensity: Intensity
    reference: Reference

    def draw(self, start: int, end: int, slots: range = range(SLOTS)) -> Sample:
        """The engine's events in [start, end), which must lie on its ticks."""
        tick = self.intensity.tick
        assert start % tick == end % tick == 0
        drawn = (arrivals(self.world, self.intensity, k, slots) for k in range(start // tick, end // tick))
        times, users = zip(*((part.times, part.users) for part in drawn), strict=True)
        return Sample(self.reference, start, end, tick, np.concatenate(times), np.concatenate(users))


def case(
    countries: Dataset,
    users: int,
    curve: Curve,
    per_user_and_day: float,
    *,
    constant: bool = False,
    seed: int = 42,
) -> Case:
    """The engine and the reference for one world."""
    world = World.build(countries, users, seed)
    intensity = Intensity(world, curve.engine, per_user_and_day, constant=constant)
    strata = apportion(countries.countries, users)
    return Case(world, intensity, Reference(strata, curve.reference, per_user_and_day, constant))
