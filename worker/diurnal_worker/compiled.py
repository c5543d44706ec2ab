"""The kernel compiled by numba: the same arithmetic as the numpy modules, candidate by candidate.

Every function names the one whose bits it repeats. Integers are uint64 throughout, because numba makes a
float of a uint64 and an int64; floats are multiplied and compared only, without fastmath, so that no bit
differs. Compiled once and kept in numba's cache (NUMBA_CACHE_DIR where the package's folder is read-only).
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from diurnal_worker.kernel import I64, U8, U64, Entries, Judged, Judges

_FAST = {"cache": True, "nogil": True, "boundscheck": False}
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_ONE, _TWO, _11, _27, _30, _31, _32 = (np.uint64(n) for n in (1, 2, 11, 27, 30, 31, 32))
_LOW32 = np.uint64(0xFFFFFFFF)
_HALF = np.uint64((1 << 61) - 1)
_SLOT_SHIFT, _TIME_SHIFT, _SLOT_BITS = np.uint64(20), np.uint64(34), np.uint64(10)
_SLOT_MASK, _NUMBER_MASK = np.uint64(1023), np.uint64((1 << 20) - 1)
_4, _8, _16 = np.uint64(4), np.uint64(8), np.uint64(16)
_NIBBLES = tuple(np.uint64(n) for n in (0x0000FFFF0000FFFF, 0x00FF00FF00FF00FF, 0x0F0F0F0F0F0F0F0F))
_SIXES, _ONES, _ZEROS = (np.uint64(n * 0x0101010101010101) for n in (6, 1, 0x30))
_TO_LETTERS = np.uint64(ord("a") - ord("9") - 1)
_EVEN_BYTES, _EVEN_PAIRS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)


@njit(inline="always", **_FAST)
def _mix(value):
    """``keyed.mix``"""
    value = (value ^ (value >> _30)) * _M1
    value = (value ^ (value >> _27)) * _M2
    return value ^ (value >> _31)


@njit(inline="always", **_FAST)
def _scaled(bits, bound):
    """``keyed.scaled``"""
    return ((bits >> _32) * bound + (((bits & _LOW32) * bound) >> _32)) >> _32


@njit(**_FAST)
def _judge(base, gamma, begun, users, scale, low, high, shift, missing, accepted, unsure, bits, levels):
    """``arrivals._Tick._try``, up to what the curve must decide; returns how many that are."""
    found, tried = 0, accepted.shape[1]
    for row in range(base.size):
        step = gamma[row] * _TWO
        state = base[row] + step * begun[row] + gamma[row]
        enough = missing[row]
        for number in range(tried):
            draw = _mix(state)
            level = np.float64(_mix(state + gamma[row]) >> _11) * scale[row]
            bucket = _scaled(draw, users[row]) >> shift
            sure = level < low[bucket]
            accepted[row, number] = sure
            if (level < high[bucket]) != sure:  # one rare branch: what is below low is below high
                unsure[found], bits[found], levels[found] = row * tried + number, draw, level
                found += 1
            enough -= sure
            if enough == 0:
                break
            state += step
    return found


@njit(**_FAST)
def _collect(base, gamma, begun, users, accepted, missing, tick, slots, keys, taken):
    """``arrivals._Tick._try`` from the verdicts on; returns how many keys there are."""
    found = 0
    for row in range(base.size):
        for number in range(accepted.shape[1]):
            if taken[row] == missing[row]:
                break
            if accepted[row, number]:
                candidate = begun[row] + np.uint64(number)
                draw = _mix(base[row] + gamma[row] * (candidate * _TWO + _ONE))
                offset = _scaled(draw * users[row], tick)
                keys[found] = (offset << _TIME_SHIFT) | (slots[row] << _SLOT_SHIFT) | candidate
                taken[row] += 1
                found += 1
    return found


@njit(**_FAST)
def _decode(order, base, gamma, users, first_slot, times, found):
    """``arrivals._Tick.decoded``"""
    for i in range(order.size):
        slot = (order[i] >> _SLOT_SHIFT) & _SLOT_MASK
        row = slot - first_slot
        number = order[i] & _NUMBER_MASK
        draw = _mix(base[row] + gamma[row] * (number * _TWO + _ONE))
        times[i] = order[i] >> _TIME_SHIFT
        found[i] = (_scaled(draw, users[row]) << _SLOT_BITS) + slot


@njit(**_FAST)
def _choose(thresholds, bits, out):
    """``choice.choose``"""
    for i in range(bits.size):
        at = 0
        for threshold in thresholds:
            at += threshold <= bits[i]
        out[i] = at


@njit(**_FAST)
def _permute(keys, left, right, out_left, out_right):
    """``identifiers.permuted``"""
    for i in range(left.size):
        a, b = left[i], right[i]
        for key in keys:
            a, b = b, a ^ (_mix(b + key) & _HALF)
        out_left[i], out_right[i] = a, b


@intrinsic
def _copy(typing, out, to, table, begin, length):
    """Moves ``length`` bytes from ``table[begin]`` to ``out[to]``: one memcpy, as no loop here is."""

    def generate(context, builder, signature, arguments):
        arrays = [context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 2)]
        target, source = (builder.gep(array, [arguments[i]]) for array, i in zip(arrays, (1, 3), strict=True))
        cgutils.raw_memcpy(builder, target, source, arguments[4], 1)
        return context.get_dummy_value()

    return types.void(out, types.int64, table, types.int64, types.int64), generate


@intrinsic
def _put(typing, out, to, word):
    """Stores an integer at ``out[to]``, whatever the alignment."""

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        target = builder.bitcast(
            builder.gep(array.data, [arguments[1]]), context.get_value_type(word).as_pointer()
        )
        builder.store(arguments[2], target, align=1)
        return context.get_dummy_value()

    return types.void(out, types.int64, word), generate


@njit(inline="always", **_FAST)
def _hexadecimal(half):
    """``text._hexadecimal``: eight digits in a register, the first one first in memory."""
    digits = half
    digits = (digits | (digits << _16)) & _NIBBLES[0]
    digits = (digits | (digits << _8)) & _NIBBLES[1]
    digits = (digits | (digits << _4)) & _NIBBLES[2]
    letters = (((digits + _SIXES) >> _4) & _ONES) * _TO_LETTERS
    digits += _ZEROS + letters
    digits = ((digits & _EVEN_BYTES) << _8) | ((digits >> _8) & _EVEN_BYTES)
    digits = ((digits & _EVEN_PAIRS) << _16) | ((digits >> _16) & _EVEN_PAIRS)
    return (digits << _32) | (digits >> _32)


@njit(**_FAST)
def _uuids(out, starts, high, low):
    """``text.write_uuids``"""
    dash = np.uint8(45)
    for row in range(starts.size):
        at = starts[row]
        second, third = _hexadecimal(high[row] & _LOW32), _hexadecimal(low[row] >> _32)
        _put(out, at, _hexadecimal(high[row] >> _32))
        _put(out, at + 8, dash)
        _put(out, at + 9, np.uint32(second))
        _put(out, at + 13, dash)
        _put(out, at + 14, np.uint32(second >> _32))
        _put(out, at + 18, dash)
        _put(out, at + 19, np.uint32(third))
        _put(out, at + 23, dash)
        _put(out, at + 24, np.uint32(third >> _32))
        _put(out, at + 28, _hexadecimal(low[row] & _LOW32))


@njit(**_FAST)
def _place(out, starts, table, begins, lengths, index):
    """``rows._Varied.place``"""
    for row in range(starts.size):
        entry = index[row]
        _copy(out, starts[row], table, begins[entry], lengths[entry])


@njit(**_FAST)
def _place_matrix(out, starts, matrix):
    """``rows._place``: a row of the matrix each, or its only row for all"""
    width = matrix.shape[1]
    step = 0 if matrix.shape[0] == 1 else width
    flat = matrix.reshape(-1)
    for row in range(starts.size):
        _copy(out, starts[row], flat, row * step, width)


class Compiled:
    """See ``kernel.Kernel``."""

    def judge(self, judges: Judges, missing: I64, tried: int) -> Judged:
        rows = judges.base.size
        accepted = np.zeros((rows, tried), np.uint8)
        unsure, bits = np.empty(rows * tried, np.int64), np.empty(rows * tried, np.uint64)
        levels = np.empty(rows * tried)
        found = _judge(*judges, missing, accepted, unsure, bits, levels)
        return Judged(accepted, unsure[:found], bits[:found], levels[:found])

    def collect(
        self, judges: Judges, accepted: U8, missing: I64, tick: np.uint64, slots: U64
    ) -> tuple[U64, I64]:
        keys, taken = np.empty(int(missing.sum()), np.uint64), np.zeros(missing.size, np.int64)
        found = _collect(
            judges.base, judges.gamma, judges.begun, judges.users, accepted, missing, tick, slots, keys, taken
        )
        return keys[:found], taken

    def decode(self, order: U64, base: U64, gamma: U64, users: U64, first_slot: int) -> tuple[I64, I64]:
        times, found = np.empty(order.size, np.int64), np.empty(order.size, np.int64)
        _decode(order, base, gamma, users, np.uint64(first_slot), times, found)
        return times, found

    def permute(self, keys: U64, left: U64, right: U64) -> tuple[U64, U64]:
        out = np.empty_like(left), np.empty_like(left)
        _permute(keys, left, right, *out)
        return out

    def choose(self, thresholds: U64, bits: U64) -> I64:
        out = np.empty(bits.size, np.int64)
        _choose(thresholds, bits, out)
        return out

    def uuids(self, out: U8, starts: I64, ids: tuple[U64, U64]) -> None:
        _uuids(out, starts, *ids)

    def place(self, out: U8, starts: I64, entries: Entries, index: NDArray[np.int64]) -> None:
        _place(out, starts, *entries, index)

    def place_matrix(self, out: U8, starts: I64, matrix: U8) -> None:
        _place_matrix(out, starts, matrix)


def ready() -> Compiled:
    """The kernel with every loop compiled for the types that it will meet, so that no first call is slow."""
    kernel = Compiled()
    one, row, text = np.ones(1, np.uint64), np.zeros(1, np.int64), np.zeros(64, np.uint8)
    judges = Judges(one, one, one, one, np.ones(1), np.zeros(1), np.ones(1), _TWO)
    kernel.judge(judges, row, 1)
    kernel.collect(judges, np.ones((1, 1), np.uint8), row + 1, _TWO, one)
    kernel.decode(row.view(np.uint64), one, one, one, 0)
    kernel.permute(one, one, one)
    kernel.choose(one, one)
    kernel.uuids(text, row, (one, one))
    kernel.place(text, row, Entries(_read_only(b"0"), row, row + 1), row)
    kernel.place_matrix(text, row, text[None, :8])
    kernel.place_matrix(text, row, _read_only(b"0")[None])
    return kernel


def _read_only(data: bytes) -> U8:
    """As the tables of ``rows`` are, which for numba is another type."""
    return np.frombuffer(data, np.uint8)
