"""Every test of every direction, on the words as they are and read from their low end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from diurnal_fidelity.questions.question import Answer
from diurnal_fidelity.raw import algebra, bits, sequences, spacings
from diurnal_fidelity.raw.directions import DIRECTIONS
from diurnal_worker.keyed import U64

Test = Callable[[U64], float]

OF_HIGH_BITS: Final[dict[str, Test]] = {
    "birthday spacings": spacings.birthday_spacings,
    "collisions": spacings.collisions,
    "serial pairs": sequences.serial_pairs,
    "serial triples": sequences.serial_triples,
    "gaps": sequences.gaps,
    "runs": sequences.runs,
    "permutations": sequences.permutations,
    "maximum of 16": sequences.maximum,
}
"""Tests that look at the high bits above all; they are asked of the reversed words as well."""

OF_WORDS: Final[dict[str, Test]] = {
    "Hamming weights": bits.weights,
    "Hamming distances": bits.distances,
    "successive Hamming weights": bits.successive_weights,
    "each bit": bits.each_bit,
    "pairs of bits": bits.pairs_in_a_word,
    "pairs of bits of successive words": bits.pairs_across_words,
    "matrix ranks": algebra.matrix_ranks,
    "linear complexity": algebra.linear_complexity,
}


@dataclass(frozen=True)
class Job:
    """One direction, for so many words."""

    direction: str
    words: int


def jobs(words: int) -> list[Job]:
    """All directions."""
    return [Job(direction, words) for direction in DIRECTIONS]


def ask(job: Job) -> list[Answer]:
    """All tests of one direction."""
    return verdicts(DIRECTIONS[job.direction](job.words))


def verdicts(words: U64) -> list[Answer]:
    """All tests of a sequence of words."""
    reverse = reversed_bits(words)
    return [
        *(Answer(name, test(words)) for name, test in {**OF_HIGH_BITS, **OF_WORDS}.items()),
        *(Answer(f"{name}, bits reversed", test(reverse)) for name, test in OF_HIGH_BITS.items()),
    ]


def reversed_bits(words: U64) -> U64:
    """Each word read from its other end."""
    out = words.copy()
    for shift, mask in _SWAPS:
        out = ((out >> shift) & mask) | ((out & mask) << shift)
    return out.byteswap()


_SWAPS = tuple(
    (np.uint64(shift), np.uint64(mask))
    for shift, mask in ((1, 0x5555555555555555), (2, 0x3333333333333333), (4, 0x0F0F0F0F0F0F0F0F))
)
