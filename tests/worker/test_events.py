"""The fields of events: shares, what depends on what, and the contract of the details."""

import json
import re
from functools import cache

import numpy as np
import pytest

from checks import THRESHOLD, even, multinomial
from diurnal_api.events import DEVICE_TYPE_WEIGHTS, EVENT_TYPE_WEIGHTS
from diurnal_worker.arrivals import Arrivals
from diurnal_worker.events import EVENT_TYPES, PRICES, QUERIES, RATINGS, EventMaker, Events
from diurnal_worker.schema import symbols
from diurnal_worker.sources import load
from diurnal_worker.strata import World

START = 1_767_225_600_000_000
COUNT = 200_000


def world(users: int = 10_000, seed: int = 42) -> World:
    return World.build(load("world-2025"), users, seed)


def arrivals(users: int = 10_000, count: int = COUNT) -> Arrivals:
    """Arrivals that nobody drew: a step of 7 microseconds, users by a stride."""
    order = np.arange(count)
    return Arrivals(
        START + 7 * order, order * 7919 % users, np.zeros(count, np.int64), order.astype(np.uint64)
    )


@cache
def maker() -> EventMaker:
    return EventMaker(world(), EVENT_TYPE_WEIGHTS, DEVICE_TYPE_WEIGHTS)


@cache
def sample() -> Events:
    return maker().make(arrivals())


def details_of(name: str) -> list[dict[str, object]]:
    chosen = sample().details[sample().types == EVENT_TYPES.index(name)]
    return [json.loads(maker().details[i]) for i in chosen.tolist()]


def test_types_are_those_of_the_contract_in_its_order() -> None:
    assert symbols("event_type") == EVENT_TYPES


def test_types_have_the_shares_of_their_weights() -> None:
    """By chi-square, the rarest expected 2000 times."""
    expected = np.array([EVENT_TYPE_WEIGHTS[name] for name in EVENT_TYPES]) * COUNT
    assert multinomial(np.bincount(sample().types, minlength=7), expected) > THRESHOLD


def test_weights_are_relative_and_may_be_any_mapping_of_them() -> None:
    made = EventMaker(world(), {"search": 30.0, "app_open": 10.0}, DEVICE_TYPE_WEIGHTS).make(arrivals())
    observed = np.bincount(made.types, minlength=7)
    searches, opens = EVENT_TYPES.index("search"), EVENT_TYPES.index("app_open")
    assert observed[searches] + observed[opens] == COUNT
    assert multinomial(observed[[searches, opens]], np.array([0.75, 0.25]) * COUNT) > THRESHOLD


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_type_of_weight_zero_never_occurs(name: str) -> None:
    for weights in (
        {**EVENT_TYPE_WEIGHTS, name: 0.0},
        {other: 1.0 for other in EVENT_TYPES if other != name},
    ):
        made = EventMaker(world(), weights, DEVICE_TYPE_WEIGHTS).make(arrivals(count=20_000))
        assert EVENT_TYPES.index(name) not in made.types


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_type_may_be_the_only_one(name: str) -> None:
    made = EventMaker(world(), {name: 1e-6}, DEVICE_TYPE_WEIGHTS).make(arrivals(count=1000))
    assert set(made.types.tolist()) == {EVENT_TYPES.index(name)}


