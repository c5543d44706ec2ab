"""One verdict over all p-values: the whole family blames a correct engine once in a million seeds.

Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6:
the smallest of n p-values is held against FAMILY / n, the next one against FAMILY / (n - 1), and so on. This
bounds the chance of any false alarm by FAMILY, however the questions depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from checks import FAMILY_ALPHA

FAMILY: Final = FAMILY_ALPHA


@dataclass(frozen=True)
class Judged:
    """A p-value, where it is from, and what kind of question it answers."""

    part: str
    kind: str
    question: str
    p: float


def rejected(family: Sequence[Judged]) -> list[Judged]:
    """Those that a correct engine would not give, the strangest first."""
    ordered = sorted(family, key=lambda answer: answer.p)
    found = []
    for place, answer in enumerate(ordered):
        if answer.p > FAMILY / (len(ordered) - place):
            break
        found.append(answer)
    return found
