"""Instants: whole microseconds since 1970-01-01T00:00:00Z, and their RFC 3339 text.

Everything that computes uses the integers; everything that people or Kubernetes read uses the text, always
UTC with a ``Z``, written with exactly six fractional digits (as a Lease's MicroTime demands), so that the
order of the texts is the order of the times. Leap seconds do not exist on this scale: ``:60`` is refused.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

PATTERN: Final = (
    "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?Z"
)
EXPECTED: Final = (
    "a UTC time such as 2026-01-01T00:00:00Z (RFC 3339, ending in Z, at most six digits after the second)"
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHAPE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.]([0-9]{1,6}))?Z")


def parse_instant(text: str) -> int:
    """The microseconds since 1970 of an RFC 3339 text in UTC; ValueError says what would be right."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:60]!r} is not {EXPECTED}")
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction = int((match[7] or "").ljust(6, "0"))
    try:
        moment = datetime(year, month, day, hour, minute, second, fraction, tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time of the calendar ({error}); give {EXPECTED}") from None
    return (moment - _EPOCH) // timedelta(microseconds=1)


def format_instant(instant: int) -> str:
    """The RFC 3339 text of an instant, with exactly six fractional digits. Years 1 to 9999."""
    moment = _EPOCH + timedelta(microseconds=instant)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _validate(value: object, info: ValidationInfo) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and info.mode == "python":
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("instant", "{text}", {"text": f"{value!r:.60} is not {EXPECTED}"})
    try:
        return parse_instant(value)
    except ValueError as error:
        raise PydanticCustomError("instant", "{text}", {"text": str(error)}) from None


def _validate_or_now(value: object, info: ValidationInfo) -> int | Literal["Now"]:
    if value == "Now":
        return "Now"
    try:
        return _validate(value, info)
    except PydanticCustomError as error:
        text = f"{error.message()}, or Now"
        raise PydanticCustomError("instant", "{text}", {"text": text}) from None


def _text(value: int | Literal["Now"]) -> str:
    return value if isinstance(value, str) else format_instant(value)


Instant = Annotated[
    int,
    PlainValidator(_validate),
    PlainSerializer(_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "maxLength": 27, "pattern": f"^{PATTERN}$"}),
]
"""An int in Python (RFC 3339 text is accepted), RFC 3339 text with six fractional digits in JSON."""

InstantOrNow = Annotated[
    int | Literal["Now"],
    PlainValidator(_validate_or_now),
    PlainSerializer(_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "maxLength": 27, "pattern": f"^({PATTERN}|Now)$"}),
]
"""An Instant, or the word Now, which is resolved once, when the run begins."""
