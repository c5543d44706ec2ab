"""Messages as rows of bytes, assembled for many events at once: no Python object an event, no padding.

A row is a sequence of pieces: constant bytes, columns of a fixed width, and table entries of some length.
Events whose entries have equal lengths share a shape, hence a template: each shape's rows are filled as a
matrix and copied into place by one indexed assignment, so the buffer keeps the events' order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Constant:
    """The same bytes in every row."""

    value: bytes


@dataclass(frozen=True, eq=False)
class Column:
    """Bytes of a fixed width, a matrix (events, width) by this name."""

    name: str
    width: int


@dataclass(frozen=True, eq=False)
class Table:
    """One of ``entries``, by an index (events,) of this name."""

    name: str
    entries: tuple[bytes, ...]


Piece = Constant | Column | Table
Chosen = slice | NDArray[np.integer]
Frame = Callable[[int, int], bytes]  # lengths of message and trailer -> what stands before them


@dataclass(frozen=True, eq=False)
class Rows:
    """Framed messages back to back: row i is payload[offsets[i]:offsets[i + 1]]."""

    payload: U8
    offsets: NDArray[np.int64]

    def slice(self, first: int, last: int) -> memoryview:
        """Rows first .. last - 1 as bytes, without a copy."""
        return self.payload[int(self.offsets[first]) : int(self.offsets[last])].data


class _Lengths:
    """A table's entries, padded into one matrix, and the distinct lengths they have."""

    def __init__(self, table: Table) -> None:
        self.name = table.name
        self.lengths = sorted({len(entry) for entry in table.entries})
        self.kind = np.array([self.lengths.index(len(entry)) for entry in table.entries], np.int64)
        self.matrix = np.zeros((len(table.entries), self.lengths[-1]), np.uint8)
        for i, entry in enumerate(table.entries):
            self.matrix[i, : len(entry)] = np.frombuffer(entry, np.uint8)


