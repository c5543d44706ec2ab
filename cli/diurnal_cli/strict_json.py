"""JSON as RFC 8259 has it, and no more: what two readers could understand differently is refused.

Python's own reader takes NaN, lets the last of two equal keys win, and rounds 1e309 to infinity; in a
configuration each of them is a slip that would silently become another simulation. Pure.
"""

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

from diurnal_worker.quoting import quoted

MAX_BYTES = 4 * 1024 * 1024
MAX_DIGITS = 40
"""Characters of one number, and the largest power of ten in it: far beyond any quantity in a
configuration."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class JsonError(ValueError):
    """No such JSON; it says what would be right. ``line`` counts from 1, 0 where none is to blame."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message, self.line = message, line


def loads(data: bytes) -> Any:
    """Return the value; numbers as int or, exactly as written, Decimal. JsonError says where."""
    try:
        return parse(_text(data), _decimal)
    except JsonError as error:
        raise JsonError(f"line {error.line}, {error.message}" if error.line else error.message) from None


def parse(text: str, real: Callable[[str], Any]) -> Any:
    """Return the value of one text; ``real`` reads numbers that are not whole. Raises JsonError."""
    try:
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=real,
            parse_int=_integer,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise JsonError(f"column {error.colno}: {error.msg}; this is not JSON", error.lineno) from None
    except RecursionError:
        raise JsonError("nested too deeply: objects of a configuration have a few levels") from None


def finite(text: str) -> float:
    """Return the nearest float; JsonError where it would be infinite."""
    if not math.isfinite(number := float(text)):
        raise JsonError(f"the number {quoted(text)} is out of range; write a plain number")
    return number


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
