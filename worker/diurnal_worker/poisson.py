"""Exact Poisson counts from keyed draws, with no library function in between.

The sum of independent Poisson variables is Poisson, so a mean is cut into parts whose distributions
are tabulated once: multiples of 256, of 8, of 1 and of 1/8, and what is left below 1/8 by inversion.
Tables are Walker's aliases (Vose, "A linear algorithm for generating random numbers with a given
distribution", IEEE TSE 1991). Probabilities are built by float64 +, x and / in a fixed order, so the
counts are the same on every machine: numpy's and libm's exp and lgamma are not.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diurnal_worker.keyed import U64, Streams, draws, fractions

_COLUMNS: Final = 512
_COLUMN_BITS: Final = 9
_THRESHOLD_BITS: Final = 64 - _COLUMN_BITS
_BLOCK: Final = 256.0
_EXP_MINUS_EIGHTH: Final = 0.8824969025845955  # e^(-1/8), correctly rounded
# Rows of the table: no events, 1..7 eighths, 1..7 ones, 1..32 eights (the last is a block of 256).
_EIGHTHS: Final = 0
_ONES: Final = 7
_EIGHTS: Final = 14
_FIRST_BLOCK_DRAW: Final = 4


class _Aliases(NamedTuple):
    threshold: U64  # (rows * columns,), in units of 2^-55
    alias: NDArray[np.int64]  # (rows * columns,)


def poisson(means: NDArray[np.float64], stream: Streams) -> NDArray[np.int64]:
    """One count a stream: Poisson of ``means`` (float64 >= 0, finite, shape (n,)), int64.

    Draws 0..3 of a stream serve its parts below 256, draws 4.. its blocks of 256.
    """
    blocks = np.floor(means / _BLOCK)
    rest = means - blocks * _BLOCK
    eighths = np.floor(rest * 8.0)
    whole = eighths.astype(np.int64)
    counts = _tabulated(_row(whole >> 6, _EIGHTS), draws(stream, 0))
    counts += _tabulated(_row((whole >> 3) & 7, _ONES), draws(stream, 1))
    counts += _tabulated(_row(whole & 7, _EIGHTHS), draws(stream, 2))
    counts += _inverted(rest - eighths * 0.125, fractions(draws(stream, 3)))
    return _with_blocks(counts, blocks.astype(np.int64), stream)


def _row(multiple: NDArray[np.int64], first: int) -> NDArray[np.int64]:
    return np.where(multiple > 0, multiple + first, 0)


def _tabulated(rows: NDArray[np.int64], bits: U64) -> NDArray[np.int64]:
    table = _aliases()
    column = (bits >> np.uint64(_THRESHOLD_BITS)).astype(np.int64)
    cell = rows * _COLUMNS + column
    keep = (bits & np.uint64((1 << _THRESHOLD_BITS) - 1)) < table.threshold[cell]
    return np.where(keep, column, table.alias[cell])


def _inverted(means: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Inversion by sequential search (Devroye 1986, X.3.3) for means below 1/8."""
    probability = _exp_minus(means)
    cumulative = probability.copy()
    counts = np.zeros(means.shape, np.int64)
    step = 0
    while (beyond := uniform >= cumulative).any() and step < 32:
        step += 1
        counts += beyond
        probability = probability * means / step
        cumulative = cumulative + probability
    return counts


def _exp_minus(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """e^-x for 0 <= x < 1/8: the Taylor series to x^11 by Horner, within 2^-53."""
    value = np.ones_like(x)
    for n in range(11, 0, -1):
        value = 1.0 - x * value / n
    return value


def _with_blocks(counts: NDArray[np.int64], blocks: NDArray[np.int64], stream: Streams) -> NDArray[np.int64]:
    """Adds a Poisson(256) for every block: only worlds with few, very busy users have any."""
    busy = np.flatnonzero(blocks)
    number = _FIRST_BLOCK_DRAW
    while busy.size:
        of_busy = Streams(stream.base[busy], stream.gamma[busy])
        counts[busy] += _tabulated(np.full(busy.shape, _EIGHTS + 32), draws(of_busy, number))
        number += 1
        busy = busy[blocks[busy] > number - _FIRST_BLOCK_DRAW]
    return counts


@cache
def _aliases() -> _Aliases:
    means = [n / 8 for n in range(8)] + [float(n) for n in range(1, 8)] + [8.0 * n for n in range(1, 33)]
    rows = [_alias_row(_probabilities(mean)) for mean in means]
    return _Aliases(
        np.array([cell for row in rows for cell in row[0]], np.uint64),
        np.array([cell for row in rows for cell in row[1]], np.int64),
    )


def _probabilities(mean: float) -> list[float]:
    """P(0..511) of a Poisson with ``mean`` a multiple of 1/8; what lies beyond weighs below 2^-140."""
    probability = 1.0
    for _ in range(int(mean * 8)):
        probability *= _EXP_MINUS_EIGHTH
    out = [probability]
    for k in range(1, _COLUMNS):
        probability = probability * mean / k
        out.append(probability)
    total = 0.0
    for p in out:
        total += p
    return [p / total for p in out]


def _alias_row(probabilities: list[float]) -> tuple[list[int], list[int]]:
    scaled = [p * _COLUMNS for p in probabilities]
    threshold, alias = [1 << _THRESHOLD_BITS] * _COLUMNS, list(range(_COLUMNS))
    small = [k for k in range(_COLUMNS) if scaled[k] < 1.0]
    large = [k for k in range(_COLUMNS) if scaled[k] >= 1.0]
    while small and large:
        short, long = small.pop(), large.pop()
        threshold[short], alias[short] = int(scaled[short] * 2.0**_THRESHOLD_BITS), long
        scaled[long] = (scaled[long] + scaled[short]) - 1.0
        (small if scaled[long] < 1.0 else large).append(long)
    return threshold, alias
