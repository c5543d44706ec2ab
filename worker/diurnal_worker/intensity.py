"""The intensity of one regime: how many events each slot expects in each tick.

Strata with the same UTC offset at a moment share one activity, so users are counted by (offset, slot)
in integers, and the mean of a slot in a tick is a sum over some forty offsets in ascending order. Every
shard computes the same bits for every slot, and so knows the world's count of every tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from diurnal_api.layout import SLOTS
from diurnal_worker.activity import DAY, SECOND, Activity
from diurnal_worker.zones import QUARTER, Offsets

if TYPE_CHECKING:
    from diurnal_worker.strata import World

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

MOST_EVENTS_A_TICK: Final = 2**17
_STEEP: Final = 16.0  # growth within a tick from which on levelled rates are bounded with more care
_PIECES: Final = 16
_SLACK: Final = 2.0**-30  # more than levelled rates are ever rounded, relative
# Gauss-Legendre of order 5 on [0, 1]: Abramowitz and Stegun, table 25.4.
_NODES: Final = (0.04691007703066802, 0.23076534494715845, 0.5, 0.7692346550528415, 0.953089922969332)
_WEIGHTS: Final = (
    0.11846344252809454,
    0.23931433524968324,
    0.28444444444444444,
    0.23931433524968324,
    0.11846344252809454,
)


@dataclass(frozen=True, eq=False)
class Daylight:
    """Who shares which local time for as long as no zone changes its offset."""

    offsets: I64  # (offsets,), ascending, microseconds
    users: I64  # (offsets, 1024)
    offset_of_stratum: I64  # (populated strata,): index into offsets

    @cached_property
    def columns(self) -> tuple[F64, I64]:
        """The distinct columns of ``users`` in the order of slots, float64, and which of them each slot has.

        Neighbouring slots differ only where a stratum begins, so there are fewer columns than slots.
        """
        begins = np.append(True, (self.users[:, 1:] != self.users[:, :-1]).any(axis=0))
        return self.users[:, begins].astype(np.float64), np.cumsum(begins) - 1

    @property
    def totals(self) -> F64:
        """Users of each offset in the whole world, float64."""
        totals: F64 = self.users.sum(axis=1).astype(np.float64)
        return totals


@dataclass(frozen=True, eq=False)
class Acceptance:
    """Bounds of a user's relative rate in one tick, by offset, for rejection with a squeeze."""

    low: F64  # (offsets,)
    high: F64  # (offsets,)
    daylight: Daylight
    pieces: Pieces | None = None


@dataclass(frozen=True, eq=False)
class Pieces:
    """Closer bounds, in pieces of the tick: they spare most looks at a levelled curve, which are dear."""

    length: int  # microseconds
    low: F64  # (pieces, offsets)
    high: F64  # (pieces, offsets)