def test_apps_are_even_from_1000_to_9999() -> None:
    assert (int(sample().apps.min()), int(sample().apps.max())) == (1000, 9999)
    assert even(np.bincount((sample().apps - 1000) // 10, minlength=900)) > THRESHOLD


def test_details_are_compact_json_objects_with_just_the_keys_of_their_type() -> None:
    keys = {
        "search": ["search_query"],
        "review_submit": ["rating"],
        "in_app_purchase": ["item_id", "price_usd"],
    }
    for name in EVENT_TYPES:
        found = details_of(name)
        assert found
        assert all(list(details) == keys.get(name, []) for details in found)
    for text in maker().details:
        assert json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")) == text


def test_queries_are_texts_and_all_of_them_occur_evenly() -> None:
    found = [details["search_query"] for details in details_of("search")]
    assert set(found) == set(QUERIES)
    assert len(set(QUERIES)) == len(QUERIES)
    places = [QUERIES.index(str(query)) for query in found]
    assert even(np.bincount(places, minlength=len(QUERIES))) > THRESHOLD


def test_ratings_are_whole_numbers_from_1_to_5_in_their_shares() -> None:
    found = [details["rating"] for details in details_of("review_submit")]
    assert all(type(rating) is int for rating in found)
    observed = np.bincount([int(str(rating)) for rating in found], minlength=6)
    assert observed[0] == 0
    assert multinomial(observed[1:], np.array([RATINGS[n] for n in range(1, 6)]) * len(found)) > THRESHOLD


def test_purchases_have_an_item_of_one_price_in_dollars_and_cents() -> None:
    price_of: dict[str, float] = {}
    for details in details_of("in_app_purchase"):
        item, price = details["item_id"], details["price_usd"]
        assert isinstance(item, str)
        assert re.fullmatch("item_[0-9]{3}", item)
        assert isinstance(price, float)
        assert price in PRICES
        assert price_of.setdefault(item, price) == price
    assert len(price_of) == 100
    assert set(price_of.values()) == set(PRICES)


def test_the_country_is_that_of_the_users_stratum() -> None:
    made = sample()
    by_user = {
        user: stratum.country
        for stratum in world().strata
        for user in range(stratum.first, stratum.first + stratum.users)
    }
    found = [maker().countries[i] for i in made.countries.tolist()]
    assert found == [by_user[user] for user in arrivals().users.tolist()]


def test_a_users_id_device_and_country_never_change() -> None:
    made, users = sample(), arrivals().users
    seen: dict[int, tuple[int, ...]] = {}
    rows = zip(
        *(a.tolist() for a in (users, made.user_ids.high, made.user_ids.low, made.traits, made.countries)),
        strict=True,
    )
    assert all(seen.setdefault(user, tuple(rest)) == tuple(rest) for user, *rest in rows)


def test_type_app_and_details_are_independent() -> None:
    """Apps among the searches, and details of low and high apps, are as everywhere."""
    made = sample()
    searches = made.types == EVENT_TYPES.index("search")
    assert even(np.bincount((made.apps[searches] - 1000) // 100, minlength=90)) > THRESHOLD
    pairs = (made.details[searches] - 1) * 2 + (made.apps[searches] >= 5500)
    assert even(np.bincount(pairs, minlength=2 * len(QUERIES))) > THRESHOLD


def test_an_event_is_the_same_in_whatever_company() -> None:
    some = arrivals().part(np.arange(COUNT) % 997 == 5)
    together, apart = sample(), maker().make(some)
    chosen = np.flatnonzero(np.arange(COUNT) % 997 == 5)
    assert apart.event_ids.low.tolist() == together.event_ids.low[chosen].tolist()
    assert apart.details.tolist() == together.details[chosen].tolist()
    assert apart.apps.tolist() == together.apps[chosen].tolist()


def test_events_of_one_user_in_one_microsecond_differ_by_their_ordinal() -> None:
    same = Arrivals(np.full(3, START), np.full(3, 7), np.arange(3), np.arange(3).astype(np.uint64))
    made = maker().make(same)
    assert len(set(made.event_ids.low.tolist())) == 3
    assert len(set(made.user_ids.low.tolist())) == 1


def test_another_seed_makes_other_events_of_the_same_arrivals() -> None:
    other = EventMaker(world(seed=43), EVENT_TYPE_WEIGHTS, DEVICE_TYPE_WEIGHTS).make(arrivals(count=1000))
    assert not set(other.event_ids.low.tolist()) & set(sample().event_ids.low[:1000].tolist())


def test_no_arrivals_make_no_events() -> None:
    assert len(maker().make(arrivals(count=0))) == 0


def test_a_part_keeps_all_fields_together() -> None:
    part = sample().part(slice(10, 20))
    again = maker().make(arrivals().part(slice(10, 20)))
    assert len(part) == 10
    for name in ("times", "types", "apps", "traits", "countries", "details"):
        assert getattr(part, name).tolist() == getattr(again, name).tolist()
    for name in ("event_ids", "user_ids", "session_ids"):
        assert getattr(part, name).high.tolist() == getattr(again, name).high.tolist()
        assert getattr(part, name).low.tolist() == getattr(again, name).low.tolist()
