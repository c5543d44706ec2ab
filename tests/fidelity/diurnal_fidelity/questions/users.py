"""Whose events: users are uniform within their stratum, down to the single user."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import checks
from checks import Ints
from diurnal_fidelity import laws
from diurnal_fidelity.columns import Tick
from diurnal_fidelity.questions.question import Answer, Question, bins, indices, squares
from diurnal_fidelity.scenarios import Scenario
from reference import SLOTS

_CELLS = 64
_COUNTABLE = 1 << 21


class Spots(Question):
    """Events along each stratum's users, the last digits of who they are, and each against the next event."""

    title = "users within strata"

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._largest = int(np.argmax(scenario.sizes))

    def see(self, tick: Tick) -> None:
        strata = len(self.scenario.strata)
        cell = tick.strata * _CELLS + indices(tick.spots, _CELLS)
        self.sum("strata", np.bincount(cell, minlength=strata * _CELLS))
        self.sum("all", bins(tick.spots, 1 << 14))
        pairs = tick.spots[: len(tick) // 2 * 2].reshape(-1, 2)
        self.sum("next", squares(pairs[:, 0], pairs[:, 1], _CELLS))
        if self.scenario.users > _COUNTABLE:
            users = tick.arrivals.users[tick.strata == self._largest] - self.scenario.firsts[self._largest]
            for name, digits in (("g", users), ("g / 1024", users // SLOTS)):
                self.sum(name, np.bincount(digits % _CELLS, minlength=_CELLS))

    def answers(self) -> Iterator[Answer]:
        by_stratum = self.sums["strata"].reshape(-1, _CELLS)
        yield Answer("users in 64 cells of each stratum: chi-square", laws.even_rows(by_stratum))
        yield Answer("users in their stratum: Kolmogorov-Smirnov", laws.bins_of_uniform(self.sums["all"]))
        yield Answer("users of successive events: chi-square", checks.even(self.sums["next"]))
        for name in ("g", "g / 1024"):
            if name in self.sums:
                yield Answer(f"last six bits of {name}", checks.even(self.sums[name]))


class PerUser(Question):
    """The events of every single user, where there are few enough to count, and of neighbouring users."""

    title = "counts by user"
    lags = (1, 2, SLOTS - 1, SLOTS, SLOTS + 1, 2 * SLOTS)

    def see(self, tick: Tick) -> None:
        if self.scenario.users <= _COUNTABLE:
            counts = np.bincount(tick.arrivals.users, minlength=self.scenario.users)
            self.sum("users", counts.astype(np.int32))
            self.sum("means", tick.expected.user_means[tick.expected.group_of])

    def answers(self) -> Iterator[Answer]:
        if "users" not in self.sums:
            return
        observed = self.sums["users"].astype(np.int64)
        expected = np.repeat(self.sums["means"], self.scenario.law.users)
        strange = checks.standardised(observed, expected)
        spread = float(np.sum(strange**2)), strange.size, float(np.sum(1 / expected))
        yield Answer("user: dispersion", laws.dispersion(*spread))
        yield Answer("user: the strangest", checks.worst_cell(observed, expected))
        for lag in self.lags:
            total = float(np.sum(strange[lag:] * strange[:-lag]))
            yield Answer(f"user: correlation with user g + {lag}", laws.product(total, strange.size - lag))


class Collisions(Question):
    """How often the same user comes again within a short while, where there are too many to count.

    Pairs among n draws from N users: as a birthday's, so a draw that reaches only 2^32 of 5.4 x 10^9 shows.
    """

    title = "users that come again"
    window = 40  # ticks; about a stretch

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._users: list[Ints] = []
        self._means = np.zeros(len(scenario.strata))

    def see(self, tick: Tick) -> None:
        if self.scenario.users <= _COUNTABLE:
            return
        self._users.append(tick.arrivals.users)
        self._means += tick.expected.stratum_means
        if len(self._users) == self.window:
            self._count()

    def _count(self) -> None:
        _, repeats = np.unique(np.concatenate(self._users), return_counts=True)
        pairs = np.sum(repeats * (repeats - 1) // 2)
        self.sum("pairs", np.array([pairs, np.sum(self._means**2 / (2 * self.scenario.sizes))]))
        self._users.clear()
        self._means = np.zeros_like(self._means)

    def answers(self) -> Iterator[Answer]:
        if "pairs" in self.sums:
            pairs, mean = self.sums["pairs"].tolist()
            yield Answer("users that come again: Poisson", laws.poisson(round(pairs), mean))
