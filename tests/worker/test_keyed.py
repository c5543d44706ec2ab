"""Keyed randomness against a plain implementation in Python's unbounded integers.

`mixed_of` and `draw_of` are written from the papers (SplitMix, Stafford's variant 13) and share nothing with
the engine but the constants that it has chosen for itself.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import THRESHOLD, even, uncorrelated
from diurnal_worker.keyed import (
    Purpose,
    draws,
    fractions,
    key,
    mix,
    mixed,
    mixed_in_place,
    scaled,
    streams,
)

TWO_TO_64 = 2**64
EDGES = (0, 1, 2, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1)
WORDS = st.integers(0, TWO_TO_64 - 1)


def mixed_of(value: int) -> int:
    value %= TWO_TO_64
    value = (value ^ value // 2**30) * 0xBF58476D1CE4E5B9 % TWO_TO_64
    value = (value ^ value // 2**27) * 0x94D049BB133111EB % TWO_TO_64
    return value ^ value // 2**31


def draw_of(purpose_key: int, tick: int, slot: int, number: int) -> int:
    """Draw `number` of one stream."""
    golden = 0x9E3779B97F4A7C15
    of_tick = mixed_of(purpose_key + tick * 0xD1342543DE82EF95)
    base = mixed_of(slot * 0xDA942042E4DD58B5 + of_tick)
    gamma = mixed_of(base + golden) | 1
    if (gamma ^ gamma >> 1).bit_count() < 24:  # SplitMix: increments of too regular bits are broken up
        gamma ^= 0xAAAAAAAAAAAAAAAA
    return mixed_of(base + gamma * (number + 1))


def test_the_finaliser_is_the_published_one() -> None:
    """SplitMix64's first outputs from state 0, as in its reference implementation (Vigna's splitmix64.c)."""
    state, outputs = 0, []
    for _ in range(3):
        state = (state + 0x9E3779B97F4A7C15) % TWO_TO_64
        outputs.append(mix(state))
    assert outputs == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@given(st.integers(-(2**70), 2**70))
def test_one_integer_is_mixed_modulo_two_to_the_64(value: int) -> None:
    assert mix(value) == mixed_of(value)


@given(st.lists(WORDS, min_size=1, max_size=20))
def test_arrays_are_mixed_elementwise_and_stay_as_they_are(values: list[int]) -> None:
    array = np.array(values, np.uint64)
    assert mixed(array).tolist() == [mixed_of(value) for value in values]
    assert array.tolist() == values


@given(st.lists(WORDS, min_size=1, max_size=20))
def test_mixing_in_place_gives_the_same(values: list[int]) -> None:
    array = np.array(values, np.uint64)
    assert mixed_in_place(array, np.empty_like(array)) is array
    assert array.tolist() == [mixed_of(value) for value in values]


@given(
    st.integers(0, 2**53),
    st.sampled_from(Purpose),
    st.integers(0, 2**53),
    st.lists(st.integers(0, 1023), min_size=1, max_size=8),
    st.integers(0, 2**21),
)
def test_a_draw_is_splitmix_of_its_purpose_tick_slot_and_number(
    seed: int, purpose: Purpose, tick: int, slots: list[int], number: int
) -> None:
    purpose_key = key(seed, purpose)
    of_slots = streams(purpose_key, tick, np.array(slots, np.uint64))
    expected = [draw_of(purpose_key, tick, slot, number) for slot in slots]
    assert draws(of_slots, number).tolist() == expected


def test_increments_are_odd_so_that_a_stream_never_repeats_itself() -> None:
    gammas = streams(key(0, Purpose.COUNT), 7, np.arange(1024, dtype=np.uint64)).gamma
    assert (gammas % np.uint64(2) == 1).all()


def test_regular_increments_are_broken_up() -> None:
    """About one gamma in a hundred thousand has fewer than 24 changes of bits; none is left."""
    purpose_key = key(42, Purpose.COUNT)
    slots = np.arange(1024, dtype=np.uint64)
    for tick in range(200):
        gamma = streams(purpose_key, tick, slots).gamma
        assert int(np.bitwise_count(gamma ^ (gamma >> np.uint64(1))).min()) >= 24


def test_purposes_and_seeds_have_different_keys() -> None:
    """Seeds to 2^53 and their neighbours, all purposes: no two share a key."""
    seeds = [*range(200), 2**52, 2**53 - 1, 2**53]
    keys = {key(seed, purpose) for seed, purpose in itertools.product(seeds, Purpose)}
    assert len(keys) == len(seeds) * len(Purpose)


def test_the_numbers_of_purposes_never_change() -> None:
    assert {purpose.name: purpose.value for purpose in Purpose}.items() >= {
        "COUNT": 1,
        "CANDIDATE": 2,
        "EVENT_ID": 3,
        "USER_ID": 4,
        "SESSION_ID": 5,
        "SESSION_OFFSET": 6,
        "USER_TRAITS": 7,
        "EVENT_FIELDS": 8,
    }.items()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((42, Purpose.COUNT, 5), (42, Purpose.CANDIDATE, 5)),
        ((42, Purpose.COUNT, 5), (43, Purpose.COUNT, 5)),
        ((0, Purpose.COUNT, 5), (2**53, Purpose.COUNT, 5)),
        ((42, Purpose.COUNT, 5), (42, Purpose.COUNT, 6)),
    ],
    ids=["purposes", "seeds", "far seeds", "ticks"],
)
def test_draws_of_different_names_are_independent(
    one: tuple[int, Purpose, int], other: tuple[int, Purpose, int]
) -> None:
    """2^17 pairs a case: their sums modulo one are even, and they are uncorrelated."""
    slots = np.arange(1024, dtype=np.uint64)
    first, second = (
        np.concatenate([draws(streams(key(seed, purpose), tick, slots), n) for n in range(128)])
        for seed, purpose, tick in (one, other)
    )
    together = ((first ^ second) >> np.uint64(54)).astype(np.int64)
    assert even(np.bincount(together, minlength=1024)) > THRESHOLD
    root_12 = 12**0.5
    assert uncorrelated((fractions(first) - 0.5) * root_12, (fractions(second) - 0.5) * root_12) > THRESHOLD


@given(st.lists(WORDS, min_size=1, max_size=20), st.integers(0, 2**32 - 1))
def test_scaling_is_the_exact_high_word_of_the_product(bits: list[int], bound: int) -> None:
    found = scaled(np.array(bits, np.uint64), np.uint64(bound))
    assert found.tolist() == [value * bound // TWO_TO_64 for value in bits]


def test_scaling_is_exact_at_every_edge() -> None:
    for bits, bound in itertools.product(EDGES, [e for e in EDGES if e < 2**32]):
        assert int(scaled(np.array([bits], np.uint64), np.uint64(bound))[0]) == bits * bound // TWO_TO_64


@given(st.lists(st.tuples(WORDS, st.integers(0, 2**32 - 1)), min_size=1, max_size=20))
def test_every_element_may_have_a_bound_of_its_own(pairs: list[tuple[int, int]]) -> None:
    bits, bounds = (np.array(column, np.uint64) for column in zip(*pairs, strict=True))
    assert scaled(bits, bounds).tolist() == [value * bound // TWO_TO_64 for value, bound in pairs]


@given(st.integers(1, 2**32 - 1), st.data())
def test_no_value_below_the_bound_is_favoured_by_more_than_two_to_the_minus_32(
    bound: int, data: st.DataObject
) -> None:
    """How many of the 2^64 words lead to a value, by exact division, beside 2^64 / bound."""
    value = data.draw(st.integers(0, bound - 1))
    words = -(-(value + 1) * TWO_TO_64 // bound) - -(-value * TWO_TO_64 // bound)
    assert abs(words * bound - TWO_TO_64) <= TWO_TO_64 / 2**32


@given(WORDS)
def test_fractions_are_the_top_53_bits_and_never_one(bits: int) -> None:
    [fraction] = fractions(np.array([bits], np.uint64)).tolist()
    assert fraction == (bits >> 11) / 2**53
    assert 0 <= fraction < 1
