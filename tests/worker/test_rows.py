"""Rows of bytes against joining them one by one."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diurnal_worker.rows import Column, Constant, Piece, RowFormat, Table

pytestmark = pytest.mark.usefixtures("either_way")

ENTRIES = st.lists(st.binary(max_size=6), min_size=1, max_size=5).map(tuple)


def frame(message: int, trailer: int) -> bytes:
    """A frame whose length depends on the message's, as a varint's does."""
    return f"<{message}|{trailer}>".encode()


def joined(
    message: Sequence[Piece],
    trailer: Sequence[Piece],
    columns: Mapping[str, NDArray[np.uint8]],
    indices: Mapping[str, NDArray[np.int64]],
    row: int,
) -> bytes:
    def written(pieces: Sequence[Piece]) -> bytes:
        parts = []
        for piece in pieces:
            if isinstance(piece, Constant):
                parts.append(piece.value)
            elif isinstance(piece, Column):
                parts.append(columns[piece.name][row].tobytes())
            else:
                parts.append(piece.entries[indices[piece.name][row]])
        return b"".join(parts)

    before, after = written(message), written(trailer)
    return frame(len(before), len(after)) + before + after


@st.composite
def formats(draw: st.DrawFn) -> tuple[list[Piece], list[Piece]]:
    """Any order of constants, columns and up to four tables, in message and trailer."""
    kinds = draw(st.lists(st.sampled_from("ktc"), max_size=8))
    pieces: list[Piece] = []
    for place, kind in enumerate(kinds):
        if kind == "k":
            pieces.append(Constant(draw(st.binary(max_size=5))))
        elif kind == "c":
            pieces.append(Column(f"c{place}", draw(st.integers(0, 5))))
        elif sum(isinstance(piece, Table) for piece in pieces) < 4:
            pieces.append(Table(f"t{place}", draw(ENTRIES)))
    pieces.append(Table("last", draw(ENTRIES)))
    cut = draw(st.integers(0, len(pieces)))
    return pieces[:cut], pieces[cut:]


@given(formats(), st.integers(0, 40), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_rows_are_their_pieces_joined_and_keep_their_order(
    of: tuple[list[Piece], list[Piece]], events: int, seed: int
) -> None:
    message, trailer = of
    rng = np.random.default_rng(seed)
    columns = {
        p.name: rng.integers(0, 256, (events, p.width)).astype(np.uint8)
        for p in [*message, *trailer]
        if isinstance(p, Column)
    }
    indices = {
        p.name: rng.integers(0, len(p.entries), events) for p in [*message, *trailer] if isinstance(p, Table)
    }
    written = RowFormat(message, trailer, frame).write(columns, indices)
    expected = [joined(message, trailer, columns, indices, row) for row in range(events)]
    assert [bytes(written.slice(row, row + 1)) for row in range(events)] == expected
    assert bytes(written.slice(0, events)) == b"".join(expected)
    assert written.payload.tobytes() == b"".join(expected)


@given(formats())
@settings(deadline=None)
def test_the_largest_row_is_an_upper_bound_that_is_reached(of: tuple[list[Piece], list[Piece]]) -> None:
    message, trailer = of
    pieces = [*message, *trailer]
    longest = sum(
        len(p.value)
        if isinstance(p, Constant)
        else p.width
        if isinstance(p, Column)
        else max(len(entry) for entry in p.entries)
        for p in pieces
    )
    assert RowFormat(message, trailer, frame).largest == longest


def test_one_table_may_stand_in_two_places() -> None:
    """A field and an attribute of the same index, each with its own entries."""
    row_format = RowFormat(
        [Constant(b"a"), Table("same", (b"x", b"yy"))], [Table("same", (b"111", b"2"))], frame
    )
    written = row_format.write({}, {"same": np.array([1, 0, 1])})
    assert written.payload.tobytes() == b"<3|1>ayy2<2|3>ax111<3|1>ayy2"


def test_a_slice_is_a_view_and_no_copy() -> None:
    written = RowFormat([Table("t", (b"a", b"bc"))], [], frame).write({}, {"t": np.array([0, 1])})
    assert np.shares_memory(np.frombuffer(written.slice(0, 2), np.uint8), written.payload)
