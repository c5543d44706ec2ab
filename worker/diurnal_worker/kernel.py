"""The compiled kernel, where there is one: loops over single draws and bytes that numpy makes passes of.

Optional (`pip install diurnal[fast]`) and invisible: it yields the very same bytes, which golden tests
hold with and without it, so nothing records whether it is in use, and a run may go on without it. The pure
modules ask `loaded`; only the edges call `load`, which imports numba, and that costs memory and seconds
that a slow stream must not pay.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

WORTH_IT: Final = 50_000.0
"""Events a second of a shard from which on the kernel spares a tenth of a core."""

U8 = NDArray[np.uint8]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


class Judges(NamedTuple):
    """What candidates of some slots are judged by; arrays (slots,) but for the last three."""

    base: U64  # of the slot's stream
    gamma: U64
    begun: U64  # candidates that were judged before
    users: U64
    scale: F64  # from a draw's 53 bits to a level under the slot's envelope
    low: F64  # (buckets,): below, a level is accepted
    high: F64  # (buckets,): from here on, it is refused
    shift: np.uint64  # from the rank of a user in its slot to its bucket


class Judged(NamedTuple):
    """Verdicts on candidates, and those that the curve must decide."""

    accepted: U8  # (slots, candidates): 1 where accepted
    unsure: I64  # flat places of those that are not decided
    bits: U64  # their draws, and below their levels
    levels: F64


class Entries(NamedTuple):
    """Byte strings of different lengths, in one table."""

    table: U8
    begins: I64
    lengths: I64


class Kernel(Protocol):
    """The loops. Every method is a pure function of its arguments, but for its ``out``."""

    def judge(self, judges: Judges, missing: I64, tried: int) -> Judged:
        """Judges the next ``tried`` candidates of every slot by the squeeze, or as many as surely suffice."""

    def collect(
        self, judges: Judges, accepted: U8, missing: I64, tick: np.uint64, slots: U64
    ) -> tuple[U64, I64]:
        """Order keys of the first ``missing`` accepted candidates of every slot, and how many each has."""

    def decode(self, order: U64, base: U64, gamma: U64, users: U64, first_slot: int) -> tuple[I64, I64]:
        """Microseconds into the tick, and global user, of every order key; streams and users by slot."""

    def permute(self, keys: U64, left: U64, right: U64) -> tuple[U64, U64]:
        """The Feistel network of ``identifiers`` with these round keys."""

    def choose(self, thresholds: U64, bits: U64) -> I64:
        """How many of the few ascending thresholds each draw has reached."""

    def uuids(self, out: U8, starts: I64, ids: tuple[U64, U64]) -> None:
        """Writes the 36 characters of each UUID (high and low half) to ``out[starts[i]:]``."""

    def place(self, out: U8, starts: I64, entries: Entries, index: I64) -> None:
        """Copies entry ``index[i]`` to ``out[starts[i]:]``."""

    def place_matrix(self, out: U8, starts: I64, matrix: U8) -> None:
        """Copies row i of a contiguous matrix, or its only row, to ``out[starts[i]:]``."""


_in_use: list[Kernel] = []


def loaded() -> Kernel | None:
    """The kernel, where it is in use."""
    return _in_use[-1] if _in_use else None


def load() -> bool:
    """Takes the kernel into use, compiled or out of numba's cache; False where numba is not installed."""
    if not _in_use:
        try:
            from diurnal_worker import compiled
        except ImportError:
            return False
        _in_use.append(compiled.ready())
    return True


def unload() -> None:
    """Goes on without it."""
    _in_use.clear()


def pays(messages_per_second: float | None, shards: int, *, freely: bool) -> bool:
    """Whether a shard may send so much that the kernel is worth its memory and its first seconds.

    ``freely``: simulated time has no speed limit.
    """
    if messages_per_second is None:
        return freely
    return messages_per_second / shards >= WORTH_IT
