"""Numbers and UUIDs as text or bytes, for whole arrays at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from diurnal_worker.keyed import U64

if TYPE_CHECKING:
    from diurnal_worker.identifiers import Ids

U8 = NDArray[np.uint8]

UUID_LENGTH: Final = 36
INSTANT_DIGITS: Final = 16
_TEN_TO_15: Final = 10**15
_FOUR_DIGITS: Final = np.frombuffer(b"".join(b"%04d" % n for n in range(10_000)), np.uint32)
_DASHES: Final = (8, 13, 18, 23)
_NIBBLES: Final = tuple(
    (np.uint64(shift), np.uint64(mask))
    for shift, mask in ((16, 0x0000FFFF0000FFFF), (8, 0x00FF00FF00FF00FF), (4, 0x0F0F0F0F0F0F0F0F))
)
_SIXES: Final = np.uint64(0x0606060606060606)
_ONES: Final = np.uint64(0x0101010101010101)
_ZERO_CHARACTERS: Final = np.uint64(0x3030303030303030)
_FROM_COLON_TO_A: Final = np.uint64(ord("a") - ord("9") - 1)


def write_uuids(out: U8, ids: Ids) -> None:
    """Writes the canonical 36 characters of each UUID (RFC 9562, section 4) into ``out``, shape (n, 36)."""
    out[:, _DASHES] = ord("-")
    low = np.uint64(0xFFFFFFFF)
    halves = (ids.high >> np.uint64(32), ids.high & low, ids.low >> np.uint64(32), ids.low & low)
    first, second, third, fourth = (_hexadecimal(half) for half in halves)
    _put(out, 0, first)
    _put(out, 28, fourth)
    for at, half in ((9, second), (19, third)):
        words = half.view(np.uint32).reshape(-1, 2)
        _put(out, at, words[:, 0])
        _put(out, at + 5, words[:, 1])


def uuid_text(ids: Ids) -> U8:
    """The canonical 36 characters of each UUID, shape (n, 36)."""
    out = np.empty((ids.high.size, UUID_LENGTH), np.uint8)
    write_uuids(out, ids)
    return out


def _hexadecimal(values: U64) -> U64:
    """The eight digits of 32-bit values as the bytes of a uint64, the first digit first in memory.

    All digits at once within a register: spread the nibbles, then add "0", or what is left to "a".
    """
    digits = values.copy()
    for shift, mask in _NIBBLES:
        digits |= digits << shift
        digits &= mask
    letters = digits + _SIXES
    letters >>= np.uint64(4)
    letters &= _ONES
    letters *= _FROM_COLON_TO_A
    digits += _ZERO_CHARACTERS
    digits += letters
    return digits.byteswap(inplace=True)


def _put(out: U8, at: int, words: NDArray[np.unsignedinteger]) -> None:
    """Writes words of some bytes into columns from ``at`` on."""
    out[:, at : at + words.itemsize].view(words.dtype)[:, 0] = words


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
