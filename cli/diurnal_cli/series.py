"""The numbers behind the figures: the world's rate over time, and each country's day.

Pure arithmetic on a `RunRecord`; `diurnal_cli.figures` only draws what these functions return.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from diurnal_cli.record import HOUR, RunRecord

MOST_POINTS = 2_000
"""A line of more points than this shows no more and costs more."""
HOURS_A_DAY = 24
_BAND = 0.99


@dataclass(frozen=True)
class Rates:
    """The world's events in bins of time: `edges` (B + 1,) instants, all others (B,) events a bin."""

    edges: NDArray[np.int64]
    expected: NDArray[np.float64]
    drawn: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    hours_a_bin: int

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(B,) The length of each bin: the first and the last may be shorter."""
        lengths: NDArray[np.float64] = np.diff(self.edges) / 1e6
        return lengths

    @property
    def outside(self) -> NDArray[np.bool_]:
        """(B,) Which bins lie outside their 99 % band."""
        beyond: NDArray[np.bool_] = (self.drawn < self.low) | (self.drawn > self.high)
        return beyond

    @property
    def partial(self) -> bool:
        """Whether the run covers its first or last bin only in part."""
        return bool((self.seconds < self.hours_a_bin * HOUR / 1e6).any())

    @property
    def deviations(self) -> NDArray[np.float64]:
        """(B,) (drawn - expected) in Poisson standard deviations; 0 where nothing is expected or drawn."""
        scale = np.sqrt(np.maximum(self.expected, np.finfo(float).tiny))
        return np.where(self.expected > 0, (self.drawn - self.expected) / scale, 0.0)


def world_rates(record: RunRecord, most_points: int = MOST_POINTS) -> Rates:
    """The world's events, summed over as few hours a bin as keep the bins within `most_points`."""
    covered = record.covered_seconds() > 0
    hours = record.hours[covered]
    if hours.size == 0:
        nothing = np.empty(0)
        edges = np.array([record.start], dtype=np.int64)
        return Rates(edges, nothing, np.empty(0, dtype=np.int64), nothing, nothing, 1)
    width = hours_a_bin(int(hours[-1] - hours[0]) // HOUR + 1, most_points)
    bins = hours // (HOUR * width)
    firsts = np.flatnonzero(np.diff(bins, prepend=bins[0] - 1))
    expected = np.add.reduceat(record.expected[covered].sum(axis=1), firsts)
    drawn = np.add.reduceat(record.drawn[covered].sum(axis=1), firsts)
    edges = np.append(np.maximum(hours[firsts], record.start), record.end)
    low, high = poisson_band(expected)
    return Rates(edges, expected, drawn, low, high, width)


def poisson_band(expected: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The counts between which 99 % or more of all Poisson draws of these means lie, both inclusive."""
    tail = (1 - _BAND) / 2
    return np.asarray(poisson.ppf(tail, expected)), np.asarray(poisson.ppf(1 - tail, expected))


def hours_a_bin(hours: int, most_points: int) -> int:
    """One hour, or as few whole days as need at most `most_points` bins.

    Never a part of a day: bins of six hours would swing between day and night at every step and
    hide what changes over months. Bins lie on the absolute grid; a partial first bin can cost one bin more.
    """
    if hours <= most_points:
        return 1
    return HOURS_A_DAY * int(np.ceil(hours / HOURS_A_DAY / (most_points - 1)))


@dataclass(frozen=True)
class Days:
    """Each country's average day. `values` (K, 24): drawn rate by UTC hour over its mean; NaN if unseen."""

    countries: tuple[str, ...]
    values: NDArray[np.float64]
    drawn: NDArray[np.int64]
    """(K,) events of each country"""
    peaks: NDArray[np.float64]
    """(K,) the UTC hour around which each country's expected day is centred, ascending"""
    hours_covered: int


def average_days(record: RunRecord, most_countries: int) -> Days:
    """The countries with most events, by the UTC hour of their peak, so that the day runs through them."""
    totals = record.drawn.sum(axis=0)
    largest = np.argsort(-totals, kind="stable")[:most_countries]
    largest = largest[totals[largest] > 0]
    seconds = _by_hour_of_day(record, record.covered_seconds()[:, None])
    covered = seconds[:, 0] > 0
    drawn = _rates(_by_hour_of_day(record, record.drawn[:, largest]), seconds)
    peaks = peak_hours(_rates(_by_hour_of_day(record, record.expected[:, largest]), seconds), covered)
    order = np.argsort(peaks, kind="stable")
    means = drawn[:, covered].mean(axis=1, keepdims=True) if covered.any() else np.ones((largest.size, 1))
    return Days(
        countries=tuple(record.countries[index] for index in largest[order]),
        values=(drawn / means)[order],
        drawn=totals[largest[order]],
        peaks=peaks[order],
        hours_covered=int(covered.sum()),
    )


def peak_hours(rates: NDArray[np.float64], covered: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The UTC hour of each country's peak, for rates (K, 24).

    Over a whole day it is the phase of the first harmonic, which a plateau or two equal hours do not confuse;
    over a part of a day it is the middle of the highest hour.
    """
    middles = np.arange(HOURS_A_DAY) + 0.5
    if not covered.all():
        return np.asarray(middles[np.argmax(np.where(covered, rates, -1.0), axis=1)])
    turns = np.exp(2j * np.pi * middles / HOURS_A_DAY)
    phases: NDArray[np.float64] = np.angle(rates @ turns)
    hours: NDArray[np.float64] = phases / (2 * np.pi) * HOURS_A_DAY % HOURS_A_DAY
    return hours


def _by_hour_of_day(
    record: RunRecord, values: NDArray[np.float64] | NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum (H, K) over the hours that share an hour of the day: (24, K)."""
    sums = np.zeros((HOURS_A_DAY, values.shape[1]))
    np.add.at(sums, record.hours // HOUR % HOURS_A_DAY, values)
    return sums


def _rates(sums: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Events a second (K, 24); NaN where no time was covered."""
    rates = np.full(sums.shape, np.nan)
    np.divide(sums, seconds, out=rates, where=seconds > 0)
    turned: NDArray[np.float64] = rates.T
    return turned
