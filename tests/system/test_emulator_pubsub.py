"""The Pub/Sub sink against the real emulator: what a subscriber receives, and what the schema refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest
from google.pubsub_v1.types import PublishRequest
from numpy.typing import NDArray

from diurnal_api.events import DEVICE_TYPE_WEIGHTS, EVENT_TYPE_WEIGHTS
from diurnal_worker.activity import Cosine
from diurnal_worker.arrivals import arrivals
from diurnal_worker.encoding import Encoder
from diurnal_worker.events import EventMaker
from diurnal_worker.intensity import Intensity
from diurnal_worker.rows import Rows
from diurnal_worker.schema import AVRO_TEXT
from diurnal_worker.sinks import Batch, PermanentSinkError
from diurnal_worker.sinks.pubsub import PubsubSink
from diurnal_worker.sinks.wire import message_field
from diurnal_worker.sources import load
from diurnal_worker.strata import World
from emulator import Broker

SOON = 60.0


def event(number: int) -> bytes:
    """An event with all eleven fields, numbered by its id."""
    fields = {
        "generation_timestamp": 1_790_000_000_000_000,
        "event_id": f"00000000-0000-4000-8000-{number:012d}",
        "event_timestamp": 1_767_225_600_000_000 + number,
        "user_id": "0b0c8f3a-8d64-4a0e-8c2b-6d4a0c9f1e11",
        "session_id": "a7d3c1b2-1f0e-4c5d-8e9f-7a6b5c4d3e2f",
        "event_type": "search",
        "app_id": "app_1000",
        "device_type": "phone",
        "os_version": "Android 14.1",
        "country_code": "IRN",
        "event_details": '{"search_query": "photo editor"}',
    }
    return json.dumps(fields).encode()


def batches(count: int, size: int) -> Iterator[Batch]:
    for first in range(0, count, size):
        messages = [event(number) for number in range(first, min(first + size, count))]
        payload = memoryview(b"".join(map(message_field, messages)))
        yield Batch(payload, len(messages), first + len(messages))


@pytest.fixture
def topic(broker: Broker) -> str:
    return broker.create_topic(AVRO_TEXT)


@pytest.fixture
def sink(topic: str) -> Iterator[PubsubSink]:
    sink = PubsubSink(topic)
    yield sink
    sink.close()


def test_a_subscriber_receives_exactly_what_was_sent(broker: Broker, topic: str, sink: PubsubSink) -> None:
    subscription = broker.subscribe(topic)
    assert sink.check_topic()
    for batch in batches(5000, 700):
        sink.send(batch)
    assert sink.drain(SOON)
    assert sink.acknowledged() == 5000
    received = broker.pull(subscription, 5000)
    assert sorted(received) == sorted(event(number) for number in range(5000))


@pytest.mark.parametrize(("encoding", "schema_encoding"), [("JSON", "JSON"), ("Avro", "BINARY")])
def test_encoded_events_of_the_world_pass_the_schema_and_arrive_byte_for_byte(
    broker: Broker, encoding: Literal["JSON", "Avro"], schema_encoding: str
) -> None:
    topic = broker.create_topic(AVRO_TEXT, schema_encoding)
    subscription = broker.subscribe(topic)
    rows, times = events_of_a_tick(encoding)
    sink = PubsubSink(topic)
    for first in range(0, len(times), 1000):
        last = min(first + 1000, len(times))
        sink.send(Batch(rows.slice(first, last), last - first, int(times[last - 1])))
    assert sink.drain(SOON)
    sink.close()
    expected = PublishRequest.deserialize(bytes(rows.slice(0, len(times)))).messages
    received = broker.pull(subscription, len(times))
    assert len(times) > 1000
    assert sorted(received) == sorted(message.data for message in expected)


def events_of_a_tick(encoding: Literal["JSON", "Avro"]) -> tuple[Rows, NDArray[np.int64]]:
    """A quarter hour of 10,000 users of the whole world, all event types among them, framed for Pub/Sub."""
    world = World.build(load("world-2025"), 10_000, 42)
    intensity = Intensity(world, Cosine(16, 0.03), 57)
    tick = 1_767_225_600_000_000 // intensity.tick
    drawn = arrivals(world, intensity, tick, range(1024))
    maker = EventMaker(world, EVENT_TYPE_WEIGHTS, DEVICE_TYPE_WEIGHTS)
    events = maker.make(drawn)
    assert len(set(events.types.tolist())) == len(EVENT_TYPE_WEIGHTS)
    rows = Encoder(maker, encoding, "pubsub").encode(events, 1_790_000_000_000_000)
    return rows, drawn.times


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"not JSON", id="not JSON"),
        pytest.param(b"{}", id="no fields"),
        pytest.param(event(1).replace(b'"search"', b'"no_such_event"'), id="an unknown event type"),
    ],
)
def test_a_message_that_does_not_fit_is_a_permanent_error_that_names_the_schema(
    sink: PubsubSink, message: bytes
) -> None:
    sink.send(Batch(memoryview(message_field(message)), 1, 10))
    with pytest.raises(PermanentSinkError, match="UserInteractionSchema") as caught:
        sink.drain(SOON)
    assert caught.value.reason == "SchemaMismatch"
    assert sink.topic in caught.value.message


def test_padding_between_tokens_passes_the_schema(broker: Broker, topic: str, sink: PubsubSink) -> None:
    subscription = broker.subscribe(topic)
    padded = event(1).replace(b", ", b",   ")
    sink.send(Batch(memoryview(message_field(padded)), 1, 10))
    assert sink.drain(SOON)
    assert broker.pull(subscription, 1) == [padded]


def test_a_topic_that_is_not_there_is_found_out_before_anything_is_sent(broker: Broker) -> None:
    sink = PubsubSink("projects/diurnal-tests/topics/no-such-topic")
    with pytest.raises(PermanentSinkError, match="gcloud pubsub topics create") as caught:
        sink.check_topic()
    assert caught.value.reason == "TopicNotFound"
    sink.close()
