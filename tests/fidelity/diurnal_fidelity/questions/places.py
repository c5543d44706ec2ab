"""When in the tick, in rescaled time: what "uniform in the bin" gets wrong, and nothing else sees."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import checks
from diurnal_fidelity import laws
from diurnal_fidelity.columns import Tick
from diurnal_fidelity.questions.question import Answer, Question, bins, squares

_BINS = 1 << 14
_GRID = 64
_DIGITS = 125  # divides every tick that is a divisor of 900 s and not below a millisecond


class Places(Question):
    """Places in rising and in falling ticks, with the user's spot, and the last digits of the microsecond."""

    title = "places in the tick"

    def see(self, tick: Tick) -> None:
        for name, chosen in (("rising", tick.rising), ("falling", ~tick.rising)):
            self.sum(name, bins(tick.places[chosen], _BINS))
        self.sum("spot", squares(tick.places, tick.spots, _GRID))
        if tick.length % _DIGITS == 0:
            self.sum("digits", np.bincount(tick.arrivals.times % _DIGITS, minlength=_DIGITS))

    def answers(self) -> Iterator[Answer]:
        for name in ("rising", "falling"):
            yield Answer(f"places in {name} ticks: Kolmogorov-Smirnov", laws.bins_of_uniform(self.sums[name]))
        both = (self.sums["rising"] + self.sums["falling"]).reshape(256, -1).sum(axis=1)
        yield Answer("places in ticks: chi-square", checks.even(both))
        yield Answer("place x spot: chi-square", checks.even(self.sums["spot"]))
        if "digits" in self.sums:
            yield Answer("last digits of the microsecond", checks.even(self.sums["digits"]))
