"""Weighted choice by one 64-bit draw: thresholds that a sorted search compares with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diurnal_worker import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diurnal_worker.keyed import U64


def thresholds(weights: Sequence[float]) -> U64:
    """Upper ends of all shares but the last, in units of 2^-64; index = number of ends at or below a draw.

    ``choose`` so picks index i with probability weight i over the total, to 2^-52. A weight of zero is never
    picked. Sums run in the given order, so that equal weights give equal choices on every machine.
    """
    total = 0.0
    for weight in weights:
        total += weight
    positive = max(i for i, weight in enumerate(weights) if weight > 0)
    ends, upto = [], 0.0
    for weight in weights[:positive]:
        upto += weight
        ends.append(min(int(upto / total * 2.0**64), (1 << 64) - 1))
    return np.array(ends, np.uint64)


def choose(ends: U64, bits: U64) -> NDArray[np.intp]:
    """The index that each draw picks, by the ``thresholds``."""
    if (compiled := kernel.loaded()) is not None:
        return compiled.choose(ends, bits)
    return np.searchsorted(ends, bits, side="right")
