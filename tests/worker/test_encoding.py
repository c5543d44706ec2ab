"""Ready bytes against json, fastavro and Google's own protobuf classes, event by event."""

import io
import json
from itertools import product
from typing import Any

import fastavro
import numpy as np
import pytest
from google.pubsub_v1 import PublishRequest

from diurnal_api.events import DEVICE_TYPE_WEIGHTS, EVENT_TYPE_WEIGHTS
from diurnal_worker.encoding import ATTRIBUTES, Encoder, Encoding
from diurnal_worker.events import EVENT_TYPES, EventMaker, Events
from diurnal_worker.identifiers import named_ids
from diurnal_worker.rows import Rows
from diurnal_worker.schema import AVRO, FIELDS
from diurnal_worker.sources import load
from diurnal_worker.strata import World

pytestmark = pytest.mark.usefixtures("either_way")

MAKER = EventMaker(
    World.build(load("world-2025"), 5_400_000_000, 42), EVENT_TYPE_WEIGHTS, DEVICE_TYPE_WEIGHTS
)
SCHEMA = fastavro.parse_schema(AVRO)
GENERATED = 1_790_000_000_123_456
BEFORE_1978, BEFORE_2001, NOW = 63_072_000_000_001, 999_999_999_999_999, 1_767_225_600_000_001
LAST = 7_258_118_399_999_999  # 2199-12-31T23:59:59.999999Z
ERAS = pytest.mark.parametrize(
    "first", [BEFORE_1978, 281_474_976_710_655, BEFORE_2001 - 100, NOW, LAST - 10_000]
)


def every_value(first: int) -> Events:
    """Events in which every entry of every table occurs, in uneven combinations, microseconds apart."""
    count = 20 * max(len(MAKER.details), len(MAKER.countries))
    order = np.arange(count)
    numbers = order.astype(np.uint64)
    return Events(
        times=first + order,
        event_ids=named_ids(1, numbers),
        user_ids=named_ids(2, numbers),
        session_ids=named_ids(3, numbers),
        types=order % len(EVENT_TYPES),
        apps=1000 + (order * 7919) % 9000,
        traits=order // 3 % len(MAKER.users.traits),
        countries=order % len(MAKER.countries),
        details=order // 5 % len(MAKER.details),
    )


def dashed(high: int, low: int) -> str:
    digits = f"{high << 64 | low:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def plain(events: Events, generated_at: int = GENERATED) -> list[dict[str, Any]]:
    """The events as dictionaries, from the maker's tables."""
    ids = [
        [dashed(h, lo) for h, lo in zip(half.high.tolist(), half.low.tolist(), strict=True)]
        for half in (events.event_ids, events.user_ids, events.session_ids)
    ]
    return [
        {
            "generation_timestamp": generated_at,
            "event_id": ids[0][i],
            "event_timestamp": int(events.times[i]),
            "user_id": ids[1][i],
            "session_id": ids[2][i],
            "event_type": EVENT_TYPES[events.types[i]],
            "app_id": f"app_{events.apps[i]}",
            "device_type": MAKER.users.traits[events.traits[i]].device,
            "os_version": MAKER.users.traits[events.traits[i]].os,
            "country_code": MAKER.countries[events.countries[i]],
            "event_details": MAKER.details[events.details[i]],
        }
        for i in range(len(events))
    ]


def encoder(encoding: Encoding, *attributes: str) -> Encoder:
    return Encoder(MAKER, encoding, "pubsub", attributes)


def request(rows: Rows, first: int, last: int) -> Any:
    """What the service would read: the rows behind a topic."""
    topic = b"projects/p/topics/t"
    head = b"\x0a" + bytes([len(topic)]) + topic
    return PublishRequest.deserialize(head + bytes(rows.slice(first, last)))


def lines(events: Events, generated_at: int = GENERATED) -> list[bytes]:
    rows = Encoder(MAKER, "JSON", "lines").encode(events, generated_at)
    return [bytes(rows.slice(i, i + 1)) for i in range(len(events))]


def test_the_sample_holds_every_value_of_every_table_and_odd_ones() -> None:
    events = every_value(NOW)
    assert set(events.types.tolist()) == set(range(7))
    assert set(events.traits.tolist()) == set(range(20))
    assert set(events.countries.tolist()) == set(range(len(MAKER.countries)))
    assert set(events.details.tolist()) == set(range(len(MAKER.details)))
    assert any('\\"' in text for text in MAKER.details)
    assert any(not text.isascii() for text in MAKER.details)


@pytest.mark.parametrize("first", [NOW, LAST - 10_000])
def test_a_line_is_the_compact_json_of_the_event(first: int) -> None:
    events = every_value(first)
    expected = [
        json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        for event in plain(events)
    ]
    assert lines(events) == expected


@ERAS
def test_a_line_is_read_back_as_the_event_in_every_era(first: int) -> None:
    events = every_value(first)
    found = [json.loads(line) for line in lines(events)]
    assert found == plain(events)
    assert all(tuple(event) == FIELDS for event in found)