class Intensity:
    """The rate of every slot in every tick under one world, mean rate, total and activity.

    ``events_per_user_per_day`` is the mean over the curve's nominal period; ``constant`` holds the world's
    total at its mean. ``tick`` is the tick's length in microseconds.
    """

    def __init__(
        self, world: World, activity: Activity, events_per_user_per_day: float, *, constant: bool = False
    ) -> None:
        self.world = world
        self.activity = activity
        self.constant = constant
        self.mean_rate = world.users * events_per_user_per_day / (DAY // SECOND)  # events a second
        self._per_user = events_per_user_per_day / DAY / activity.mean  # a microsecond at m = 1
        self._offsets = Offsets(world.zones)
        self._daylight: Daylight | None = None
        self._daylight_key = b""
        self.tick = tick_length(self._highest_rate())

    def _highest_rate(self) -> float:
        """Events a second that the world never exceeds: all awake at once, or the constant total."""
        if self.constant:
            return self.mean_rate
        top = self.activity.bounds(np.arange(0, 7 * DAY, QUARTER), QUARTER)[1].max()
        return float(self.mean_rate * top / self.activity.mean)

    def daylight(self, instant: int) -> Daylight:
        """Who shares which local time in the quarter hour of ``instant``."""
        offsets = self._offsets.at(instant // QUARTER)
        key = offsets.tobytes()
        if self._daylight is None or key != self._daylight_key:
            self._daylight, self._daylight_key = self._grouped(offsets), key
        return self._daylight

    def _grouped(self, offsets: I64) -> Daylight:
        distinct, group = np.unique(offsets, return_inverse=True)
        users = np.zeros((distinct.size, SLOTS), np.int64)
        np.add.at(users, group, self.world.users_by_zone_and_slot)
        return Daylight(distinct, users, group[self.world.zone_of])

    def slot_means(self, ticks: I64, slots: slice = slice(0, SLOTS)) -> F64:
        """Expected events of each slot in each of ``ticks`` (ascending int64), shape (ticks, slots)."""
        means = np.zeros((ticks.size, len(range(*slots.indices(SLOTS)))))
        for run in self._by_daylight(ticks):
            daylight = self.daylight(int(ticks[run.start]) * self.tick)
            shares = self.user_means(ticks[run], daylight)
            users, column_of = daylight.columns
            own = column_of[slots]
            if own.size:
                means[run] = _weighted(shares, users[:, own[0] : own[-1] + 1])[:, own - own[0]]
        return means

    def world_means(self, starts: I64, length: int) -> F64:
        """Expected events of the world in [start, start + length), length within a quarter hour."""
        means = np.zeros(starts.size)
        for i, start in enumerate(starts):
            daylight = self.daylight(int(start))
            means[i] = (self._integrals(start[None], length, daylight)[0] * daylight.totals).sum()
        return means

    def world_rate(self, instants: I64) -> F64:
        """The world's events a second at ``instants`` (int64 microseconds), same shape."""
        if self.constant:
            return np.full(instants.shape, self.mean_rate)
        rates = np.zeros(instants.shape)
        for i, instant in enumerate(instants):
            daylight = self.daylight(int(instant))
            rates[i] = (self.activity.values(instant + daylight.offsets) * daylight.totals).sum()
        return rates * (self._per_user * SECOND)

    def stratum_means(self, starts: I64, ends: I64) -> F64:
        """Expected events of every populated stratum in [start, end), shape (intervals, strata)."""
        users = np.array([s.users for s in self.world.populated], np.float64)
        means = np.zeros((starts.size, users.size))
        for i, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            for begin, stop in _quarters(start, end):
                daylight = self.daylight(begin)
                share = self._integrals(np.array([begin]), stop - begin, daylight)[0]
                means[i] += share[daylight.offset_of_stratum] * users
        return means

    def user_means(self, ticks: I64, daylight: Daylight) -> F64:
        """Expected events of one user of each offset in each tick, shape (ticks, offsets)."""
        return self._integrals(ticks * self.tick, self.tick, daylight)

    def _integrals(self, starts: I64, length: int, daylight: Daylight) -> F64:
        local = starts[:, None] + daylight.offsets
        if not self.constant:
            return self.activity.integrals(local, length) * self._per_user
        total = np.zeros(local.shape)
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            inside = round(node * length)
            values = self.activity.values(local + inside)
            total = total + weight * (values * self._levelling(values, daylight))
        return total * (length * self._per_user)

    def _levelling(self, values: F64, daylight: Daylight) -> F64:
        """mean(Lambda) / Lambda(t) for activities (..., offsets): what holds the total at its mean."""
        awake = np.zeros(values.shape[:-1])
        for offset, users in enumerate(daylight.totals.tolist()):
            awake = awake + values[..., offset] * users
        return (self.world.users * self.activity.mean / awake)[..., None]

    def acceptance(self, tick: int) -> Acceptance:
        """Bounds of each offset's relative rate in ``tick``."""
        start = tick * self.tick
        daylight = self.daylight(start)
        low, high = self.activity.bounds(start + daylight.offsets, self.tick)
        if self.constant:
            steep = bool((high > _STEEP * low).any())
            low, high = low * self._levelling(high, daylight), high * self._levelling(low, daylight)
            pieces = self._pieces(start, daylight)
            if steep:
                low, high = self._steep_bounds(start, daylight, pieces)
            return Acceptance(low, high, daylight, pieces)
        return Acceptance(low, high, daylight)

    def _pieces(self, start: int, daylight: Daylight) -> Pieces:
        """Bounds of levelled rates in pieces of the tick from ``start`` on."""
        length = -(-self.tick // _PIECES)
        starts = start + np.minimum(np.arange(_PIECES) * length, self.tick - length)  # none beyond a knot
        low, high = self.activity.bounds(starts[:, None] + daylight.offsets, length)
        return Pieces(length, low * self._levelling(high, daylight), high * self._levelling(low, daylight))

    def _steep_bounds(self, start: int, daylight: Daylight, pieces: Pieces) -> tuple[F64, F64]:
        """Bounds of levelled rates where activity grows manyfold in a tick, and the world's grows with it.

        A quotient of two lines is monotone, so its ends bound it; other curves are bounded in pieces.
        """
        if self.activity.straight:
            ends = np.array([[start], [start + self.tick]]) + daylight.offsets
            values = self.activity.values(ends)
            rates = values * self._levelling(values, daylight)
            return rates.min(axis=0) * (1.0 - _SLACK), rates.max(axis=0) * (1.0 + _SLACK)
        return pieces.low.min(axis=0), pieces.high.max(axis=0)

    def relative_rates(self, instants: I64, offsets: I64, daylight: Daylight) -> F64:
        """The relative rate of a user at ``instants``, living at ``daylight.offsets[offsets]``."""
        if not self.constant:
            return self.activity.values(instants + daylight.offsets[offsets])
        values = self.activity.values(instants[:, None] + daylight.offsets)
        levelled = values * self._levelling(values, daylight)
        return np.take_along_axis(levelled, offsets[:, None], axis=1)[:, 0]

    def _by_daylight(self, ticks: I64) -> list[slice]:
        """Runs of ``ticks`` that share one daylight, as slices."""
        quarters = ticks * self.tick // QUARTER
        keys = [self._offsets.at(int(q)).tobytes() for q in quarters]
        cuts = [i for i in range(1, len(keys)) if keys[i] != keys[i - 1]]
        return [slice(a, b) for a, b in zip([0, *cuts], [*cuts, len(keys)], strict=True) if a < b]


def _weighted(shares: F64, users: F64) -> F64:
    """Sums of shares (ticks, offsets) times users (offsets, columns), in the order of offsets."""
    sums = np.zeros((shares.shape[0], users.shape[1]))
    product = np.empty_like(sums)
    for offset in range(users.shape[0]):
        np.multiply(shares[:, offset, None], users[offset], out=product)
        sums += product
    return sums


def tick_length(highest_rate: float) -> int:
    """The longest divisor of 900 s, in microseconds, in which some 2^17 events are expected at most."""
    limit = MOST_EVENTS_A_TICK / highest_rate * SECOND
    fitting = [d for d in _divisors_of_a_quarter() if d <= limit]
    return max(fitting, default=1)


def _divisors_of_a_quarter() -> list[int]:
    """900 s = 2^8 x 3^2 x 5^8 microseconds."""
    return [2**a * 3**b * 5**c for a in range(9) for b in range(3) for c in range(9)]


def _quarters(start: int, end: int) -> list[tuple[int, int]]:
    """[start, end) cut at the quarter hours."""
    cuts = [start, *range(start - start % QUARTER + QUARTER, end, QUARTER), end]
    return [(a, b) for a, b in pairwise(cuts) if a < b]
