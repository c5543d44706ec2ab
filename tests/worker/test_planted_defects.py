"""The questions that the engine passes can fail: each planted defect is found, a sound process is not blamed.

The same threshold as in test_statistics.py, on samples a twentieth of the size.
"""

from collections.abc import Callable

import numpy as np
import pytest

import checks
import defects
from reference import DAY, HOUR, MINUTE, Reference, Stratum, hourly, instant
from samples import Sample

Question = Callable[[Sample], float]

TICK = 15 * MINUTE
SPRING = instant("2026-03-08T00:00:00Z")  # New York's clocks go forward at 07:00
JAGGED = hourly([float(1 + (7 * hour) % 11) for hour in range(24)])
STRATA = [
    Stratum("AAA", "Asia/Kolkata", 0, 3000),
    Stratum("BBB", "America/New_York", 3000, 2000),
    Stratum("CCC", "Australia/Lord_Howe", 5000, 1000),
]
QUESTIONS: dict[str, Question] = {
    "counts by stratum and hour": Sample.by_stratum,
    "the strangest count by stratum and hour": Sample.by_stratum_worst,
    "counts by tick": lambda sample: sample.by_interval(TICK),
    "counts by user": Sample.by_user,
    "counts by slot and tick": Sample.by_slot_and_tick,
    "independence of ticks": lambda sample: sample.neighbours(1, 0),
    "independence of slots": lambda sample: sample.neighbours(0, 1),
    "shared draws of ticks": Sample.repeats_from_tick_to_tick,
    "shared draws of slots": Sample.repeats_from_slot_to_slot,
    "rescaled gaps": Sample.gaps,
    "successive gaps": Sample.successive_gaps,
    "rescaled gaps of the largest stratum": Sample.gaps_of_largest,
    "places in rising ticks": lambda sample: sample.places(rising=True),
    "places in falling ticks": lambda sample: sample.places(rising=False),
    "time and user": Sample.time_and_user,
}
FOUND: list[tuple[type[defects.Sound], set[str]]] = [
    (defects.BiasedModulo, {"counts by user"}),
    (defects.OneDrawForTimeAndUser, {"time and user"}),
    (defects.KeysWithoutTheTick, {"shared draws of ticks", "independence of ticks"}),
    (defects.KeysWithoutTheSlot, {"shared draws of slots", "independence of slots"}),
    (defects.AddedKeys, {"shared draws of ticks"}),
    (defects.RoundedCounts, {"counts by slot and tick"}),
    (defects.LooseCounts, {"counts by slot and tick"}),
    (
        defects.LostTick,
        {"counts by tick", "the strangest count by stratum and hour", "counts by slot and tick"},
    ),
    (defects.UniformInTheBin, {"places in rising ticks", "places in falling ticks"}),
    (defects.CoarseClock, {"rescaled gaps"}),
    (defects.ShiftedHour, {"counts by stratum and hour", "counts by tick"}),
    (defects.ValuesAtTheFullHour, {"counts by stratum and hour", "counts by tick"}),
    (defects.NothingRejected, {"counts by tick"}),
    (defects.WinterForEver, {"counts by stratum and hour"}),
    (defects.WholeHours, {"counts by stratum and hour"}),
]


def blamed(sample: Sample) -> set[str]:
    """The questions whose answer a sound process would give less than once in 10^8."""
    return {name for name, question in QUESTIONS.items() if question(sample) < checks.THRESHOLD}


def drawn(process: type[defects.Sound]) -> Sample:
    """A day of some 600,000 events."""
    return process(Reference(STRATA, JAGGED, 100), SPRING, SPRING + DAY, TICK).sample()


def everyone(process: type[defects.Sound]) -> Sample:
    """An hour of a few hundred thousand events of the whole axis."""
    world = Reference([Stratum("AAA", "UTC", 0, 5_400_000_000)], JAGGED, 1e-3)
    return process(world, SPRING, SPRING + HOUR, TICK).sample()


def test_a_sound_process_is_not_blamed() -> None:
    assert blamed(drawn(defects.Sound)) == set()


@pytest.mark.parametrize(("defect", "found_by"), FOUND, ids=lambda it: getattr(it, "__name__", ""))
def test_a_planted_defect_is_found(defect: type[defects.Sound], found_by: set[str]) -> None:
    assert found_by <= blamed(drawn(defect))


def test_users_drawn_from_the_whole_axis_are_not_blamed() -> None:
    assert everyone(defects.Sound).by_rank() > checks.THRESHOLD


def test_users_drawn_from_32_bits_are_found() -> None:
    assert everyone(defects.ThirtyTwoBits).by_rank() < checks.THRESHOLD


def test_a_count_where_nothing_is_expected_is_impossible() -> None:
    assert checks.chi_square(np.array([100, 1]), np.array([100.0, 0.0])) == 0


def test_events_that_move_between_cells_are_seen_though_the_total_stays() -> None:
    expected = np.full(1000, 400.0)
    moved = np.random.default_rng(3).poisson(expected)
    moved[::2] += 20
    moved[1::2] -= 20
    assert checks.chi_square(moved, expected) < checks.THRESHOLD


def test_counts_of_another_law_are_seen() -> None:
    rng = np.random.default_rng(4)
    assert checks.poisson_law(rng.poisson(5.0, 20_000), 5.0) > checks.THRESHOLD
    assert checks.poisson_law(rng.binomial(20, 0.25, 20_000), 5.0) < checks.THRESHOLD


def test_pools_keep_every_event_and_are_large_enough() -> None:
    expected = np.exp(np.random.default_rng(5).uniform(-5, 8, 3000))
    counts, means = checks.pooled(np.ones(3000), expected)
    assert means.min() >= checks.LEAST
    assert means.sum() == pytest.approx(expected.sum())
    assert counts.sum() == 3000
