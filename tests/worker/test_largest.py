"""The bounds that turn dollars into messages hold for whatever the encoder can write."""

from typing import Any, get_args

import numpy as np
import pytest
from google.pubsub_v1.types import PublishRequest

from diurnal_api.events import DEVICE_TYPE_WEIGHTS, EVENT_TYPE_WEIGHTS, AttributeField
from diurnal_api.planning import LARGEST_BODY, LONGEST_VALUE
from diurnal_worker.arrivals import Arrivals
from diurnal_worker.encoding import ATTRIBUTES, Encoder
from diurnal_worker.events import EventMaker
from diurnal_worker.sources import load
from diurnal_worker.strata import World

LATEST = 7_258_118_400_000_000  # 2200-01-01T00:00:00Z: no instant has more digits
EVENTS = 50_000


@pytest.fixture(scope="module")
def maker() -> EventMaker:
    world = World.build(load("world-2025"), 10_000_000, 42)
    return EventMaker(world, EVENT_TYPE_WEIGHTS, DEVICE_TYPE_WEIGHTS)


def messages(maker: EventMaker, encoding: Any, attributes: tuple[str, ...] = ()) -> list[Any]:
    numbers = np.arange(EVENTS, dtype=np.int64)
    arrivals = Arrivals(LATEST - 1 - numbers[::-1], numbers * 199, 0 * numbers, numbers.astype(np.uint64))
    rows = Encoder(maker, encoding, "pubsub", attributes).encode(maker.make(arrivals), LATEST)
    return list(PublishRequest.pb(PublishRequest.deserialize(bytes(rows.slice(0, EVENTS)))).messages)


@pytest.mark.parametrize("encoding", ["JSON", "Avro"])
def test_no_combination_of_fields_is_larger_than_the_bound(maker: EventMaker, encoding: Any) -> None:
    assert Encoder(maker, encoding, "pubsub").largest_message <= LARGEST_BODY[encoding]


@pytest.mark.parametrize("encoding", ["JSON", "Avro"])
def test_drawn_messages_stay_within_the_bound_and_come_near_it(maker: EventMaker, encoding: Any) -> None:
    largest = max(len(message.data) for message in messages(maker, encoding))
    assert 0.8 * LARGEST_BODY[encoding] < largest <= LARGEST_BODY[encoding]


def test_drawn_attributes_stay_within_their_bounds(maker: EventMaker) -> None:
    found = messages(maker, "JSON", ATTRIBUTES)
    for name in ATTRIBUTES:
        assert max(len(message.attributes[name].encode()) for message in found) <= LONGEST_VALUE[name]


def test_every_field_that_the_contract_takes_as_an_attribute_has_a_bound_and_an_encoder() -> None:
    assert set(get_args(AttributeField)) == set(ATTRIBUTES) == set(LONGEST_VALUE)


def test_every_value_that_tables_hold_stays_within_its_bound(maker: EventMaker) -> None:
    tables = {
        "country_code": maker.countries,
        "os_version": tuple(traits.os for traits in maker.users.traits),
        "device_type": tuple(traits.device for traits in maker.users.traits),
        "event_type": tuple(EVENT_TYPE_WEIGHTS),
    }
    for name, values in tables.items():
        assert max(len(value.encode()) for value in values) <= LONGEST_VALUE[name], name
