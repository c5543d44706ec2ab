"""The worlds that are watched, each for its share of all events; together they visit all of the engine.

A season has few people, long ticks, and the days on which Europe and North America change their clocks.
Everyone has more users than 32 bits count, and ticks of some milliseconds, around one such change. Level
holds its total constant under a jagged curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from checks import Floats, Ints
from diurnal_fidelity import closed_form
from diurnal_worker import activity as curves
from diurnal_worker.intensity import Intensity
from diurnal_worker.measured import measured_week
from diurnal_worker.sources import load
from diurnal_worker.strata import World
from reference import DAY, HOUR, MEASURED_WEEK, SECOND, Stratum, apportion, instant

JAGGED = tuple(float(1 + (7 * hour) % 11) for hour in range(24))
SEED = 42
_LARGEST_TABLE = 1 << 21


@dataclass(frozen=True)
class Scenario:
    """One world, as the engine takes it and in closed form, from `start` on or around it."""

    name: str
    describes: str
    users: int
    engine_curve: curves.Activity
    curve: closed_form.Curve
    start: int
    share: float
    centred: bool = False
    constant: bool = False
    per_user_and_day: float = 57.0
    cell: int = HOUR
    """Width in microseconds of the cells in which events are counted by stratum."""

    @property
    def cell_name(self) -> str:
        """What a cell is called."""
        return "hour" if self.cell == HOUR else "second"

    @cached_property
    def world(self) -> World:
        """The engine's world."""
        return World.build(load("world-2025"), self.users, SEED)

    @cached_property
    def intensity(self) -> Intensity:
        """The engine's intensity."""
        return Intensity(self.world, self.engine_curve, self.per_user_and_day, constant=self.constant)

    @cached_property
    def strata(self) -> tuple[Stratum, ...]:
        """The strata with users, by the reference's apportionment."""
        return tuple(s for s in apportion(load("world-2025").countries, self.users) if s.users)

    @cached_property
    def law(self) -> closed_form.ClosedForm:
        """The same world in closed form."""
        return closed_form.ClosedForm(self.strata, self.curve, self.per_user_and_day, constant=self.constant)

    @cached_property
    def firsts(self) -> Ints:
        """The first user of each stratum, shape (strata,)."""
        return np.array([stratum.first for stratum in self.strata], np.int64)

    @cached_property
    def sizes(self) -> Floats:
        """The users of each stratum, shape (strata,)."""
        return self.law.users.astype(float)

    def stratum_of(self, users: Ints) -> Ints:
        """Index into the strata of each user."""
        if self.users <= _LARGEST_TABLE:
            return self._table[users]
        return np.searchsorted(self.firsts, users, side="right").astype(np.int64) - 1

    @cached_property
    def _table(self) -> Ints:
        return np.repeat(np.arange(len(self.strata)), self.law.users)

    def ticks(self, events: float) -> range:
        """Ticks in which some `events` are expected."""
        tick = self.intensity.tick
        mean = self.law.mean_rate * tick
        if events < self.law.mean_rate * DAY:
            mean = float(self.law.expected(self.start // tick * tick, tick).stratum_means.sum())
        number = max(1, round(events / mean))
        first = self.start // tick - (number // 2 if self.centred else 0)
        return range(first, first + number)


SEASON = Scenario(
    "season",
    "100,000 users, cosine curve, from the day before Europe ends daylight saving on",
    users=100_000,
    engine_curve=curves.Cosine(16, 0.03),
    curve=closed_form.Cosine(16, 0.03),
    start=instant("2026-10-24T18:00:00Z"),
    share=0.6,
)
EVERYONE = Scenario(
    "everyone",
    "5.4 x 10^9 users, the measured week, around the end of daylight saving in eastern North America",
    users=5_400_000_000,
    engine_curve=curves.hourly(measured_week("shanghai-week")),
    curve=closed_form.Hourly(MEASURED_WEEK),
    start=instant("2026-11-01T06:00:00Z"),
    share=0.2,
    centred=True,
    cell=SECOND,
)
LEVEL = Scenario(
    "level",
    "1,000,000 users, a jagged day, the world's total held constant",
    users=1_000_000,
    engine_curve=curves.hourly(JAGGED),
    curve=closed_form.Hourly(JAGGED),
    start=instant("2026-03-08T00:00:00Z"),
    share=0.2,
    constant=True,
)
SCENARIOS = {scenario.name: scenario for scenario in (SEASON, EVERYONE, LEVEL)}
