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


KNOWN: Final = {
    ("raw words", "users", "Hamming distances"): (
        "what the devices and session offsets of two neighbouring users are drawn from differs in a number "
        "of bits whose variance is 15.94 and not 16, for the finaliser is applied to a plain counter"
    )
}
"""Known weaknesses of this engine, by part, kind and question: they are shown, and not counted again."""


def is_known(answer: Judged) -> bool:
    """Whether the answer is about a known weakness."""
    return (answer.part, answer.kind, answer.question) in KNOWN


def rejected(answers: Sequence[Judged]) -> list[Judged]:
    """Those that a correct engine would not give, the strangest first."""
    ordered = sorted((answer for answer in answers if not is_known(answer)), key=lambda answer: answer.p)
    found = []
    for place, answer in enumerate(ordered):
        if answer.p > FAMILY / (len(ordered) - place):
            break
        found.append(answer)
    return found