class RowFormat:
    """How to write a row: a frame, the ``message``, then the ``trailer``, which the frame counts apart.

    ``largest`` is an upper bound of message and trailer in bytes.
    """

    def __init__(self, message: Sequence[Piece], trailer: Sequence[Piece], frame: Frame) -> None:
        self._pieces = [*message, *trailer]
        self._message_pieces = len(message)
        self._frame = frame
        self._tables = [_Lengths(p) for p in self._pieces if isinstance(p, Table)]
        self._head = next((i for i, p in enumerate(message) if isinstance(p, Table)), len(message))
        self._head_width = sum(self._widths(self._pieces[: self._head], ()))
        self._shapes: dict[int, _Shape] = {}
        longest = self._new_shape(self._shape_count() - 1)
        self.largest = longest.width - len(longest.frame)

    def write(self, columns: Mapping[str, U8], indices: Mapping[str, NDArray[np.integer]]) -> Rows:
        """The rows of n events: ``columns`` are (n, width) uint8, ``indices`` (n,) into the tables."""
        shape_ids = self._shape_ids(indices)
        used, which = np.unique(shape_ids, return_inverse=True)
        shapes = [self._shape_of(int(i)) for i in used]
        widths = np.array([s.width for s in shapes], np.int64)
        offsets = np.concatenate(([0], np.cumsum(widths[which])))
        payload = np.empty(int(offsets[-1]), np.uint8)
        if which.size:
            self._write_heads(payload, offsets[:-1], columns, [s.frame for s in shapes], which)
            order = np.argsort(which.astype(np.uint16), kind="stable")
            ends = np.cumsum(np.bincount(which, minlength=len(shapes)))
            for shape, first, last in zip(shapes, [0, *ends[:-1]], ends, strict=True):
                chosen = order[first:last]
                starts = offsets[chosen] + len(shape.frame) + self._head_width
                _place(payload, starts, self._tail(shape, columns, indices, chosen))
        return Rows(payload, offsets)

    def _write_heads(
        self,
        payload: U8,
        starts: NDArray[np.int64],
        columns: Mapping[str, U8],
        frames: list[bytes],
        which: NDArray[np.integer],
    ) -> None:
        """Frames and heads of all rows at once, where every frame has one length."""
        longest = max(len(f) for f in frames)
        for length in sorted({len(f) for f in frames}):
            ofsize = np.array([len(f) == length for f in frames])[which]
            rows: Chosen = slice(None) if ofsize.all() else np.flatnonzero(ofsize)
            padded = b"".join(f.ljust(longest, b"\0") for f in frames)
            table = np.frombuffer(padded, np.uint8).reshape(len(frames), longest)
            head = np.empty((which[rows].size, length + self._head_width), np.uint8)
            if length:
                head[:, :length] = table[which[rows], :length]
            at = length
            for piece in self._pieces[: self._head]:
                at = _fill(head, at, piece, columns, rows)
            _place(payload, starts[rows], head)

    def _tail(
        self,
        shape: _Shape,
        columns: Mapping[str, U8],
        indices: Mapping[str, NDArray[np.integer]],
        chosen: NDArray[np.integer],
    ) -> U8:
        tail = np.empty((chosen.size, shape.tail.size), np.uint8)
        tail[:] = shape.tail
        tables = iter(self._tables)
        at = 0
        for piece, width in zip(self._pieces[self._head :], shape.tail_widths, strict=True):
            if isinstance(piece, Table):
                entries = next(tables).matrix
                tail[:, at : at + width] = entries[indices[piece.name][chosen], :width]
            elif isinstance(piece, Column):
                tail[:, at : at + width] = columns[piece.name][chosen]
            at += width
        return tail

    def _shape_ids(self, indices: Mapping[str, NDArray[np.integer]]) -> NDArray[np.int64]:
        """Which combination of table lengths each row has, as digits of one number."""
        ids = np.zeros(len(next(iter(indices.values()))), np.int64)
        for table in self._tables:
            ids = ids * len(table.lengths) + table.kind[indices[table.name]]
        return ids

    def _shape_count(self) -> int:
        return math.prod(len(table.lengths) for table in self._tables)

    def _shape_of(self, shape_id: int) -> _Shape:
        if shape_id not in self._shapes:
            self._shapes[shape_id] = self._new_shape(shape_id)
        return self._shapes[shape_id]

    def _new_shape(self, shape_id: int) -> _Shape:
        chosen: list[int] = []
        for table in reversed(self._tables):
            shape_id, kind = divmod(shape_id, len(table.lengths))
            chosen.insert(0, table.lengths[kind])
        widths = self._widths(self._pieces, chosen)
        message, trailer = sum(widths[: self._message_pieces]), sum(widths[self._message_pieces :])
        frame = self._frame(message, trailer)
        tail_widths = widths[self._head :]
        tail = b"".join(
            piece.value if isinstance(piece, Constant) else bytes(width)
            for piece, width in zip(self._pieces[self._head :], tail_widths, strict=True)
        )
        width = len(frame) + message + trailer
        return _Shape(frame, np.frombuffer(tail, np.uint8), tuple(tail_widths), width)

    @staticmethod
    def _widths(pieces: Sequence[Piece], table_lengths: Sequence[int]) -> list[int]:
        lengths = iter(table_lengths)
        return [
            len(p.value) if isinstance(p, Constant) else p.width if isinstance(p, Column) else next(lengths)
            for p in pieces
        ]


@dataclass(frozen=True, eq=False)
class _Shape:
    frame: bytes
    tail: U8
    tail_widths: tuple[int, ...]
    width: int  # of the whole row: frame, message, trailer


def _fill(rows: U8, at: int, piece: Piece, columns: Mapping[str, U8], chosen: Chosen) -> int:
    if isinstance(piece, Constant):
        end = at + len(piece.value)
        rows[:, at:end] = np.frombuffer(piece.value, np.uint8)
    elif isinstance(piece, Column):
        end = at + piece.width
        rows[:, at:end] = columns[piece.name][chosen]
    else:
        raise TypeError("a head has no tables")
    return end


_BYTE: Final = 1


def _place(payload: U8, starts: NDArray[np.int64], rows: U8) -> None:
    """Copies each row of a matrix to its start: an assignment through a view with a stride of one byte."""
    width = rows.shape[1]
    if not width or not rows.shape[0]:
        return
    places = np.ndarray(
        (payload.size - width + 1,), np.dtype((np.void, width)), buffer=payload, strides=(_BYTE,)
    )
    places[starts] = np.ascontiguousarray(rows).view(np.dtype((np.void, width)))[:, 0]
