"""The arrivals of one tick: an exact non-homogeneous Poisson process, count first.

The count of a slot in a tick is Poisson of its integral. Given the count, the events are independent
draws of (user, time) with density proportional to the user's rate, found by rejection: candidates are
uniform over the slot's users and the tick, accepted under the slot's envelope, and the first ``count``
accepted ones are the events (Lewis and Shedler 1979; Devroye 1986, VI.1.3). A squeeze settles most
candidates without looking at the curve. Slots in which hardly anyone is awake have a better way (``sparse``).

The world's order of events is (time, slot, number of the candidate), packed into one uint64 that sorts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from diurnal_api.layout import SLOTS
from diurnal_worker import kernel
from diurnal_worker.keyed import (
    U64,
    Purpose,
    Streams,
    key,
    mixed,
    mixed_in_place,
    scaled,
    streams,
    streams_of_ticks,
)
from diurnal_worker.poisson import poisson
from diurnal_worker.sparse import Sparse

if TYPE_CHECKING:
    from diurnal_worker.intensity import Intensity
    from diurnal_worker.strata import World

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_SLOT_BITS: Final = 10
_SLOT_SHIFT: Final = np.uint64(20)
_TIME_SHIFT: Final = np.uint64(34)
_NUMBERS: Final = 1 << 20
_NUMBER_MASK: Final = np.uint64(_NUMBERS - 1)
_BLOCK: Final = 1 << 15  # candidates at a time: what a core's cache holds
_COMPILED_BLOCK: Final = 1 << 18
_FEW: Final = 16  # events of one microsecond: beyond that, comparing each with each costs more than sorting


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Events of one tick in the world's order; arrays of one length."""

    times: I64  # microseconds since 1970
    users: I64  # global user index g
    ordinals: I64  # 0, or 1, 2, .. for the same user in the same microsecond
    order: U64  # the packed sort key within the tick: smaller comes first, over all slots

    def __len__(self) -> int:
        return int(self.times.size)

    def part(self, chosen: slice | NDArray[np.bool_]) -> Arrivals:
        """Some of the events, in the same order."""
        return Arrivals(self.times[chosen], self.users[chosen], self.ordinals[chosen], self.order[chosen])

    def between(self, start: int, end: int) -> Arrivals:
        """The events with start <= time < end."""
        first, last = np.searchsorted(self.times, [start, end])
        return self.part(slice(int(first), int(last)))


def counts(world: World, intensity: Intensity, ticks: I64, slots: range) -> I64:
    """Events of every slot of the contiguous ``slots`` in every tick (int64), without making them."""
    means = intensity.slot_means(ticks, slice(slots.start, slots.stop))
    numbers = np.arange(slots.start, slots.stop, dtype=np.uint64)
    drawn = streams_of_ticks(key(world.seed, Purpose.COUNT), ticks.tolist(), numbers)
    return poisson(means.reshape(-1), drawn).reshape(means.shape)


def arrivals(
    world: World, intensity: Intensity, tick: int, slots: range, wanted: I64 | None = None
) -> Arrivals:
    """The events of the contiguous ``slots`` in ``tick``, which covers [tick, tick + 1) x intensity.tick.

    ``wanted``: their ``counts``, where these are known.
    """
    if wanted is None:
        wanted = counts(world, intensity, np.array([tick]), slots)[0]
    drawn = _Tick(world, intensity, tick, slots)
    order = np.sort(drawn.first_accepted(wanted))
    return drawn.decoded(order)


def _streams(world: World, purpose: Purpose, tick: int, slots: range) -> Streams:
    return streams(key(world.seed, purpose), tick, np.arange(slots.start, slots.stop, dtype=np.uint64))


