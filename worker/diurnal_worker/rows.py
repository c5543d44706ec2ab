"""Messages as rows of bytes, assembled for many events at once: no Python object an event, no padding.

A row is a sequence of pieces: constant bytes, columns of a fixed width, and table entries of some length.
Each piece is copied to its place in every row by one indexed assignment for each length that its entries
have, so the buffer keeps the events' order whatever their lengths (docs/decisions/0006).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diurnal_worker import kernel
from diurnal_worker.identifiers import Ids
from diurnal_worker.text import write_uuids

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]
Columns = Mapping[str, U8 | Ids]  # a matrix (events, width), or (1, width) for all; or UUIDs to be written
Indices = Mapping[str, NDArray[np.integer]]
Frame = Callable[[int, int], bytes]  # lengths of message and trailer -> what stands before them

_LONGEST_FRAME: Final = 16
_ROWS_AT_A_TIME: Final = 1024  # by the kernel: what a core's cache holds


@dataclass(frozen=True, eq=False)
class Constant:
    """The same bytes in every row."""

    value: bytes


@dataclass(frozen=True, eq=False)
class Column:
    """Bytes of a fixed width by this name."""

    name: str
    width: int


@dataclass(frozen=True, eq=False)
class Table:
    """One of ``entries``, by an index (events,) of this name."""

    name: str
    entries: tuple[bytes, ...]


Piece = Constant | Column | Table


@dataclass(frozen=True, eq=False)
class Rows:
    """Framed messages back to back: row i is payload[offsets[i]:offsets[i + 1]]."""

    payload: U8
    offsets: I64

    def slice(self, first: int, last: int) -> memoryview:
        """Rows first .. last - 1 as bytes, without a copy."""
        return self.payload[int(self.offsets[first]) : int(self.offsets[last])].data


class RowFormat:
    """How to write a row: a frame, the ``message``, then the ``trailer``, which the frame counts apart.

    ``largest`` is an upper bound of message and trailer in bytes.
    """

    def __init__(self, message: Sequence[Piece], trailer: Sequence[Piece], frame: Frame) -> None:
        self._message, self._trailer = _fused(message), _fused(trailer)
        longest = [sum(part.longest for part in parts) for parts in (self._message, self._trailer)]
        self._frames = _Frames(frame, *longest)
        self.largest = sum(longest)

    def write(self, columns: Columns, indices: Indices) -> Rows:
        """The rows of n events: ``columns`` by name, ``indices`` (n,) into the tables."""
        count = len(next(iter(indices.values())))
        widths = [part.widths(indices, count) for part in (*self._message, *self._trailer)]
        message = sum(widths[: len(self._message)], np.zeros(count, np.int64))
        trailer = sum(widths[len(self._message) :], np.zeros(count, np.int64))
        frames = self._frames.of(message, trailer)
        offsets = np.zeros(count + 1, np.int64)
        np.cumsum(self._frames.lengths[frames] + message + trailer, out=offsets[1:])
        payload = np.empty(int(offsets[-1]), np.uint8)
        cursor = offsets[:-1].copy()
        for block in _blocks(count):
            of_block = {name: _some(column, block) for name, column in columns.items()}
            chosen = {name: index[block] for name, index in indices.items()}
            self._place(payload, cursor[block], frames[block], of_block, chosen)
        return Rows(payload, offsets)

    def _place(self, payload: U8, cursor: I64, frames: I64, columns: Columns, indices: Indices) -> None:
        """Copies all pieces of some rows, which begin at ``cursor``."""
        cursor += self._frames.place(payload, cursor, frames)
        for part in (*self._message, *self._trailer):
            part.place(payload, cursor, columns, indices)
            cursor += part.widths(indices, cursor.size)


class _Fixed:
    """Columns with constants between them: one matrix for all rows."""

    def __init__(self, pieces: Sequence[Constant | Column]) -> None:
        self._pieces = pieces
        self.longest = sum(_width(piece) for piece in pieces)
        constants = (p.value if isinstance(p, Constant) else bytes(p.width) for p in pieces)
        self._template = np.frombuffer(b"".join(constants), np.uint8)

    def widths(self, _indices: Indices, count: int) -> I64:
        return np.full(count, self.longest)

    def place(self, payload: U8, starts: I64, columns: Columns, _indices: Indices) -> None:
        if (compiled := kernel.loaded()) is not None:
            compiled.place_matrix(payload, starts, self._template[None])
            for at, column, _ in self._columns(columns):
                if isinstance(column, Ids):
                    compiled.uuids(payload, starts + at, column)
                else:
                    compiled.place_matrix(payload, starts + at, column)
            return
        matrix = np.empty((starts.size, self.longest), np.uint8)
        matrix[:] = self._template
        for at, column, width in self._columns(columns):
            if isinstance(column, Ids):
                write_uuids(matrix[:, at : at + width], column)
            else:
                matrix[:, at : at + width] = column
        _place(payload, starts, matrix)

    def _columns(self, columns: Columns) -> Iterator[tuple[int, U8 | Ids, int]]:
        """Place, content and width of every column."""
        at = 0
        for piece in self._pieces:
            if isinstance(piece, Column):
                yield at, columns[piece.name], piece.width
            at += _width(piece)


class _Varied:
    """A table with the constants beside it: its entries sorted into matrices by length."""

    def __init__(self, name: str, entries: Sequence[bytes]) -> None:
        self._name = name
        self._lengths = np.array([len(entry) for entry in entries], np.int64)
        self.longest = int(self._lengths.max())
        distinct, self._kind = np.unique(self._lengths, return_inverse=True)
        self._kind = self._kind.astype(np.uint8 if distinct.size < 256 else np.uint16)
        self._row = np.zeros(len(entries), np.int64)  # of an entry in the matrix of its length
        self._matrices: list[U8] = []
        for length in distinct.tolist():
            members = np.flatnonzero(self._lengths == length)
            self._row[members] = np.arange(members.size)
            joined = b"".join(entries[i] for i in members.tolist())
            self._matrices.append(np.frombuffer(joined, np.uint8).reshape(members.size, length))
        self._entries = _entries(entries)

    def widths(self, indices: Indices, _count: int) -> I64:
        return self._lengths[indices[self._name]]

    def place(self, payload: U8, starts: I64, _columns: Columns, indices: Indices) -> None:
        index = indices[self._name]
        if (compiled := kernel.loaded()) is not None:
            compiled.place(payload, starts, self._entries, index.astype(np.int64, copy=False))
            return
        if len(self._matrices) == 1:
            _place_entries(payload, starts, self._matrices[0], self._row[index])
            return
        for kind, chosen in _by_kind(self._kind[index], len(self._matrices)):
            _place_entries(payload, starts[chosen], self._matrices[kind], self._row[index[chosen]])


class _Frames:
    """Frames by the lengths of message and trailer, made when first seen."""

    def __init__(self, frame: Frame, longest_message: int, longest_trailer: int) -> None:
        self._frame = frame
        self._stride = longest_trailer + 1
        self._bytes = np.zeros(((longest_message + 1) * self._stride, _LONGEST_FRAME), np.uint8)
        self.lengths = np.full(self._bytes.shape[0], -1, np.int64)

    def of(self, message: I64, trailer: I64) -> I64:
        """The number of each row's frame."""
        numbers = message * self._stride + trailer
        for number in np.flatnonzero(np.bincount(numbers, minlength=1) > 0).tolist():
            if self.lengths[number] < 0:
                made = self._frame(*divmod(number, self._stride))
                self._bytes[number, : len(made)] = np.frombuffer(made, np.uint8)
                self.lengths[number] = len(made)
        return numbers

    def place(self, payload: U8, starts: I64, numbers: I64) -> I64:
        """Copies the frames; returns their lengths."""
        lengths = self.lengths[numbers]
        if (compiled := kernel.loaded()) is not None:
            begins = numbers * _LONGEST_FRAME
            entries = kernel.Entries(self._bytes.reshape(-1), begins, lengths)
            compiled.place(payload, starts, entries, np.arange(numbers.size))
            return lengths
        for length, chosen in _by_kind(lengths.astype(np.uint8), _LONGEST_FRAME + 1):
            if length:
                found = self._bytes[numbers[chosen], :length]
                _place(payload, starts[chosen], np.ascontiguousarray(found))
        return lengths