@ERAS
@pytest.mark.parametrize("encoding", ["JSON", "Avro"])
def test_at_most_two_in_a_hundred_bytes_are_padding(encoding: Encoding, first: int) -> None:
    """In this century none is; before, spaces or idle zeros fill two numbers up to their usual width."""
    events = every_value(first).part(slice(700))
    plainly = 0
    for event in plain(events):
        if encoding == "JSON":
            plainly += len(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode())
        else:
            buffer = io.BytesIO()
            fastavro.schemaless_writer(buffer, SCHEMA, event)
            plainly += len(buffer.getvalue())
    found = request(encoder(encoding).encode(events, GENERATED), 0, len(events))
    assert plainly <= sum(len(message.data) for message in found.messages) <= 1.02 * plainly


def test_a_wall_clock_before_2001_is_written_too() -> None:
    events = every_value(NOW)
    assert json.loads(lines(events, BEFORE_1978)[0])["generation_timestamp"] == BEFORE_1978


@pytest.mark.parametrize("first", [281_474_976_710_656, NOW, LAST - 10_000])
def test_a_binary_message_is_what_fastavro_writes(first: int) -> None:
    events = every_value(first)
    found = request(encoder("Avro").encode(events, GENERATED), 0, len(events))
    for message, event in zip(found.messages, plain(events), strict=True):
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, SCHEMA, event)
        assert message.data == buffer.getvalue()


@ERAS
def test_a_binary_message_is_read_back_as_the_event_in_every_era(first: int) -> None:
    """Before December 1978 a long ends with an idle zero, which readers take."""
    events = every_value(first)
    untimed = fastavro.parse_schema(
        {
            **AVRO,
            "fields": [
                {**f, "type": "long"} if f["name"].endswith("_timestamp") else f for f in AVRO["fields"]
            ],
        }
    )
    found = request(encoder("Avro").encode(events, GENERATED), 0, len(events))
    for message, event in zip(found.messages, plain(events), strict=True):
        buffer = io.BytesIO(message.data)
        assert fastavro.schemaless_reader(buffer, untimed, None) == event
        assert buffer.read() == b""


@pytest.mark.parametrize("encoding", ["JSON", "Avro"])
def test_attributes_are_the_fields_and_nothing_else(encoding: Encoding) -> None:
    events = every_value(NOW)
    rows = encoder(encoding, *ATTRIBUTES).encode(events, GENERATED)
    found = request(rows, 0, len(events))
    assert found.topic == "projects/p/topics/t"
    for message, event in zip(found.messages, plain(events), strict=True):
        assert dict(message.attributes) == {name: event[name] for name in ATTRIBUTES}
        assert (message.message_id, message.ordering_key, message.publish_time) == ("", "", None)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_each_field_may_be_the_only_attribute(name: str) -> None:
    events = every_value(NOW).part(slice(100))
    found = request(encoder("JSON", name).encode(events, GENERATED), 0, 100)
    assert [dict(message.attributes) for message in found.messages] == [
        {name: e[name]} for e in plain(events)
    ]


@pytest.mark.parametrize("name", ["event_details", "event_timestamp", "generation_timestamp", "price", ""])
def test_what_cannot_be_an_attribute_is_refused_with_what_can(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} cannot be an attribute: choose among event_id, user_id"):
        encoder("JSON", name)


def test_messages_carry_the_same_json_as_lines_do() -> None:
    events = every_value(NOW)
    found = request(encoder("JSON").encode(events, GENERATED), 0, len(events))
    assert [message.data + b"\n" for message in found.messages] == lines(events)
    assert not any(message.attributes for message in found.messages)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 1), (17, 18), (3, 500), (999, 1000)])
def test_any_cut_of_the_rows_is_a_request(first: int, last: int) -> None:
    events = every_value(NOW)
    found = request(encoder("JSON", "event_id").encode(events, GENERATED), first, last)
    assert [m.attributes["event_id"] for m in found.messages] == [e["event_id"] for e in plain(events)][
        first:last
    ]


def test_avro_has_no_lines() -> None:
    with pytest.raises(
        ValueError, match="Avro binary has no line form: choose encoding JSON, or the Pub/Sub"
    ):
        Encoder(MAKER, "Avro", "lines")


def test_no_events_are_no_bytes() -> None:
    for one in (encoder("JSON"), encoder("Avro", "event_id"), Encoder(MAKER, "JSON", "lines")):
        rows = one.encode(every_value(NOW).part(slice(0)), GENERATED)
        assert rows.payload.size == 0
        assert rows.offsets.tolist() == [0]


@pytest.mark.parametrize(("encoding", "attributes"), list(product(["JSON", "Avro"], [(), ATTRIBUTES])))
def test_no_message_is_larger_than_the_encoder_says(encoding: Encoding, attributes: tuple[str, ...]) -> None:
    """What budgets and requests are planned by: data and attributes as they are on the wire."""
    one = encoder(encoding, *attributes)
    rows = one.encode(every_value(NOW), GENERATED)
    for message in request(rows, 0, rows.offsets.size - 1).messages:
        assert len(message.data) + sum(len(k) + len(v.encode()) for k, v in message.attributes.items()) <= (
            one.largest_message
        )
