"""How long between events, in rescaled time, where a Poisson process has gaps of the exponential law.

Time rescaling: Brown, Barbieri, Ventura, Kass and Frank (2002), Neural Computation 14. The gap that a stretch
of ticks ends in is not seen; it is one in some millions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import checks
from checks import Floats
from diurnal_fidelity import laws
from diurnal_fidelity.closed_form import KNOTS
from diurnal_fidelity.columns import Tick
from diurnal_fidelity.questions.question import Answer, Question, bins, squares
from diurnal_fidelity.scenarios import Scenario

_BINS = 1 << 14
_GRID = 32


class WorldGaps(Question):
    """Gaps of the world's events, and each against the next."""

    title = "rescaled gaps"

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._waited = 0.0

    def see(self, tick: Tick) -> None:
        knots = np.arange(KNOTS + 1) * (tick.length / KNOTS)
        moments = np.interp(np.sort(tick.exact, kind="stable"), knots, tick.expected.world)
        gaps, self._waited = _gaps(moments, float(tick.expected.world[-1]), self._waited)
        self.sum("gaps", bins(gaps, _BINS))
        pairs = gaps[: gaps.size // 2 * 2].reshape(-1, 2)
        self.sum("pairs", squares(pairs[:, 0], pairs[:, 1], _GRID))
        centred = (gaps - 0.5) * np.sqrt(12)
        for lag in (1, 2):
            products = centred[lag:] * centred[:-lag]
            self.sum(f"{lag}", np.array([np.sum(products), products.size]))

    def answers(self) -> Iterator[Answer]:
        yield Answer("rescaled gaps: Kolmogorov-Smirnov", laws.bins_of_uniform(self.sums["gaps"]))
        coarse = self.sums["gaps"].reshape(256, -1).sum(axis=1)
        yield Answer("rescaled gaps: chi-square", checks.even(coarse))
        yield Answer("rescaled gaps: pairs", checks.even(self.sums["pairs"]))
        for lag in (1, 2):
            yield Answer(f"rescaled gaps: correlation at {lag}", laws.product(*self.sums[f"{lag}"].tolist()))


class StratumGaps(Question):
    """Gaps of each of the largest strata, in its own rescaled time."""

    title = "rescaled gaps of strata"
    largest = 8

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._chosen = np.argsort(-scenario.sizes, kind="stable")[: self.largest].tolist()
        self._waited = dict.fromkeys(self._chosen, 0.0)

    def see(self, tick: Tick) -> None:
        for stratum in self._chosen:
            mean = float(tick.expected.stratum_means[stratum])
            moments = np.sort(tick.places[tick.strata == stratum]) * mean
            gaps, self._waited[stratum] = _gaps(moments, mean, self._waited[stratum])
            self.sum(f"{stratum}", bins(gaps, _BINS))

    def answers(self) -> Iterator[Answer]:
        for stratum in self._chosen:
            name = self.scenario.strata[stratum]
            p = laws.bins_of_uniform(self.sums[f"{stratum}"])
            yield Answer(f"rescaled gaps: {name.country} {name.zone}", p)


def _gaps(moments: Floats, end: float, waited: float) -> tuple[Floats, float]:
    """Gaps between sorted moments of a tick as places in [0, 1), and what is waited at its end.

    The first gap includes what was waited at the end of the tick before.
    """
    if not moments.size:
        return moments, waited + end
    gaps = np.diff(moments, prepend=-waited)
    return -np.expm1(-gaps), end - float(moments[-1])