def _fused(pieces: Sequence[Piece]) -> tuple[_Fixed | _Varied, ...]:
    """Pieces joined into fewer parts: constants go with the table beside them, columns with each other."""
    parts: list[_Fixed | _Varied] = []
    fixed: list[Constant | Column] = []

    def end_fixed() -> None:
        if fixed:
            parts.append(_Fixed(tuple(fixed)))
            fixed.clear()

    for position, piece in enumerate(pieces):
        if isinstance(piece, Table):
            before = b""
            if fixed and isinstance(last := fixed[-1], Constant):
                before = last.value
                fixed.pop()
            end_fixed()
            after = _constant_after(pieces, position)
            parts.append(_Varied(piece.name, [before + entry + after for entry in piece.entries]))
        elif not (isinstance(piece, Constant) and position and isinstance(pieces[position - 1], Table)):
            fixed.append(piece)
    end_fixed()
    return tuple(parts)


def _constant_after(pieces: Sequence[Piece], position: int) -> bytes:
    following = pieces[position + 1] if position + 1 < len(pieces) else None
    return following.value if isinstance(following, Constant) else b""


def _width(piece: Constant | Column) -> int:
    return len(piece.value) if isinstance(piece, Constant) else piece.width


def _entries(entries: Sequence[bytes]) -> kernel.Entries:
    lengths = np.array([len(entry) for entry in entries], np.int64)
    return kernel.Entries(np.frombuffer(b"".join(entries), np.uint8), np.cumsum(lengths) - lengths, lengths)


