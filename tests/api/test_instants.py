"""Instants and their text, against the standard library's own calendar."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from diurnal_api.instants import Instant, InstantOrNow, format_instant, parse_instant

moments = st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC))


@given(moments)
def test_the_text_of_an_instant_is_that_of_the_standard_library(moment: datetime) -> None:
    instant = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    expected = moment.strftime("%m-%dT%H:%M:%S.%f") + "Z"
    assert format_instant(instant) == f"{moment.year:04d}-{expected}"
    assert parse_instant(format_instant(instant)) == instant


@given(st.integers(-(10**15), 7 * 10**15), st.integers(-(10**15), 7 * 10**15))
def test_texts_are_ordered_as_their_instants(one: int, other: int) -> None:
    assert (one < other) == (format_instant(one) < format_instant(other))


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1972-02-29T00:00:00Z", 68_169_600_000_000),
    ],
)
def test_known_times_are_read(text: str, microseconds: int) -> None:
    assert parse_instant(text) == microseconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+01:00",
        "2026-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T23:59:60Z",
        "2026-01-01T00:00:00.1234567Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01",
        "٢٠٢٦-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
        "",
    ],
)
def test_what_is_no_utc_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="2026-01-01T00:00:00Z"):
        parse_instant(text)


def test_an_instant_is_an_int_in_python_and_text_in_json() -> None:
    adapter = TypeAdapter(Instant)
    assert adapter.validate_python(7) == 7
    assert adapter.validate_json('"1970-01-01T00:00:00.000007Z"') == 7
    assert adapter.dump_python(7) == 7
    assert adapter.dump_json(7) == b'"1970-01-01T00:00:00.000007Z"'


def test_a_bare_number_in_a_file_is_no_time() -> None:
    with pytest.raises(ValidationError, match="is not a UTC time"):
        TypeAdapter(Instant).validate_json("1767225600")


def test_now_is_kept_as_a_word() -> None:
    adapter = TypeAdapter(InstantOrNow)
    assert adapter.validate_json('"Now"') == "Now"
    assert adapter.dump_json("Now") == b'"Now"'
    with pytest.raises(ValidationError, match="or Now"):
        adapter.validate_json('"now"')
