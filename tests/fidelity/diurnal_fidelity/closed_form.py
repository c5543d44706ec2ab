"""What a world should do, in closed form: expected events of every stratum and slot in a tick, by numpy.

Independent of the engine: local time from zoneinfo, antiderivatives in place of its polynomials, and
residents counted anew. `tests/worker/reference.py`, which is slower and plainer, is what this module is held
against.
"""

from __future__ import annotations

import functools
import importlib.resources
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from checks import Floats, Ints
from reference import DAY, HOUR, MINUTE, SLOTS, Stratum

KNOTS: Final = 64
"""Pieces of a tick, within each of which an intensity is taken for constant."""

_QUARTER: Final = 15 * MINUTE
_THURSDAY: Final = 3 * DAY  # 1970-01-01; weeks are counted from Monday
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)


class Curve(Protocol):
    """Activity over local time, in microseconds since Monday 00:00."""

    @property
    def mean(self) -> float:
        """Its mean over a nominal day or week."""

    def values(self, local: Floats) -> Floats:
        """Activity at local times."""

    def integrals(self, local: Floats, length: float) -> Floats:
        """Integrals over [local, local + length), in microseconds."""


@dataclass(frozen=True)
class Cosine:
    """1 at the peak hour, `floor` twelve hours later; its antiderivative is a sine."""

    peak_hour: float
    floor: float

    @property
    def mean(self) -> float:
        return (1 + self.floor) / 2

    def values(self, local: Floats) -> Floats:
        return self.mean + (1 - self.floor) / 2 * np.cos(self._angle(local))

    def integrals(self, local: Floats, length: float) -> Floats:
        swing = np.sin(self._angle(local + length)) - np.sin(self._angle(local))
        return self.mean * length + (1 - self.floor) / 2 * DAY / (2 * np.pi) * swing

    def _angle(self, local: Floats) -> Floats:
        return (local - self.peak_hour * HOUR) * (2 * np.pi / DAY)


@dataclass(frozen=True)
class Hourly:
    """24 or 168 values, value i at HH:30, linear between: the trapezium rule is exact between knots."""

    hours: tuple[float, ...]

    @property
    def mean(self) -> float:
        return math.fsum(self.hours) / len(self.hours)

    def values(self, local: Floats) -> Floats:
        places = np.arange(len(self.hours)) + 0.5
        return np.interp(local / HOUR, places, self.hours, period=len(self.hours))

    def integrals(self, local: Floats, length: float) -> Floats:
        return length * (self.values(local) + self.values(local + length)) / 2


@dataclass(frozen=True, eq=False)
class Expected:
    """The law of one tick. Groups are strata whose clocks show the same time."""

    group_of: Ints  # (strata,)
    user_means: Floats  # (groups,) events of one user
    stratum_means: Floats  # (strata,)
    slot_means: Floats  # (slots,)
    profiles: Floats  # (groups, KNOTS + 1): share of a group's events before each knot
    world: Floats  # (KNOTS + 1,): events of the world before each knot


class ClosedForm:
    """The intensity of populated strata under a curve; `constant` holds the world's total at its mean."""

    def __init__(
        self, strata: Sequence[Stratum], curve: Curve, per_user_and_day: float, *, constant: bool
    ) -> None:
        self.strata = tuple(strata)
        self.users = np.array([stratum.users for stratum in strata], np.int64)
        self._curve, self._constant = curve, constant
        self._per_user = per_user_and_day / DAY
        self._zones = sorted({stratum.zone for stratum in strata})
        self._zone_of = np.array([self._zones.index(stratum.zone) for stratum in strata])
        self.residents = np.array([_residents(stratum) for stratum in strata])
        self._quarter = -1
        self._shown = b""
        self._clock: tuple[Ints, Ints, Ints]

    @property
    def mean_rate(self) -> float:
        """Events a microsecond of the world, over a nominal day or week."""
        return float(self.users.sum()) * self._per_user

    def expected(self, start: int, length: int) -> Expected:
        """The law of the tick [start, start + length), which lies within a quarter of an hour."""
        offsets, group_of, residents = self._clocks(start // _QUARTER)
        knots, width = np.arange(KNOTS) * (length / KNOTS), length / KNOTS
        begins = (start + offsets + _THURSDAY) % (7 * DAY)  # as integers: instants are too long for floats
        pieces = self._integrals(begins[:, None] + knots, width, residents.sum(axis=1))
        means = pieces.sum(axis=1)
        upto = np.concatenate([np.zeros((offsets.size, 1)), np.cumsum(pieces, axis=1)], axis=1)
        return Expected(
            group_of=group_of,
            user_means=means,
            stratum_means=means[group_of] * self.users,
            slot_means=np.einsum("g,gs->s", means, residents),
            profiles=upto / np.maximum(means, np.finfo(float).tiny)[:, None],
            world=np.einsum("g,gk->k", residents.sum(axis=1), upto),
        )

    def _integrals(self, local: Floats, width: float, users: Ints) -> Floats:
        """Expected events of one user of each group in each piece, shape (groups, pieces)."""
        if not self._constant:
            return self._curve.integrals(local, width) * (self._per_user / self._curve.mean)
        total = np.zeros(local.shape)
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            values = self._curve.values(local + (node + 1) / 2 * width)
            total += weight / 2 * values / np.einsum("g,gp->p", users, values)
        return np.asarray(total * width * self._per_user * users.sum())

    def _clocks(self, quarter: int) -> tuple[Ints, Ints, Ints]:
        """Distinct UTC offsets, the group of each stratum, and residents by (group, slot)."""
        if quarter != self._quarter:
            of_zone = _offsets(self._zones, quarter)
            self._quarter = quarter
            if of_zone.tobytes() != self._shown:
                self._shown = of_zone.tobytes()
                self._clock = self._grouped(of_zone)
        return self._clock

    def _grouped(self, of_zone: Ints) -> tuple[Ints, Ints, Ints]:
        offsets, group_of = np.unique(of_zone[self._zone_of], return_inverse=True)
        residents = [self.residents[group_of == group].sum(axis=0) for group in range(offsets.size)]
        return offsets, group_of.astype(np.int64), np.array(residents)


def _residents(stratum: Stratum) -> Ints:
    """Users of a stratum in each slot: whole turns of the axis, and one more from where it begins."""
    turns, more = divmod(stratum.users, SLOTS)
    counts = np.full(SLOTS, turns, np.int64)
    counts[(stratum.first + np.arange(more)) % SLOTS] += 1
    return counts


@functools.cache
def _time_zone(name: str) -> ZoneInfo:
    with importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _offsets(zones: Sequence[str], quarter: int) -> Ints:
    """Microseconds from UTC to the local time of each zone."""
    moment = _EPOCH + timedelta(minutes=15 * quarter)
    found = (moment.astimezone(_time_zone(zone)).utcoffset() or timedelta() for zone in zones)
    return np.array([offset // timedelta(microseconds=1) for offset in found], np.int64)
