"""The Avro schema, read by an independent implementation of Avro."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest

from diurnal_api.events import DEVICE_TYPE_WEIGHTS, EVENT_TYPE_WEIGHTS
from diurnal_worker.schema import AVRO, AVRO_TEXT, FIELDS, NAME, symbols

EVENT: dict[str, Any] = {
    "generation_timestamp": 1_790_000_000_000_000,
    "event_id": "6f1c2a3e-52d1-4b3a-9a55-0b8f6a3c1d2e",
    "event_timestamp": 1_767_225_600_000_001,
    "user_id": "0b0c8f3a-8d64-4a0e-8c2b-6d4a0c9f1e11",
    "session_id": "a7d3c1b2-1f0e-4c5d-8e9f-7a6b5c4d3e2f",
    "event_type": "search",
    "app_id": "app_1000",
    "device_type": "phone",
    "os_version": "Android 14.1",
    "country_code": "IRN",
    "event_details": '{"search_query": "\\u0628\\u0627\\u0632\\u06cc"}',
}


def test_the_record_has_the_contracts_name_and_eleven_fields_in_order() -> None:
    assert NAME == "com.appstore.events.UserInteractionSchema"
    assert tuple(EVENT) == FIELDS


def test_the_enums_have_the_values_of_the_spec_in_its_order() -> None:
    assert symbols("event_type") == tuple(EVENT_TYPE_WEIGHTS)
    assert symbols("device_type") == tuple(DEVICE_TYPE_WEIGHTS)


def test_an_event_goes_through_binary_avro_and_back() -> None:
    schema = fastavro.parse_schema(AVRO)
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, EVENT)
    buffer.seek(0)
    read = fastavro.schemaless_reader(buffer, schema, None)
    assert isinstance(read, dict)
    assert {**read, "event_timestamp": 0, "generation_timestamp": 0} == {
        **EVENT,
        "event_timestamp": 0,
        "generation_timestamp": 0,
    }
    assert read["event_timestamp"].isoformat() == "2026-01-01T00:00:00.000001+00:00"


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_may_be_missing(field: str) -> None:
    partial = {name: value for name, value in EVENT.items() if name != field}
    with pytest.raises((ValueError, TypeError, KeyError)):
        fastavro.schemaless_writer(io.BytesIO(), fastavro.parse_schema(AVRO), partial)


def test_plain_json_of_an_event_is_avros_json_encoding() -> None:
    """Without unions and bytes the two are the same: what json.dumps writes, fastavro reads."""
    [read] = list(fastavro.json_reader(io.StringIO(json.dumps(EVENT)), fastavro.parse_schema(AVRO)))
    assert isinstance(read, dict)
    assert read["event_details"] == EVENT["event_details"]
    assert json.loads(AVRO_TEXT) == AVRO
