"""Weighted choice: exact shares of the 2^64 words, zero weights, order."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diurnal_worker.choice import thresholds

pytestmark = pytest.mark.usefixtures("either_way")

WEIGHTS = st.lists(
    st.one_of(st.just(0.0), st.floats(1e-6, 1e6), st.integers(1, 1_000_000).map(float)),
    min_size=1,
    max_size=12,
).filter(any)
WORDS = 2**64


def shares(weights: list[float]) -> list[Fraction]:
    """The part of all words that each index gets, exactly."""
    ends = [0, *thresholds(weights).tolist(), WORDS]
    found = [Fraction(b - a, WORDS) for a, b in pairwise(ends)]
    return found + [Fraction(0)] * (len(weights) - len(found))


@given(WEIGHTS)
def test_every_index_gets_its_weights_share_to_two_to_the_minus_50(weights: list[float]) -> None:
    total = sum(map(Fraction, weights))
    for share, weight in zip(shares(weights), weights, strict=True):
        assert abs(share - Fraction(weight) / total) < Fraction(1, 2**50)


@given(WEIGHTS, st.lists(st.sampled_from([0, 1, 2**63, WORDS - 1]), min_size=1))
def test_a_weight_of_zero_is_never_chosen(weights: list[float], edges: list[int]) -> None:
    ends = thresholds(weights)
    near = [e + d for e in ends.tolist() for d in (-1, 0, 1) if 0 <= e + d < WORDS]
    chosen = np.searchsorted(ends, np.array([*edges, *near], np.uint64), side="right")
    assert all(weights[index] > 0 for index in chosen.tolist())


@given(WEIGHTS, st.floats(1e-3, 1e3))
def test_only_relative_weights_count(weights: list[float], factor: float) -> None:
    scaled = shares([weight * factor for weight in weights])
    for one, other in zip(shares(weights), scaled, strict=True):
        assert abs(one - other) < Fraction(1, 2**49)


def test_a_single_weight_is_always_chosen() -> None:
    assert thresholds([3.0]).size == 0
    assert thresholds([0.0, 3.0, 0.0]).tolist() == [0]


def test_halves_are_exact() -> None:
    assert thresholds([1.0, 1.0]).tolist() == [2**63]
