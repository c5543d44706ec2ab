"""Apportionment and slots against brute force."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diurnal_worker.dataset import Country, Dataset
from diurnal_worker.sources import load
from diurnal_worker.strata import World, apportion, users_by_slot

SLOTS = 1024
WEIGHTS = st.lists(st.fractions(0, 10**6, max_denominator=1000), min_size=1, max_size=30).filter(any)


def largest_remainders(total: int, weights: list[Fraction]) -> list[int]:
    """Hamilton's method one seat at a time: the next seat goes to the largest remainder, first one first."""
    quotas = [Fraction(total) * weight / sum(weights) for weight in weights]
    seats = [int(quota) for quota in quotas]
    while sum(seats) < total:
        remainders = [quota - seat for quota, seat in zip(quotas, seats, strict=True)]
        seats[remainders.index(max(remainders))] += 1
    return seats


@given(st.integers(0, 6 * 10**9), WEIGHTS)
@settings(max_examples=40, deadline=None)
def test_seats_go_by_largest_remainder_and_are_all_given(total: int, weights: list[Fraction]) -> None:
    seats = apportion(total, weights)
    assert seats == largest_remainders(total, weights)
    assert sum(seats) == total


@given(st.integers(0, 6 * 10**9), WEIGHTS)
@settings(max_examples=40, deadline=None)
def test_nobody_gets_more_than_one_seat_beyond_the_quota(total: int, weights: list[Fraction]) -> None:
    for seats, weight in zip(apportion(total, weights), weights, strict=True):
        assert abs(seats - total * weight / sum(weights)) < 1


def test_a_weight_of_nothing_gets_nobody() -> None:
    assert apportion(7, [Fraction(0), Fraction(1), Fraction(0)]) == [0, 7, 0]


def test_equal_remainders_go_to_the_earlier_place() -> None:
    assert apportion(2, [Fraction(1)] * 3) == [1, 1, 0]


@given(st.integers(0, 5000), st.integers(0, 5000))
@settings(max_examples=50)
def test_slots_are_counted_as_by_walking_along_the_axis(first: int, users: int) -> None:
    walked = np.bincount(np.arange(first, first + users) % SLOTS, minlength=SLOTS)
    assert users_by_slot(first, users).tolist() == walked.tolist()


@given(st.integers(0, 5_400_000_000), st.integers(0, 5_400_000_000))
def test_slots_share_any_stretch_of_the_axis_to_one_user(first: int, users: int) -> None:
    shares = users_by_slot(first, users)
    assert shares.sum() == users
    assert shares.max() - shares.min() <= 1


@pytest.mark.parametrize("users", [1, 2, 1023, 1024, 1025, 10_000, 5_400_000_000])
def test_strata_lie_one_after_another_and_fill_the_axis(users: int) -> None:
    world = World.build(load("world-2025"), users, 42)
    end = 0
    for stratum in world.strata:
        assert stratum.first == end
        end += stratum.users
    assert end == users
    assert world.slot_users.sum() == users
    assert world.users_by_zone_and_slot.sum(axis=0).tolist() == world.slot_users.tolist()


def test_every_zone_has_the_users_of_its_strata() -> None:
    world = World.build(load("world-2025"), 100_000, 42)
    by_zone = dict.fromkeys(world.zones, 0)
    for stratum in world.populated:
        by_zone[stratum.zone] += stratum.users
    assert dict(zip(world.zones, world.users_by_zone.tolist(), strict=True)) == by_zone


def test_indices_of_zones_and_countries_name_those_of_the_stratum() -> None:
    world = World.build(load("world-2025"), 50_000, 42)
    for place, stratum in enumerate(world.populated):
        assert world.zones[world.zone_of[place]] == stratum.zone
        assert world.countries[world.country_of[place]] == stratum.country
        assert world.firsts[place] == stratum.first


def test_the_order_of_the_dataset_changes_nothing() -> None:
    countries = (
        Country(
            "AAA", "A", 10, Fraction(1), (("Asia/Tokyo", Fraction(2, 3)), ("Asia/Dubai", Fraction(1, 3)))
        ),
        Country("BBB", "B", 20, Fraction(1, 2), (("Europe/Oslo", Fraction(1)),)),
    )
    turned = (countries[1], Country("AAA", "A", 10, Fraction(1), countries[0].zones[::-1]))
    one, other = (World.build(Dataset(c, "test", None, "0" * 64), 100, 1) for c in (countries, turned))
    assert one.strata == other.strata


def test_people_offline_have_no_users() -> None:
    countries = (
        Country("AAA", "A", 10**9, Fraction(0), (("Asia/Pyongyang", Fraction(1)),)),
        Country("BBB", "B", 1, Fraction(1), (("Europe/Oslo", Fraction(1)),)),
    )
    world = World.build(Dataset(countries, "test", None, "0" * 64), 1000, 1)
    assert [stratum.country for stratum in world.populated] == ["BBB"]
    assert world.zones == ("Europe/Oslo",)
