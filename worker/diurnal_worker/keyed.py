"""Randomness keyed by purpose: every draw is a pure function of what it is for.

A draw is named by (seed, purpose, slot, tick, number); nothing is ever consumed from a shared stream,
so any shard can compute any draw, in any order, and draws for one purpose never disturb another's.
The generator is SplitMix with a per-stream odd increment: Steele, Lea and Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014; the finaliser is Stafford's variant 13.

Only wrapping uint64 arithmetic is used, so the bits are the same on every machine and in every
version of numpy. They are part of the engine's identity (``diurnal_worker.ENGINE``) and never change
without a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]

MASK64: Final = (1 << 64) - 1
GOLDEN: Final = 0x9E3779B97F4A7C15
_M1: Final = 0xBF58476D1CE4E5B9
_M2: Final = 0x94D049BB133111EB
_TICK_STEP: Final = 0xD1342543DE82EF95
_SLOT_STEP: Final = 0xDA942042E4DD58B5
_ALTERNATE: Final = 0xAAAAAAAAAAAAAAAA
_FRACTION_BITS: Final = 53


class Purpose(IntEnum):
    """What a draw is for. A number once given is never given to another purpose."""

    COUNT = 1
    CANDIDATE = 2
    EVENT_ID = 3
    USER_ID = 4
    SESSION_ID = 5
    SESSION_OFFSET = 6
    USER_TRAITS = 7
    EVENT_FIELDS = 8


class Streams(NamedTuple):
    """One SplitMix stream a slot: the state it starts from and its odd increment, both uint64."""

    base: U64
    gamma: U64


def mix(value: int) -> int:
    """Stafford's variant 13 of the 64-bit finaliser, of one Python integer."""
    value &= MASK64
    value = ((value ^ (value >> 30)) * _M1) & MASK64
    value = ((value ^ (value >> 27)) * _M2) & MASK64
    return value ^ (value >> 31)


def mixed(values: U64) -> U64:
    """The same finaliser of an array, elementwise; returns a new array of the same shape."""
    out = values >> np.uint64(30)
    out ^= values
    return _finish(out)


def mixed_in_place(values: U64, scratch: U64) -> U64:
    """The same finaliser, overwriting ``values`` with the help of ``scratch`` of the same shape."""
    np.right_shift(values, np.uint64(30), out=scratch)
    values ^= scratch
    values *= np.uint64(_M1)
    np.right_shift(values, np.uint64(27), out=scratch)
    values ^= scratch
    values *= np.uint64(_M2)
    np.right_shift(values, np.uint64(31), out=scratch)
    values ^= scratch
    return values


def _finish(out: U64) -> U64:
    out *= np.uint64(_M1)
    out ^= out >> np.uint64(27)
    out *= np.uint64(_M2)
    out ^= out >> np.uint64(31)
    return out


def key(seed: int, purpose: Purpose) -> int:
    """The 64-bit key of one purpose under one seed (any integer; its low 64 bits count)."""
    return mix(mix(seed + GOLDEN) ^ mix(int(purpose) * GOLDEN))


def streams(purpose_key: int, tick: int, slots: U64) -> Streams:
    """The streams of ``slots`` (uint64, any shape) in ``tick``: independent starts, odd increments."""
    return _begun_at(slots * np.uint64(_SLOT_STEP) + np.uint64(mix(purpose_key + tick * _TICK_STEP)))


def streams_of_ticks(purpose_key: int, ticks: Iterable[int], slots: U64) -> Streams:
    """The same of several ticks at once, one tick after another: shape (ticks x slots,)."""
    of_ticks = np.array([mix(purpose_key + tick * _TICK_STEP) for tick in ticks], np.uint64)
    return _begun_at((slots * np.uint64(_SLOT_STEP) + of_ticks[:, None]).reshape(-1))


def _begun_at(state: U64) -> Streams:
    base = mixed(state)
    gamma = mixed(base + np.uint64(GOLDEN)) | np.uint64(1)
    few_changes = np.bitwise_count(gamma ^ (gamma >> np.uint64(1))) < 24
    gamma[few_changes] ^= np.uint64(_ALTERNATE)
    return Streams(base, gamma)


def draws(stream: Streams, number: int) -> U64:
    """Draw ``number`` (from 0) of every stream: uint64, shape of the streams."""
    return mixed(stream.base + stream.gamma * np.uint64(number + 1))


def scaled(bits: U64, bound: U64 | np.uint64) -> U64:
    """floor(bits * bound / 2^64): uniform below ``bound`` (< 2^32), uneven by at most 2^-32.

    The high word of the product, by 32-bit halves: Lemire, "Fast random integer generation in an
    interval", ACM TOMACS 2019. The low word, ``bits * bound``, is again a uniform fraction.
    """
    low = bits & np.uint64(0xFFFFFFFF)
    low *= bound
    low >>= np.uint64(32)
    high = bits >> np.uint64(32)
    high *= bound
    high += low
    high >>= np.uint64(32)
    return high


def fractions(bits: U64) -> NDArray[np.float64]:
    """The top 53 bits as float64 in [0, 1), exactly representable steps of 2^-53."""
    return (bits >> np.uint64(64 - _FRACTION_BITS)).astype(np.float64) * 2.0**-_FRACTION_BITS
