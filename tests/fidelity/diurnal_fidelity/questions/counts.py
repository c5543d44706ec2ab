"""How many events: of each stratum in each hour, of the world in each tick, of each slot in each tick."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

import checks
from checks import Floats, Ints
from diurnal_fidelity import laws
from diurnal_fidelity.columns import Tick
from diurnal_fidelity.questions.question import Answer, Question, bins
from diurnal_fidelity.scenarios import Scenario


class StratumHours(Question):
    """Counts by stratum and hour (or second, where the scenario says so) against the closed form."""

    title = "counts by stratum and hour"

    def see(self, tick: Tick) -> None:
        observed = np.bincount(tick.strata, minlength=len(self.scenario.strata))
        self.sum(f"{tick.start // self.scenario.cell}", np.stack([observed, tick.expected.stratum_means]))

    def cells(self) -> tuple[Floats, Floats]:
        """Counts and expectations, shape (hours, strata)."""
        both = np.array([self.sums[name] for name in sorted(self.sums, key=int)])
        return both[:, 0], both[:, 1]

    def residuals(self) -> Ints:
        """Standardised differences of the cells that expect a hundred events, in tenths from -5 to 5."""
        observed, expected = self.cells()
        large = expected >= 100
        strange = checks.standardised(observed[large], expected[large])
        return np.histogram(strange, np.arange(-50, 51) / 10)[0].astype(np.int64)

    def answers(self) -> Iterator[Answer]:
        observed, expected = self.cells()
        width = self.scenario.cell_name
        yield Answer(f"stratum x {width}: chi-square", checks.chi_square(observed, expected))
        yield Answer(f"stratum x {width}: the strangest cell", checks.worst_cell(observed, expected))
        for name, axis in (("stratum", 0), (width, 1)):
            margins = observed.sum(axis=axis), expected.sum(axis=axis)
            yield Answer(f"{name}: chi-square", checks.chi_square(*margins))
        total = laws.normal(float(observed.sum()), float(expected.sum()), float(expected.sum()))
        yield Answer("all events", total)


class Ticks(Question):
    """The world's counts of each tick: as expected, and independent of the ticks before."""

    title = "counts by tick"
    lags = (1, 2, 3, 4, 8, 96)

    def see(self, tick: Tick) -> None:
        self.sum(f"{tick.number}", np.array([len(tick), tick.expected.world[-1]]))

    def answers(self) -> Iterator[Answer]:
        observed, expected = np.array([self.sums[name] for name in sorted(self.sums, key=int)]).T
        yield Answer("tick: chi-square", checks.chi_square(observed, expected))
        yield Answer("tick: the strangest", checks.worst_cell(observed, expected))
        strange = checks.standardised(observed, expected)
        for lag in self.lags:
            total = float(np.sum(strange[lag:] * strange[:-lag]))
            yield Answer(
                f"tick: correlation with {lag} before", laws.product(total, max(strange.size - lag, 0))
            )


class SlotTicks(Question):
    """Counts of each slot in each tick: Poisson in every value, and independent of their neighbours."""

    title = "counts by slot and tick"
    slot_lags = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    tick_lags = (1, 2, 4, 96)

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._before: list[Floats] = []

    def see(self, tick: Tick) -> None:
        counts, means = tick.slot_counts, tick.expected.slot_means
        strange = checks.standardised(counts, means)
        self.sum("dispersion", np.array([np.sum(strange**2), counts.size, np.sum(1 / means)]))
        self._tails(tick, counts, means)
        for lag in self.slot_lags:
            self._products(f"slots {lag}", strange[lag:], strange[:-lag])
        for lag in self.tick_lags:
            if len(self._before) >= lag:
                self._products(f"ticks {lag}", strange, self._before[-lag])
                if lag == 1:
                    self._products("ticks 1 slots 1", strange[1:], self._before[-1][:-1])
        self._before = [*self._before[-max(self.tick_lags) + 1 :], strange]

    def _tails(self, tick: Tick, counts: Ints, means: Floats) -> None:
        """Where each count lies in its law: uniform, when the jumps of the law are filled by chance."""
        chance = np.random.default_rng([tick.number, 2]).random(counts.size)
        point = stats.poisson.pmf(counts, means)
        at_most = np.asarray(stats.poisson.cdf(counts, means))
        self.sum("law", bins(at_most - chance * point, 1 << 14))
        at_least = 1 - at_most + point  # exact enough where it decides nothing, and made exact where it does
        worst = int(np.argmin(at_least))
        above = float(stats.poisson.sf(counts[worst] - 1, means[worst]))
        self.sharpest("worst", min(float(at_most.min()), above))

    def _products(self, name: str, first: Floats, second: Floats) -> None:
        self.sum(name, np.array([np.sum(first * second), first.size]))

    def answers(self) -> Iterator[Answer]:
        statistic, cells, inverse = self.sums["dispersion"].tolist()
        yield Answer("slot x tick: dispersion", laws.dispersion(statistic, cells, inverse))
        yield Answer("slot x tick: the Poisson law", laws.bins_of_uniform(self.sums["law"]))
        yield Answer("slot x tick: the strangest", min(1.0, 2 * cells * self.least["worst"]))
        for name, sums in self.sums.items():
            if name.startswith(("slots", "ticks")):
                yield Answer(f"slot x tick: correlation at {name}", laws.product(*sums.tolist()))
