"""Bits that lean, or that go together (TestU01: sstring; PractRand: BCFN and FPF ask alike)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from checks import Floats, Ints
from diurnal_fidelity import laws
from diurnal_fidelity.laws import binned, pairs_of_bits
from diurnal_fidelity.signs import products
from diurnal_worker.keyed import U64

_HALF = stats.binom.pmf(np.arange(65), 64, 0.5)
_CLASSES = np.array([0, 29, 31, 32, 33, 34, 36])  # of weights, about evenly likely
_MOST = 1 << 20
_CHUNK = 1 << 16


def weights(words: U64) -> float:
    """Set bits of a word: binomial."""
    return binned(np.bincount(np.bitwise_count(words), minlength=65).astype(np.int64), _HALF)


def distances(words: U64) -> float:
    """Bits in which two successive words differ: binomial."""
    even = words[: words.size // 2 * 2]
    return weights(even[::2] ^ even[1::2])


def successive_weights(words: U64) -> float:
    """Set bits of a word do not depend on those of the word before."""
    classes = np.searchsorted(_CLASSES, np.bitwise_count(words), side="right") - 1
    law = np.add.reduceat(_HALF, _CLASSES)
    even = classes[: classes.size // 2 * 2]
    table = np.bincount(even[::2] * law.size + even[1::2], minlength=law.size**2)
    return laws.shares(table.reshape(law.size, -1), law)


def each_bit(words: U64) -> float:
    """Each bit is set in half of the words."""
    ones = sum(_unpacked(part).sum(axis=0, dtype=np.int64) for part in _parts(words))
    return laws.bits_of_places(np.asarray(ones), words.size)


def pairs_in_a_word(words: U64) -> float:
    """No two bits of a word go together."""
    used = words[:_MOST]
    sums = sum(products(bits, bits) for bits in map(_unpacked, _parts(used)))
    return pairs_of_bits(_standardised(np.asarray(sums), used.size)[np.triu_indices(64, 1)])


def pairs_across_words(words: U64) -> float:
    """No bit of a word goes with any bit of the next one."""
    used = words[: min(words.size // 2 * 2, _MOST)]
    sums = sum(products(_unpacked(part[::2]), _unpacked(part[1::2])) for part in _parts(used))
    return pairs_of_bits(_standardised(np.asarray(sums), used.size // 2).ravel())


def _parts(words: U64) -> list[U64]:
    return [words[first : first + _CHUNK] for first in range(0, words.size, _CHUNK)]


def _unpacked(words: U64) -> NDArray[np.uint8]:
    return np.unpackbits(words.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)


def _standardised(sums: Ints, draws: int) -> Floats:
    return np.asarray(sums / np.sqrt(draws))
