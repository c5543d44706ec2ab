"""A strict CSV table: bytes in, rows of named cells with their line numbers out.

Stricter than Python's csv module, whose leniency would let a damaged file through as a smaller world:
ragged rows, stray quotes, NUL characters and unknown columns are refused, each with its line. Pure; called
by dataset.py.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from diurnal_worker.cells import CellError
from diurnal_worker.quoting import code_point, foreign_letters, quoted, unprintable

MAX_FIELD = 131_072
"""Characters in one cell; Python's own default, set by hand so that nobody's csv.field_size_limit() changes
it."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_Value = TypeVar("_Value")


class TableError(ValueError):
    """The bytes are no such table; the text says where and what would be right."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line of the file that it ends on (from 1), and its cells by column name."""

    line: int
    cells: dict[str, str]

    def read(self, column: str, reader: Callable[[str], _Value]) -> _Value:
        """Return a cell's value as `reader` understands it; raises TableError with line and column."""
        text = self.cells[column]
        try:
            _refuse_unprintable(text)
            return reader(text)
        except CellError as error:
            raise TableError(f"line {self.line}, column {column}: {error}") from None


def read_table(data: bytes, required: Sequence[str], optional: Sequence[str]) -> list[Row]:
    """Return the rows of a CSV file with a header of these columns, in any order; raises TableError."""
    records = _records(_text(data))
    header_line, header = next(records, (1, []))
    if not header:
        raise TableError(f"the file is empty; its first line would be {','.join(required)}")
    _check_header(header_line, header, required, optional)
    rows = [_row(line, record, header) for line, record in records]
    if not rows:
        raise TableError("there is a header but no row below it; write one row a country")
    return rows


def _text(data: bytes) -> str:
    """Decode UTF-8 with or without a byte order mark."""
    if data.startswith(_UTF16):
        raise TableError("the file is UTF-16, as Excel's 'Unicode text' is; save it as CSV in UTF-8")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise TableError(
            f"line {line}: there is a NUL character; the file is no text, or UTF-16: save it as CSV in UTF-8"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableError(
            f"line {line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as CSV in UTF-8"
        ) from None


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of every line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for record in reader:
            if any(len(cell) > MAX_FIELD for cell in record):
                raise TableError(_field_too_long(reader.line_num))
            if record:
                yield reader.line_num, record
    except csv.Error as error:
        raise TableError(_csv_problem(str(error), reader.line_num)) from None


def _csv_problem(problem: str, line: int) -> str:
    if "field limit" in problem:
        return _field_too_long(line)
    return (
        f"line {line}: the quotes are not right ({problem}); "
        'a quoted cell begins and ends with " and doubles those inside'
    )


def _field_too_long(line: int) -> str:
    return f'line {line}: a cell has more than {MAX_FIELD:,} characters; is a quote (") left open?'


def _check_header(line: int, header: list[str], required: Sequence[str], optional: Sequence[str]) -> None:
    where, right = (
        f"line {line}",
        f"the header would be {','.join(required)}, with {','.join(optional)} if wanted",
    )
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise TableError(f"{where}: the columns in {quoted(header[0])} are not separated by commas; {right}")
    for position, column in enumerate(header):
        if column in header[:position]:
            raise TableError(f"{where}: column {quoted(column)} appears twice; {right}")
        if column not in (*required, *optional):
            raise TableError(f"{where}: column {quoted(column)}{foreign_letters(column)} is unknown; {right}")
    missing = [column for column in required if column not in header]
    if missing:
        raise TableError(f"{where}: there is no column {', '.join(missing)}; {right}")


def _row(line: int, record: list[str], header: list[str]) -> Row:
    if len(record) != len(header):
        raise TableError(
            f"line {line}: {len(record)} cells where the header has {len(header)} columns "
            f"({','.join(header)}); a comma inside a cell needs quotes around the cell"
        )
    return Row(line, dict(zip(header, record, strict=True)))


def _refuse_unprintable(text: str) -> None:
    letter = unprintable(text)
    if letter is not None:
        raise CellError(
            f"{quoted(text)} contains {code_point(letter)}, which is no visible character; remove it"
        )