class _Tick:
    """What the candidates of one tick are judged by."""

    def __init__(self, world: World, intensity: Intensity, tick: int, slots: range) -> None:
        self.intensity = intensity
        self.tick = tick
        self.slots = slots
        self.index = user_index(world)
        self.stream = _streams(world, Purpose.CANDIDATE, tick, slots)
        self.slot_users = world.slot_users[slots.start : slots.stop].astype(np.uint64)
        self.bounds = intensity.acceptance(tick)
        self.envelope = self._envelopes()
        self.sparse = Sparse(world, slots, self.bounds, self.envelope, intensity.tick)
        offset = self.bounds.daylight.offset_of_stratum
        self.low_of_bucket = self.index.by_bucket(self.bounds.low[offset], np.minimum)
        self.high_of_bucket = self.index.by_bucket(self.bounds.high[offset], np.maximum)

    def _envelopes(self) -> F64:
        """The highest relative rate of any user of each slot."""
        present = self.bounds.daylight.users[:, self.slots.start : self.slots.stop] > 0
        if present.all():
            return np.full(len(self.slots), self.bounds.high.max())
        envelopes: F64 = np.where(present, self.bounds.high[:, None], 0.0).max(axis=0)
        return envelopes

    def first_accepted(self, wanted: I64) -> U64:
        """Order keys of the first ``wanted`` accepted candidates of every slot, unsorted."""
        found: list[U64] = []
        begun = np.zeros(wanted.shape, np.int64)
        rows = np.flatnonzero(wanted)
        missing = wanted[rows]
        chance = self._chance_of_acceptance()
        while rows.size:
            numbers = _expected_candidates(missing, chance[rows])
            by_number = np.argsort(numbers, kind="stable")
            rows, missing, numbers = rows[by_number], missing[by_number], numbers[by_number]
            taken = np.zeros(rows.shape, np.int64)
            for block, tried in _blocks(numbers):
                keys, taken[block] = self._try(rows[block], begun[rows[block]], tried, missing[block])
                found.append(keys)
                begun[rows[block]] += tried
            short = taken < missing
            rows, missing = rows[short], (missing - taken)[short]
        return np.concatenate(found) if found else np.zeros(0, np.uint64)

    def _chance_of_acceptance(self) -> F64:
        """Roughly how many candidates of a slot are accepted; decides how many are tried, not which."""
        daylight = self.bounds.daylight
        users = daylight.users[:, self.slots.start : self.slots.stop].astype(np.float64)
        middle = (self.bounds.low + self.bounds.high) * 0.5
        people = np.maximum(self.slot_users.astype(np.float64), 1.0)
        ceiling = np.where(self.sparse.slots, self.sparse.weight, people * self.envelope)
        ceiling = np.maximum(ceiling, np.finfo(float).tiny)
        chance: F64 = np.clip((middle[:, None] * users).sum(axis=0) / ceiling, 1e-3, 1.0)
        return chance

    def _try(self, rows: I64, begun: I64, tried: int, missing: I64) -> tuple[U64, I64]:
        """Judges candidates begun .. begun + tried - 1 of each slot; returns keys and how many were taken."""
        if int(begun.max()) + tried > _NUMBERS:
            raise OverflowError("a slot has more candidates in a tick than a sort key has numbers for")
        compiled = kernel.loaded()
        if compiled is not None and not self.sparse.slots.any():
            return self._try_compiled(compiled, rows, begun, tried, missing)
        gamma = self.stream.gamma[rows, None]
        users = self.slot_users[rows, None]
        state = gamma * (np.arange(tried, dtype=np.uint64) * np.uint64(2) + np.uint64(1))
        state += self.stream.base[rows, None] + gamma * (begun[:, None].astype(np.uint64) * np.uint64(2))
        judge = state + gamma
        scratch = np.empty_like(state)
        bits, judge = mixed_in_place(state, scratch), mixed_in_place(judge, scratch)
        judge >>= np.uint64(11)
        level = judge.astype(np.float64)
        level *= self.envelope[rows, None] * 2.0**-53
        accepted = self._squeezed(rows, level, bits, scaled(bits, users))
        self._judge_sparse(rows, bits, judge, accepted)
        rank = np.cumsum(accepted, axis=1, dtype=np.int32)
        accepted &= rank <= missing[:, None]
        taken = np.minimum(rank[:, -1], missing)
        hits = np.flatnonzero(accepted)
        row = np.repeat(np.arange(rows.size), taken)
        number = (hits - row * tried + begun[row]).astype(np.uint64)
        offset = self._offsets(rows[row], bits.reshape(-1)[hits])
        slot = (rows[row] + self.slots.start).astype(np.uint64)
        return (offset << _TIME_SHIFT) | (slot << _SLOT_SHIFT) | number, taken

    def _try_compiled(
        self, compiled: kernel.Kernel, rows: I64, begun: I64, tried: int, missing: I64
    ) -> tuple[U64, I64]:
        """The same by the kernel."""
        judges = kernel.Judges(
            self.stream.base[rows],
            self.stream.gamma[rows],
            begun.astype(np.uint64),
            self.slot_users[rows],
            self.envelope[rows] * 2.0**-53,
            self.low_of_bucket,
            self.high_of_bucket,
            self.index.shift,
        )
        judged = compiled.judge(judges, missing, tried)
        decided = self._by_the_curve(rows[judged.unsure // tried], judged.bits, judged.levels)
        judged.accepted.reshape(-1)[judged.unsure] = decided
        slots = (rows + self.slots.start).astype(np.uint64)
        return compiled.collect(judges, judged.accepted, missing, np.uint64(self.intensity.tick), slots)

    def _squeezed(self, rows: I64, level: F64, bits: U64, inside: U64) -> NDArray[np.bool_]:
        """Which candidates pass: below the low bound all, above the high one none, else the curve decides."""
        bucket = (inside >> self.index.shift).view(np.int64)
        accepted: NDArray[np.bool_] = level < self.high_of_bucket[bucket]
        below = np.flatnonzero(accepted)
        sure = level.reshape(-1)[below] < self.low_of_bucket[bucket.reshape(-1)[below]]
        unsure = below[~sure]
        if unsure.size:
            of_row = rows[unsure // level.shape[1]]
            flat = bits.reshape(-1)[unsure], level.reshape(-1)[unsure]
            accepted.reshape(-1)[unsure] = self._by_the_curve(of_row, *flat)
        return accepted

    def _by_the_curve(self, rows: I64, bits: U64, levels: F64) -> NDArray[np.bool_]:
        """Whether single candidates lie below their user's rate at their time."""
        residents = self.slot_users[rows]
        users = (scaled(bits, residents).astype(np.int64) << _SLOT_BITS) + rows + self.slots.start
        offsets = self.bounds.daylight.offset_of_stratum[self.index.stratum(users)]
        into_tick = scaled(bits * residents, np.uint64(self.intensity.tick))
        accepted = np.zeros(levels.shape, np.bool_)
        unsure: slice | NDArray[np.intp] = slice(None)
        if (pieces := self.bounds.pieces) is not None:
            piece = into_tick.astype(np.int64) // pieces.length
            accepted = levels < pieces.low[piece, offsets]
            unsure = np.flatnonzero(~accepted & (levels < pieces.high[piece, offsets]))
        instants = self.tick * self.intensity.tick + into_tick[unsure].astype(np.int64)
        rates = self.intensity.relative_rates(instants, offsets[unsure], self.bounds.daylight)
        accepted[unsure] = levels[unsure] < rates
        return accepted

    def _judge_sparse(self, rows: I64, bits: U64, judge: U64, accepted: NDArray[np.bool_]) -> None:
        """Overrides the verdicts on the sparse slots among ``rows``."""
        chosen = np.flatnonzero(self.sparse.slots[rows])
        if chosen.size:
            placed = self.sparse.placed(np.repeat(rows[chosen], bits.shape[1]), bits[chosen].reshape(-1))
            uniform = judge[chosen].reshape(-1).astype(np.float64) * 2.0**-53
            verdicts = self.sparse.accepted(self.intensity, self.tick * self.intensity.tick, placed, uniform)
            accepted[chosen] = verdicts.reshape(chosen.size, -1)

    def _offsets(self, rows: I64, bits: U64) -> U64:
        """Microseconds into the tick of single candidates."""
        offsets = scaled(bits * self.slot_users[rows], np.uint64(self.intensity.tick))
        chosen = np.flatnonzero(self.sparse.slots[rows])
        if chosen.size:
            offsets[chosen] = self.sparse.placed(rows[chosen], bits[chosen]).offsets
        return offsets

    def decoded(self, order: U64) -> Arrivals:
        """The events behind sorted order keys: bits are drawn again, which is cheaper than carrying them."""
        start = self.tick * self.intensity.tick
        compiled = kernel.loaded()
        if compiled is not None and not self.sparse.slots.any():
            times, users = compiled.decode(order, *self.stream, self.slot_users, self.slots.start)
            times += start
            return Arrivals(times, users, _ordinals(times, users), order)
        row = ((order >> _SLOT_SHIFT) & np.uint64(SLOTS - 1)).astype(np.int64) - self.slots.start
        number = order & _NUMBER_MASK
        bits = mixed(self.stream.base[row] + self.stream.gamma[row] * (number * np.uint64(2) + np.uint64(1)))
        inside = scaled(bits, self.slot_users[row]).astype(np.int64)
        users = (inside << _SLOT_BITS) + row + self.slots.start
        chosen = np.flatnonzero(self.sparse.slots[row])
        if chosen.size:
            users[chosen] = self.sparse.placed(row[chosen], bits[chosen]).users
        times = (order >> _TIME_SHIFT).astype(np.int64) + start
        return Arrivals(times, users, _ordinals(times, users), order)


def _expected_candidates(wanted: I64, chance: F64) -> I64:
    """How many candidates to try at once: the mean for ``wanted`` and two standard deviations."""
    mean = wanted / chance
    return (mean + 2.0 * np.sqrt(mean * (1.0 - chance) / chance) + 2.0).astype(np.int64)


def _blocks(numbers: I64) -> list[tuple[slice, int]]:
    """Cuts ascending rows into (rows, candidates a row); numpy wants what a cache holds."""
    blocks, end = [], numbers.size
    most = _BLOCK if kernel.loaded() is None else _COMPILED_BLOCK
    while end > 0:
        tried = int(numbers[end - 1])
        first = max(end - max(most // tried, 1), 0)
        blocks.append((slice(first, end), tried))
        end = first
    return blocks


def _ordinals(times: I64, users: I64) -> I64:
    """0 for the first event of a user in a microsecond, 1 for the next: what makes their ids differ."""
    ordinals = np.zeros(times.shape, np.int64)
    if not _some_user_may_come_twice(times, users):
        return ordinals
    shared = times[1:] == times[:-1]
    members = np.flatnonzero(np.append(shared, False) | np.append(False, shared))
    order = members[np.lexsort((users[members], times[members]))]
    again = (times[order][1:] == times[order][:-1]) & (users[order][1:] == users[order][:-1])
    place = np.arange(order.size)
    ordinals[order] = place - np.maximum.accumulate(np.where(np.append(False, again), 0, place))
    return ordinals


def _some_user_may_come_twice(times: I64, users: I64) -> bool:
    """Whether two events may share time and user; ``times`` ascend. In a big world few ticks have such."""
    first = np.flatnonzero(times[1:] == times[:-1])
    distance = 1
    while first.size:
        if distance > _FEW or (users[first] == users[first + distance]).any():
            return True
        distance += 1
        first = first[: np.searchsorted(first, times.size - distance)]
        first = first[times[first] == times[first + distance]]
    return False


@dataclass(frozen=True, eq=False)
class UserIndex:
    """From a user to the stratum it lives in: a table of buckets on the axis, exact at their borders."""

    shift: np.uint64  # bucket of the user with rank j in its slot: j >> shift
    stratum_of_bucket: I64  # populated stratum, or -1 where a border runs through the bucket
    firsts: I64
    borders: I64  # the buckets with several strata, and which: [first, last + 1, first, last + 1, ..]
    several: I64

    def by_bucket(self, of_stratum: F64, extreme: np.ufunc) -> F64:
        """A value of every bucket: its stratum's, or the extreme one of its strata."""
        values: F64 = of_stratum[self.stratum_of_bucket]
        if self.borders.size:
            padded = np.append(of_stratum, of_stratum[-1])  # where a bucket ends with the last stratum
            values[self.borders] = extreme.reduceat(padded, self.several)[::2]
        return values

    def stratum(self, users: I64) -> I64:
        """Index into ``world.populated`` of each user index g, same shape."""
        strata: I64 = self.stratum_of_bucket[users >> (_SLOT_BITS + int(self.shift))]
        borders = np.flatnonzero(strata < 0)
        if borders.size:
            strata[borders] = np.searchsorted(self.firsts, users[borders], side="right") - 1
        return strata


_MOST_BUCKETS: Final = 1 << 14


def user_index(world: World) -> UserIndex:
    """The index of ``world``, built once and kept with it."""
    cached = world.__dict__.get("_user_index")
    if cached is None:
        cached = world.__dict__["_user_index"] = _build_index(world)
    index: UserIndex = cached
    return index


def _build_index(world: World) -> UserIndex:
    ranks = -(-world.users // SLOTS)
    shift = max(0, (ranks - 1).bit_length() - _MOST_BUCKETS.bit_length() + 1)
    width = SLOTS << shift
    starts = np.arange(0, world.users, width)
    ends = np.minimum(starts + width, world.users) - 1
    first = np.searchsorted(world.firsts, starts, side="right") - 1
    last = np.searchsorted(world.firsts, ends, side="right") - 1
    borders = np.flatnonzero(first != last)
    several = np.stack((first[borders], last[borders] + 1), axis=1).reshape(-1)
    return UserIndex(np.uint64(shift), np.where(first == last, first, -1), world.firsts, borders, several)
