"""Text of whole arrays against what Python writes of single values."""

import uuid

import numpy as np
import pytest
from google.protobuf.internal.encoder import _VarintBytes
from hypothesis import given
from hypothesis import strategies as st

from diurnal_worker.identifiers import Ids
from diurnal_worker.text import four_digits, instant_text, uuid_text, varint, varint_columns

HALVES = st.integers(0, 2**64 - 1)
Y1972, Y2001, Y2286 = 63_072_000_000_000, 10**15, 10**16


@given(st.lists(st.tuples(HALVES, HALVES), max_size=20))
def test_uuids_are_written_as_pythons_are(halves: list[tuple[int, int]]) -> None:
    high, low = (np.array([pair[i] for pair in halves], np.uint64) for i in (0, 1))
    written = [bytes(row).decode() for row in uuid_text(Ids(high, low))]
    assert written == [str(uuid.UUID(int=h << 64 | lo)) for h, lo in halves]


@given(st.lists(st.integers(Y2001, Y2286 - 1), max_size=20))
def test_instants_since_2001_fill_their_sixteen_columns(times: list[int]) -> None:
    assert [bytes(row).decode() for row in instant_text(np.array(times, np.int64))] == [
        str(time) for time in times
    ]


@given(st.lists(st.integers(Y1972, Y2286 - 1), min_size=1, max_size=20))
def test_instants_before_2001_have_spaces_for_leading_zeros_whatever_stands_beside_them(
    times: list[int],
) -> None:
    assert [bytes(row).decode() for row in instant_text(np.array(times, np.int64))] == [
        f"{time:16d}" for time in times
    ]


@pytest.mark.parametrize("time", [Y1972, Y2001 - 1, Y2001, Y2001 + 1, Y2286 - 1, 100_000_000_000_001])
def test_instants_at_the_seams(time: int) -> None:
    assert bytes(instant_text(np.array([time]))[0]).decode() == f"{time:16d}"


def test_numbers_have_four_digits() -> None:
    written = four_digits(np.arange(10_000))
    assert [bytes(row).decode() for row in written] == [f"{n:04d}" for n in range(10_000)]


@given(st.integers(0, 2**64 - 1))
def test_varints_are_protobufs(value: int) -> None:
    assert varint(value) == _VarintBytes(value)


@given(st.lists(st.integers(2**49, 2**56 - 1), min_size=1, max_size=10))
def test_columns_of_varints_are_varints(values: list[int]) -> None:
    written = [bytes(row) for row in varint_columns(np.array(values, np.int64), 8)]
    assert written == [_VarintBytes(value) for value in values]


@given(st.integers(0, 2**56 - 1))
def test_a_varint_of_fixed_width_has_its_value_with_idle_zeros(value: int) -> None:
    [row] = varint_columns(np.array([value], np.int64), 8)
    assert sum((byte & 0x7F) << 7 * i for i, byte in enumerate(row.tolist())) == value
    assert [byte >> 7 for byte in row.tolist()] == [1] * 7 + [0]
