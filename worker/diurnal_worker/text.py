"""Numbers and UUIDs as text or bytes, for whole arrays at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from diurnal_worker.identifiers import Ids

U8 = NDArray[np.uint8]

UUID_LENGTH: Final = 36
INSTANT_DIGITS: Final = 16
_TEN_TO_15: Final = 10**15
_HEX: Final = np.frombuffer(b"".join(b"%02x" % n for n in range(256)), np.uint16)
_FOUR_DIGITS: Final = np.frombuffer(b"".join(b"%04d" % n for n in range(10_000)), np.uint32)
_DASHED: Final = ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32))


def uuid_text(ids: Ids) -> U8:
    """The canonical 36 characters of each UUID (RFC 9562, section 4), shape (n, 36)."""
    halves = np.empty((ids.high.size, 2), ">u8")
    halves[:, 0], halves[:, 1] = ids.high, ids.low
    digits = _HEX[halves.view(np.uint8).reshape(-1, 16)].view(np.uint8)
    text = np.full((ids.high.size, UUID_LENGTH), ord("-"), np.uint8)
    for at, first, last in _DASHED:
        text[:, at : at + last - first] = digits[:, first:last]
    return text


def instant_text(times: NDArray[np.int64]) -> U8:
    """Microseconds since 1970 in 16 columns, shape (n, 16); before 2001 spaces stand for leading zeros."""
    groups = np.empty((times.size, 4), np.uint32)
    rest = times
    for column in (3, 2, 1, 0):
        rest, group = rest // 10_000, rest % 10_000
        groups[:, column] = _FOUR_DIGITS[group]
    text = groups.view(np.uint8)
    if times.size and times.min() < _TEN_TO_15:
        leading = np.cumsum(text != ord("0"), axis=1) == 0
        text[leading] = ord(" ")
    return text


def four_digits(numbers: NDArray[np.int64]) -> U8:
    """Numbers 0 .. 9999 as four characters, shape (n, 4)."""
    return _FOUR_DIGITS[numbers].view(np.uint8).reshape(-1, 4)


def varint(value: int) -> bytes:
    """An unsigned LEB128 number, as Avro and protobuf write it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint_columns(values: NDArray[np.int64], width: int) -> U8:
    """Unsigned LEB128 of values that all take ``width`` bytes, shape (n, width)."""
    out = np.empty((values.size, width), np.uint8)
    for byte in range(width):
        last = byte == width - 1
        out[:, byte] = (values >> (7 * byte)) & 0x7F | (0 if last else 0x80)
    return out
