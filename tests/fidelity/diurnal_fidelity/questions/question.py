"""What every question has in common: it sees ticks, keeps sums, and answers with p-values.

Memory is that of the sums, however many events there are. Sums of two stretches of ticks add up to those of
both, so work is shared between processes; they are added in the order of time, so that even the last bits do
not depend on how many processes there were.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from checks import Floats, Ints
from diurnal_fidelity.columns import Tick
from diurnal_fidelity.scenarios import Scenario

Array = NDArray[Any]


class Answer(NamedTuple):
    """A p-value and what it is the answer to."""

    question: str
    p: float


class Question(ABC):
    """One kind of question about one scenario."""

    title: ClassVar[str]

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.sums: dict[str, Array] = {}
        self.least: dict[str, float] = {}

    @abstractmethod
    def see(self, tick: Tick) -> None:
        """Takes in the next tick of a stretch."""

    @abstractmethod
    def answers(self) -> Iterator[Answer]:
        """The p-values, from the sums alone."""

    def sum(self, name: str, values: Array) -> None:
        """Adds to a sum, which begins at zero."""
        known = self.sums.get(name)
        if known is None:
            self.sums[name] = values.copy()
        else:
            known += values

    def sharpest(self, name: str, p: float) -> None:
        """Keeps the smallest of many p-values."""
        self.least[name] = min(p, self.least.get(name, 1.0))

    def add(self, sums: dict[str, Array], least: dict[str, float]) -> None:
        """Takes over what a later stretch has found."""
        for name, values in sums.items():
            self.sum(name, values)
        for name, p in least.items():
            self.sharpest(name, p)


def bins(values: Floats, number: int) -> Ints:
    """Counts of values in [0, 1) in even bins."""
    return np.bincount(indices(values, number), minlength=number)


def indices(values: Floats, number: int) -> Ints:
    """The even bin of each value in [0, 1]."""
    return np.minimum((values * number).astype(np.int64), number - 1)


def squares(first: Floats, second: Floats, number: int) -> Ints:
    """Counts of pairs in [0, 1)^2 in a grid of number x number, flat."""
    return np.bincount(indices(first, number) * number + indices(second, number), minlength=number * number)
