"""Planted defects: the engine with one mistake that generators of this kind have been known to make.

Each must be found by the same questions that the engine passes. Where a mistake is one of the engine's inputs
(clock, curve) the engine itself runs with it; where it is one of its draws, its draws are changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import ClassVar
from unittest import mock

import numpy as np

from checks import Ints
from diurnal_fidelity.scenarios import Scenario
from diurnal_worker import activity as curves
from diurnal_worker import arrivals as engine
from diurnal_worker.arrivals import Arrivals
from diurnal_worker.intensity import Intensity
from diurnal_worker.keyed import Purpose, Streams, key, streams
from diurnal_worker.strata import Stratum, World
from reference import SLOTS

ALL_SLOTS = range(SLOTS)


class Engine:
    """The engine as it is."""

    scenario_name: ClassVar[str] = ""
    describes: ClassVar[str] = "the engine as it is"

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = self.believed_world(scenario.world)
        curve = self.believed_curve(scenario.engine_curve)
        self.intensity = Intensity(self.world, curve, scenario.per_user_and_day, constant=scenario.constant)

    def believed_world(self, world: World) -> World:
        """The world that is simulated."""
        return world

    def believed_curve(self, curve: curves.Activity) -> curves.Activity:
        """The activity that is simulated."""
        return curve

    def arrivals(self, tick: int) -> Arrivals:
        """The events of a tick."""
        return engine.arrivals(self.world, self.intensity, tick, ALL_SLOTS)

    def planted(self) -> AbstractContextManager[object]:
        """Within it, the defect is there."""
        return nullcontext()

    def _rng(self, tick: int) -> np.random.Generator:
        return np.random.default_rng([tick, 3])


class BiasedModulo(Engine):
    """A user is a byte modulo the users of the stratum in the slot."""

    scenario_name = "season"
    describes = "a user is drawn as a byte modulo the number of candidates for it"

    def arrivals(self, tick: int) -> Arrivals:
        sound = super().arrivals(tick)
        strata = self.scenario.stratum_of(sound.users)
        firsts, sizes = self.scenario.firsts[strata], self.scenario.law.users[strata]
        first = firsts + (sound.users - firsts) % SLOTS
        residents = (firsts + sizes - 1 - first) // SLOTS + 1
        drawn = self._rng(tick).integers(256, size=len(sound))
        return replace(sound, users=first + drawn % residents * SLOTS)


class ReusedKeys(Engine):
    """Candidates are keyed without the tick: each slot draws the same in every tick."""

    scenario_name = "season"
    describes = "candidates are drawn from keys without the tick"

    @contextmanager
    def planted(self) -> Iterator[object]:
        def without_tick(world: World, purpose: Purpose, tick: int, slots: range) -> Streams:
            of = tick if purpose is Purpose.COUNT else 0
            return streams(key(world.seed, purpose), of, np.arange(slots.start, slots.stop, dtype=np.uint64))

        with mock.patch.object(engine, "_streams", without_tick) as patched:
            yield patched


class ShiftedHour(Engine):
    """Everyone's day comes an hour late."""

    scenario_name = "season"
    describes = "the curve peaks an hour late"

    def believed_curve(self, curve: curves.Activity) -> curves.Activity:
        assert isinstance(curve, curves.Cosine)
        return replace(curve, peak_hour=curve.peak_hour + 1)


class LostTick(Engine):
    """One tick, the eleventh, has no events."""

    scenario_name = "season"
    describes = "one tick of all is lost"

    def arrivals(self, tick: int) -> Arrivals:
        sound = super().arrivals(tick)
        lost = self.scenario.start // self.intensity.tick + 10
        return sound.part(slice(0)) if tick == lost else sound


class WrongDst(Engine):
    """Europe's clocks do not go back: summer time for ever."""

    scenario_name = "season"
    describes = "central Europe stays at summer time"

    def believed_world(self, world: World) -> World:
        return replace(world, strata=tuple(_in_summer(stratum) for stratum in world.strata))


class ThirtyTwoBitUsers(Engine):
    """A user is drawn with 32 bits, scaled to more users than that: one in five never comes."""

    scenario_name = "everyone"
    describes = "users are drawn with 32 bits, scaled to 5.4 x 10^9"

    def arrivals(self, tick: int) -> Arrivals:
        sound = super().arrivals(tick)
        return replace(sound, users=_through_32_bits(sound.users, self.scenario.users))


class UniformInBin(Engine):
    """Right counts, but times uniform within the tick."""

    scenario_name = "season"
    describes = "times are uniform within the tick"

    def arrivals(self, tick: int) -> Arrivals:
        sound = super().arrivals(tick)
        length = self.intensity.tick
        times = np.sort(self._rng(tick).integers(length, size=len(sound))) + tick * length
        users = self._rng(tick + 1).permutation(sound.users)
        return replace(sound, times=times, users=users)


DEFECTS: dict[str, type[Engine]] = {
    "a biased modulo": BiasedModulo,
    "reused keys": ReusedKeys,
    "a shifted hour": ShiftedHour,
    "a lost tick": LostTick,
    "a wrong DST": WrongDst,
    "32-bit user draws": ThirtyTwoBitUsers,
    "uniform in bin": UniformInBin,
}
SOURCES: dict[str, Callable[[Scenario], Engine]] = {"engine": Engine, **DEFECTS}

_CENTRAL_EUROPE = ("Europe/Berlin", "Europe/Paris", "Europe/Rome", "Europe/Madrid", "Europe/Warsaw")


def _in_summer(stratum: Stratum) -> Stratum:
    return replace(stratum, zone="Etc/GMT-2") if stratum.zone in _CENTRAL_EUROPE else stratum


def _through_32_bits(users: Ints, number: int) -> Ints:
    """The user that a draw of 32 bits, in place of one of 64, would have given."""
    words = users.astype(np.float64) * (2.0**32 / number)
    return np.asarray((np.floor(words) * (number / 2.0**32)).astype(np.int64))
