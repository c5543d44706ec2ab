"""Words that are linear in words before: ranks of matrices over GF(2), linear complexity (TestU01: scomp).

Marsaglia and Tsay (1985), "Matrices and the structure of random number sequences"; Massey (1969),
"Shift-register synthesis and BCH decoding"; Rueppel (1986) for the law of the complexity of fair bits.
"""

from __future__ import annotations

import numpy as np

import checks
from checks import Floats
from diurnal_fidelity.laws import binned
from diurnal_worker.keyed import U64

_SIZE = 64
_MOST_MATRICES = 1 << 15
_CHUNK = 1 << 10
_SEQUENCE = 1024
_MOST_SEQUENCES = 256
_POSITIONS = (0, 1, 31, 32, 62, 63)


def matrix_ranks(words: U64) -> float:
    """Ranks of 64 x 64 bits, one word a row: 64, 63, or less."""
    matrices = words[: min(words.size // _SIZE, _MOST_MATRICES) * _SIZE].reshape(-1, _SIZE)
    parts = [ranks(matrices[first : first + _CHUNK]) for first in range(0, len(matrices), _CHUNK)]
    lost = np.minimum(_SIZE - np.concatenate(parts), 2)
    law = _rank_law()
    return checks.multinomial(np.bincount(lost, minlength=3).astype(np.int64), len(matrices) * law)


def linear_complexity(words: U64) -> float:
    """How long the shortest shift register is that makes 1024 successive values of one bit."""
    rows = words[: min(words.size // _SEQUENCE, _MOST_SEQUENCES) * _SEQUENCE].reshape(-1, _SEQUENCE)
    bits = [((rows >> np.uint64(at)) & np.uint64(1)).astype(np.int64) for at in _POSITIONS]
    found = [complexity(row.tolist()) for sequences in bits for row in sequences]
    counts = np.bincount(found, minlength=_SEQUENCE + 1).astype(np.int64)
    return binned(counts, complexity_law(_SEQUENCE))


def ranks(matrices: U64) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Ranks over GF(2) of matrices of 64-bit rows, shape (matrices, rows), by elimination in all at once."""
    rows = matrices.copy()
    unused = np.ones(rows.shape, bool)
    which = np.arange(len(rows))
    found = np.zeros(len(rows), np.int64)
    for bit in range(_SIZE):
        has = (rows >> np.uint64(bit)) & np.uint64(1) > 0
        candidates = has & unused
        pivot = candidates.argmax(axis=1)
        exists = candidates[which, pivot]
        chosen = np.where(exists, rows[which, pivot], np.uint64(0))
        has[which, pivot] &= ~exists
        rows ^= np.where(has, chosen[:, None], np.uint64(0))
        unused[which, pivot] &= ~exists
        found += exists
    return found


def complexity(bits: list[int]) -> int:
    """Length of the shortest linear feedback shift register that makes the bits (Berlekamp and Massey)."""
    connection, before, past = 1, 1, 0
    length, since = 0, 1
    for place, bit in enumerate(bits):
        past = (past << 1) | bit
        if (connection & past).bit_count() & 1:
            changed = connection ^ (before << since)
            if 2 * length <= place:
                length, before, since = place + 1 - length, connection, 0
            connection = changed
        since += 1
    return length


def complexity_law(length: int) -> Floats:
    """Chance of each complexity 0 .. length of so many fair bits."""
    at = np.arange(length + 1, dtype=np.float64)
    law = 2.0 ** (np.minimum(2 * length - 2 * at, 2 * at - 1) - length)
    law[0] = 2.0**-length
    return np.asarray(law)


def _rank_law() -> Floats:
    """Chance that a random 64 x 64 matrix over GF(2) lacks a rank of 0, 1, or more."""
    full = float(np.prod(1 - 2.0 ** -np.arange(1, _SIZE + 1)))
    one_less = full * 2 * (1 - 2.0**-_SIZE)  # q^-1 (1 - q^-n)^2 / (1 - q^-1)^2 times the full one, q = 2
    return np.array([full, one_less, 1 - full - one_less])
