"""Identifiers that are computed, not stored: keyed bijections onto the free bits of a UUID.

What an id stands for (an event: time, user, ordinal; a user; a session) fills up to 122 bits, which a
keyed permutation scatters; different things so have different ids by construction. The layout is UUID
version 8 of RFC 9562, section 5.8: 122 free bits around the version and the variant.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from diurnal_worker import kernel
from diurnal_worker.keyed import GOLDEN, U64, mix, mixed

_HALF_BITS: Final = 61
_HALF: Final = np.uint64((1 << _HALF_BITS) - 1)
_ORDINAL_BITS_BESIDE_TIME: Final = 8
_USER_BITS: Final = 33
_ROUNDS: Final = 4
_VERSION: Final = np.uint64(0x8000)
_VARIANT: Final = np.uint64(1 << 63)


class Ids(NamedTuple):
    """UUIDs as their big-endian halves, uint64 arrays of one shape."""

    high: U64
    low: U64


def event_ids(key: int, times: U64, users: U64, ordinals: U64) -> Ids:
    """Ids of events: times below 2^53 microseconds, users below 2^33, ordinals below 2^36."""
    left = (times << np.uint64(_ORDINAL_BITS_BESIDE_TIME)) | (ordinals & np.uint64(0xFF))
    right = users | ((ordinals >> np.uint64(_ORDINAL_BITS_BESIDE_TIME)) << np.uint64(_USER_BITS))
    return uuid8(*permuted(key, left, right))


def named_ids(key: int, names: U64) -> Ids:
    """Ids of things named by an integer below 2^61: users, sessions."""
    return uuid8(*permuted(key, names, np.zeros_like(names)))


def permuted(key: int, left: U64, right: U64) -> tuple[U64, U64]:
    """A keyed permutation of 122 bits in two halves: a Feistel network (Luby and Rackoff 1988)."""
    keys = np.array([mix(key + (number + 1) * GOLDEN) for number in range(_ROUNDS)], np.uint64)
    if (compiled := kernel.loaded()) is not None:
        return compiled.permute(keys, left, right)
    for round_key in keys:
        left, right = right, left ^ (mixed(right + round_key) & _HALF)
    return left, right


def uuid8(left: U64, right: U64) -> Ids:
    """Lays 61 + 61 bits around version 8 and variant 10 of a UUID."""
    high60 = left >> np.uint64(1)
    high = ((high60 >> np.uint64(12)) << np.uint64(16)) | _VERSION | (high60 & np.uint64(0xFFF))
    low = _VARIANT | ((left & np.uint64(1)) << np.uint64(_HALF_BITS)) | right
    return Ids(high, low)
