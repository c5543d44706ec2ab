"""JSON as RFC 8259 has it, and no more: what two readers could understand differently is refused.

Python's own reader takes NaN, lets the last of two equal keys win, and rounds 1e309 to infinity; in a
configuration each of them is a slip that would silently become another simulation. Pure.
"""

import json
from decimal import Decimal
from typing import Any, NoReturn

from diurnal_worker.quoting import quoted

MAX_BYTES = 4 * 1024 * 1024
MAX_DIGITS = 40
"""Characters of one number, and the largest power of ten in it: far beyond any quantity in a
configuration."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class JsonError(ValueError):
    """The bytes are no such JSON; the text says where and what would be right."""


def loads(data: bytes) -> Any:
    """Return the value; numbers as int or, exactly as written, Decimal. Raises JsonError."""
    text = _text(data)
    try:
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_decimal,
            parse_int=_integer,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise JsonError(f"line {error.lineno}, column {error.colno}: {error.msg}; this is not JSON") from None
    except RecursionError:
        raise JsonError("objects are nested too deeply; a configuration has three levels") from None


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise JsonError(f"the file is larger than {MAX_BYTES:,} bytes, the limit of a configuration")
    if not data.strip():
        raise JsonError("the file is empty")
    if data.startswith(_UTF16) or b"\0" in data:
        raise JsonError("the file is UTF-16, or no text at all; save it in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise JsonError(
            f"line {line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file in UTF-8"
        ) from None


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is no JSON number; write a plain number")


def _decimal(text: str) -> Decimal:
    value = Decimal(text) if len(text) <= MAX_DIGITS else None
    if value is None or not value.is_finite() or abs(value.adjusted()) > MAX_DIGITS:
        raise JsonError(f"the number {quoted(text)} is out of range; write a plain number")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise JsonError(f"the number {quoted(text)} is out of range; write a plain number")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise JsonError(f"the key {quoted(key)} appears twice in one object; keep one")
        result[key] = value
    return result
