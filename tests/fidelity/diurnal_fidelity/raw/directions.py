"""Ways through the key: in each, successive words differ in one part of what they are drawn for.

A generator of this kind is not one sequence but a table in many dimensions, and a key schedule can be sound
along one and weak along another; so each direction is read as a sequence of its own. Where a direction is
short (slots) or slow to walk (ticks, seeds), several lines lie one after another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from diurnal_fidelity.scenarios import SEED
from diurnal_worker.identifiers import permuted
from diurnal_worker.keyed import U64, Purpose, draws, key, mixed, streams
from reference import SLOTS, instant

_LINES: Final = 64
_NOON: Final = instant("2026-06-01T12:00:00Z")
_TICK: Final = _NOON // 900_000_000
_LOW: Final = np.uint64(0xFFFFFFFF)


def numbers(words: int) -> U64:
    """Successive draws of one stream after another."""
    length = -(-words // _LINES)
    stream = streams(key(SEED, Purpose.CANDIDATE), _TICK, _slots(_LINES))
    return np.stack([draws(stream, number) for number in range(length)], axis=1).ravel()[:words]


def slots(words: int) -> U64:
    """The first draw of successive slots, tick after tick."""
    purpose = key(SEED, Purpose.CANDIDATE)
    ticks = range(_TICK, _TICK - (-words // SLOTS))
    return np.concatenate([draws(streams(purpose, tick, _slots(SLOTS)), 0) for tick in ticks])[:words]


def ticks(words: int) -> U64:
    """The first draw of a slot in successive ticks, slot after slot."""
    purpose = key(SEED, Purpose.CANDIDATE)
    length = -(-words // _LINES)
    lines = [draws(streams(purpose, _TICK + step, _slots(_LINES)), 0) for step in range(length)]
    return np.stack(lines, axis=1).ravel()[:words]


def purposes(words: int) -> U64:
    """The first draw for each purpose, slot after slot, tick after tick."""
    keys = [key(SEED, purpose) for purpose in Purpose]
    per_tick = len(keys) * SLOTS
    of_ticks = [
        np.stack([draws(streams(purpose, tick, _slots(SLOTS)), 0) for purpose in keys], axis=1).ravel()
        for tick in range(_TICK, _TICK - (-words // per_tick))
    ]
    return np.concatenate(of_ticks)[:words]


def seeds(words: int) -> U64:
    """The first draw of a slot under successive seeds, slot after slot."""
    length = -(-words // _LINES)
    lines = [draws(streams(key(seed, Purpose.CANDIDATE), _TICK, _slots(_LINES)), 0) for seed in range(length)]
    return np.stack(lines, axis=1).ravel()[:words]


def users(words: int) -> U64:
    """What the traits of successive users are drawn from: the finaliser of a plain counter."""
    return mixed(np.arange(words, dtype=np.uint64) + np.uint64(key(SEED, Purpose.USER_TRAITS)))


def ids_by_time(words: int) -> U64:
    """Half of each half of the ids of one user's events in successive microseconds."""
    moments = (np.arange(words, dtype=np.uint64) + np.uint64(_NOON)) << np.uint64(8)
    return _halves(moments, np.full(words, 12_345, np.uint64))


def ids_by_user(words: int) -> U64:
    """Half of each half of the ids of successive users' events in one microsecond."""
    return _halves(np.full(words, _NOON << 8, np.uint64), np.arange(words, dtype=np.uint64))


def _halves(left: U64, right: U64) -> U64:
    left, right = permuted(key(SEED, Purpose.EVENT_ID), left, right)
    return ((left & _LOW) << np.uint64(32)) | (right & _LOW)


def _slots(number: int) -> U64:
    return np.arange(number, dtype=np.uint64)


DIRECTIONS: Final[dict[str, Callable[[int], U64]]] = {
    "numbers": numbers,
    "slots": slots,
    "ticks": ticks,
    "purposes": purposes,
    "seeds": seeds,
    "users": users,
    "ids by time": ids_by_time,
    "ids by user": ids_by_user,
}