def _blocks(count: int) -> list[slice]:
    """Rows that are written together: numpy wants many, the kernel what the cache holds."""
    most = _ROWS_AT_A_TIME if kernel.loaded() is not None else max(count, 1)
    return [slice(first, min(first + most, count)) for first in range(0, count, most)]


def _some(column: U8 | Ids, rows: slice) -> U8 | Ids:
    if isinstance(column, Ids):
        return Ids(column.high[rows], column.low[rows])
    return column if column.shape[0] == 1 else column[rows]


def _by_kind(kinds: NDArray[np.integer], most: int) -> Iterator[tuple[int, NDArray[np.intp] | slice]]:
    """Which rows are of which kind; the whole as a slice where there is only one."""
    counts = np.bincount(kinds, minlength=most)
    present = np.flatnonzero(counts).tolist()
    if len(present) == 1:
        yield present[0], slice(None)
        return
    order = np.argsort(kinds, kind="stable")
    ends = np.cumsum(counts)
    for kind in present:
        yield kind, order[ends[kind] - counts[kind] : ends[kind]]


def _place_entries(payload: U8, starts: I64, matrix: U8, rows: NDArray[np.integer]) -> None:
    """Copies the chosen row of a contiguous matrix to each start."""
    if matrix.shape[1] and rows.size:
        items = _items(matrix)
        _places(payload, items.dtype)[starts] = items[rows]


def _place(payload: U8, starts: I64, matrix: U8) -> None:
    """Copies each row of a contiguous matrix to its start."""
    if matrix.size:
        items = _items(matrix)
        _places(payload, items.dtype)[starts] = items


def _items(matrix: U8) -> NDArray[np.void]:
    """Each row as one item, so that numpy moves it whole."""
    return matrix.view(np.dtype((np.void, matrix.shape[1])))[:, 0]


def _places(payload: U8, item: np.dtype[np.void]) -> NDArray[np.void]:
    """Every place of an item in the payload: a view with a stride of one byte, whose items overlap."""
    return np.ndarray((payload.size - item.itemsize + 1,), item, buffer=payload, strides=(1,))
