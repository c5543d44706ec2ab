"""Sums of products of signs, for all pairs of columns of bits: exact, and by counting bits, not by floats."""

import numpy as np
from numpy.typing import NDArray

from checks import Ints
from diurnal_worker.keyed import U64

Bits = NDArray[np.uint8]


def products(first: Bits, second: Bits) -> Ints:
    """How often each column of `first` (n, k) agrees with each of `second` (n, m), less how often not.

    Shape (k, m). Of fair independent bits a sum has mean 0 and variance n.
    """
    ours, theirs = _packed(first), _packed(second)
    apart = [np.bitwise_count(theirs ^ column).sum(axis=1, dtype=np.int64) for column in ours]
    return np.asarray(first.shape[0] - 2 * np.array(apart))


def _packed(bits: Bits) -> U64:
    """Each column as words of 64 bits, shape (columns, words), zeros at the end."""
    whole = np.zeros((-(-bits.shape[0] // 64) * 64, bits.shape[1]), np.uint8)
    whole[: bits.shape[0]] = bits
    return np.ascontiguousarray(np.packbits(whole, axis=0).T).view(np.uint64)
