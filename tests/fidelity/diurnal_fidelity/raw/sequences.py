"""Numbers that know their neighbours: Knuth's tests of sequences (TAOCP 2, 3.3.2; TestU01: sknuth)."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

import checks
from diurnal_fidelity.laws import binned
from diurnal_worker.keyed import U64, fractions

_HIT_BITS = 4
_LONGEST_GAP = 96
_RUN = 8
_ORDER = 5
_MAXIMUM = 16


def serial_pairs(words: U64) -> float:
    """Disjoint pairs of six high bits: 4096 cells, even."""
    return _cells(words, 2, 6)


def serial_triples(words: U64) -> float:
    """Disjoint triples of five high bits: 32768 cells, even."""
    return _cells(words, 3, 5)


def gaps(words: U64) -> float:
    """How many words lie between two whose four high bits are zero: geometric."""
    hits = np.flatnonzero(words >> np.uint64(64 - _HIT_BITS) == 0)
    lengths = np.minimum(np.diff(hits) - 1, _LONGEST_GAP)
    hit = 2.0**-_HIT_BITS
    law = np.append(stats.geom.pmf(np.arange(1, _LONGEST_GAP + 1), hit), (1 - hit) ** _LONGEST_GAP)
    return binned(np.bincount(lengths, minlength=law.size), law)


def runs(words: U64) -> float:
    """Lengths of the rising run at the beginning of each eight words: at least r with chance 1 / r!."""
    rows = words[: words.size // _RUN * _RUN].reshape(-1, _RUN)
    rising = np.cumprod(rows[:, 1:] > rows[:, :-1], axis=1)
    at_least = np.array([1 / math.factorial(r) for r in range(1, 7)])
    law = at_least - np.append(at_least[1:], 0)  # six and more together
    lengths = np.minimum(rising.sum(axis=1), law.size - 1)
    return binned(np.bincount(lengths, minlength=law.size), law)


def permutations(words: U64) -> float:
    """Orders of five successive words: all 120 alike."""
    rows = words[: words.size // _ORDER * _ORDER].reshape(-1, _ORDER)
    code = np.zeros(rows.shape[0], np.int64)
    for i in range(1, _ORDER):  # how many of the words before are larger: a number in base i + 1
        code = code * (i + 1) + (rows[:, :i] > rows[:, i : i + 1]).sum(axis=1)
    return checks.even(np.bincount(code, minlength=math.factorial(_ORDER)))


def maximum(words: U64) -> float:
    """The largest of sixteen successive numbers, to the power of sixteen: uniform."""
    rows = fractions(words[: words.size // _MAXIMUM * _MAXIMUM]).reshape(-1, _MAXIMUM)
    return checks.uniform_ks(rows.max(axis=1) ** _MAXIMUM)


def _cells(words: U64, together: int, bits: int) -> float:
    rows = (words >> np.uint64(64 - bits))[: words.size // together * together].reshape(-1, together)
    cell = np.zeros(rows.shape[0], np.uint64)
    for column in rows.T:
        cell = (cell << np.uint64(bits)) | column
    return checks.even(np.bincount(cell.astype(np.int64), minlength=1 << (bits * together)))
