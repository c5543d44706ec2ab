"""From events to ready bytes: the message of ``schema.UserInteraction`` in JSON or Avro binary, framed.

Frames are what a sink wants before each message: lines end with a newline, Pub/Sub wants each message as
a field of ``google.pubsub.v1.PublishRequest`` (protobuf wire format), so that a batch is a slice of the
buffer and no byte is touched again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from diurnal_worker.events import EVENT_TYPES, EventMaker, Events
from diurnal_worker.rows import Column, Columns, Constant, Piece, RowFormat, Rows, Table
from diurnal_worker.text import (
    INSTANT_DIGITS,
    UUID_LENGTH,
    four_digits,
    instant_text,
    varint,
    varint_columns,
)
from diurnal_worker.users import DEVICE_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

U8 = NDArray[np.uint8]
Framing = Literal["pubsub", "lines"]
Encoding = Literal["JSON", "Avro"]

_MESSAGES: Final = b"\x12"  # PublishRequest.messages = 2, length-delimited
_DATA: Final = b"\x0a"  # PubsubMessage.data = 1
_ATTRIBUTES: Final = b"\x12"  # PubsubMessage.attributes = 2: a map entry {key = 1, value = 2}
AVRO_INSTANT_WIDTH: Final = 8  # of zigzag microseconds; before 1978-12 the last byte is an idle zero
ATTRIBUTES: Final = (
    *("event_id", "user_id", "session_id", "event_type", "app_id", "device_type", "os_version"),
    "country_code",
)


class Encoder:
    """Encodes the events of one maker; ``attributes`` are event fields repeated as Pub/Sub attributes."""

    def __init__(
        self,
        maker: EventMaker,
        encoding: Encoding,
        framing: Framing,
        attributes: Sequence[str] = (),
    ) -> None:
        if framing == "lines" and encoding != "JSON":
            raise ValueError("Avro binary has no line form: choose encoding JSON, or the Pub/Sub sink")
        self._encoding = encoding
        self._columns = _json_columns if encoding == "JSON" else _avro_columns
        pieces = _json_pieces(maker) if encoding == "JSON" else _avro_pieces(maker)
        self._format = _framed(pieces, _attribute_pieces(maker, attributes), framing)
        self.largest_message = self._format.largest

    def encode(self, events: Events, generated_at: int) -> Rows:
        """Rows of ``events``; ``generated_at`` is the wall clock in microseconds since 1970."""
        columns = self._columns(events, generated_at)
        indices = {
            "event_type": events.types,
            "traits": events.traits,
            "details": events.details,
            "country_code": events.countries,
        }
        return self._format.write(columns, indices)


def _framed(message: list[Piece], attributes: list[Piece], framing: Framing) -> RowFormat:
    if framing == "lines":
        return RowFormat(message, [Constant(b"\n")], lambda _message, _trailer: b"")
    return RowFormat(message, attributes, _pubsub_frame)


def _pubsub_frame(message: int, trailer: int) -> bytes:
    inner = _DATA + varint(message)
    return _MESSAGES + varint(len(inner) + message + trailer) + inner


def _json_columns(events: Events, generated_at: int) -> Columns:
    return _columns(events, instant_text, np.array([generated_at]))


def _avro_columns(events: Events, generated_at: int) -> Columns:
    return _columns(events, _avro_instants, np.array([generated_at]))


def _columns(
    events: Events, instants: Callable[[NDArray[np.int64]], U8], generated_at: NDArray[np.int64]
) -> Columns:
    return {
        "generation_timestamp": instants(generated_at),
        "event_id": events.event_ids,
        "event_timestamp": instants(events.times),
        "user_id": events.user_ids,
        "session_id": events.session_ids,
        "app_id": four_digits(events.apps),
    }


def _avro_instants(times: NDArray[np.int64]) -> U8:
    return varint_columns(times << 1, AVRO_INSTANT_WIDTH)


def _json_pieces(maker: EventMaker) -> list[Piece]:
    return [
        Constant(b'{"generation_timestamp":'),
        Column("generation_timestamp", INSTANT_DIGITS),
        Constant(b',"event_id":"'),
        Column("event_id", UUID_LENGTH),
        Constant(b'","event_timestamp":'),
        Column("event_timestamp", INSTANT_DIGITS),
        Constant(b',"user_id":"'),
        Column("user_id", UUID_LENGTH),
        Constant(b'","session_id":"'),
        Column("session_id", UUID_LENGTH),
        Constant(b'","event_type":'),
        Table("event_type", _quoted(EVENT_TYPES)),
        Constant(b',"app_id":"app_'),
        Column("app_id", 4),
        Constant(b'","device_type":'),
        Table("traits", _json_traits(maker)),
        Constant(b',"country_code":'),
        Table("country_code", _quoted(maker.countries)),
        Constant(b',"event_details":'),
        Table("details", _quoted(maker.details)),
        Constant(b"}"),
    ]


def _json_traits(maker: EventMaker) -> tuple[bytes, ...]:
    return tuple(
        f'{json.dumps(t.device)},"os_version":{json.dumps(t.os)}'.encode() for t in maker.users.traits
    )


def _quoted(values: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(json.dumps(value, ensure_ascii=False).encode() for value in values)


def _avro_pieces(maker: EventMaker) -> list[Piece]:
    """Avro 1.12, binary encoding: longs are zigzag varints, strings carry their length, enums their index."""
    uuid_length = Constant(varint(2 * UUID_LENGTH))
    return [
        Column("generation_timestamp", AVRO_INSTANT_WIDTH),
        uuid_length,
        Column("event_id", UUID_LENGTH),
        Column("event_timestamp", AVRO_INSTANT_WIDTH),
        uuid_length,
        Column("user_id", UUID_LENGTH),
        uuid_length,
        Column("session_id", UUID_LENGTH),
        Table("event_type", tuple(varint(2 * i) for i in range(len(EVENT_TYPES)))),
        Constant(varint(2 * len("app_0000")) + b"app_"),
        Column("app_id", 4),
        Table(
            "traits",
            tuple(varint(2 * DEVICE_TYPES.index(t.device)) + _avro_string(t.os) for t in maker.users.traits),
        ),
        Table("country_code", tuple(_avro_string(country) for country in maker.countries)),
        Table("details", tuple(_avro_string(details) for details in maker.details)),
    ]


def _avro_string(text: str) -> bytes:
    raw = text.encode()
    return varint(2 * len(raw)) + raw


def _attribute_pieces(maker: EventMaker, names: Sequence[str]) -> list[Piece]:
    """PubsubMessage.attributes, one map entry a name; values are the fields' text."""
    return [piece for name in names for piece in _attribute(maker, name)]


def _attribute(maker: EventMaker, name: str) -> list[Piece]:
    tables: Mapping[str, tuple[str, tuple[str, ...]]] = {
        "event_type": ("event_type", EVENT_TYPES),
        "device_type": ("traits", tuple(t.device for t in maker.users.traits)),
        "os_version": ("traits", tuple(t.os for t in maker.users.traits)),
        "country_code": ("country_code", maker.countries),
    }
    if name in tables:
        index, values = tables[name]
        return [Table(index, tuple(_map_entry(name, len(v.encode())) + v.encode() for v in values))]
    if name == "app_id":
        return [Constant(_map_entry(name, len("app_0000")) + b"app_"), Column(name, 4)]
    if name in {"event_id", "user_id", "session_id"}:
        return [Constant(_map_entry(name, UUID_LENGTH)), Column(name, UUID_LENGTH)]
    raise ValueError(f"{name} cannot be an attribute: choose among {', '.join(ATTRIBUTES)}")


def _map_entry(name: str, value_length: int) -> bytes:
    """A map entry of PubsubMessage.attributes up to its value."""
    entry = b"\x0a" + varint(len(name)) + name.encode() + b"\x12" + varint(value_length)
    return _ATTRIBUTES + varint(len(entry) + value_length) + entry
