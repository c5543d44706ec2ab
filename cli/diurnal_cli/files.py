"""Resource files, read strictly: bytes in, plain documents out, and for people the reason why not.

Whoever has a file of a user calls ``read_documents``. Nothing here knows what a TrafficSimulation is; nothing
here lets through what two readers could understand differently (encodings, duplicate keys, NaN, alias bombs).
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from diurnal_cli import strict_json
from diurnal_cli.yaml_reader import YamlError, read_yaml

MAX_BYTES: Final = 256 * 1024
"""Some fifty times the longest useful resource."""


class FileError(ValueError):
    """A file that cannot be read as documents; ``line`` counts from 1, 0 where none is to blame."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True)
class Document:
    """One document of a file: its number from 1, its plain data, and the lines of its values by path."""

    number: int
    value: Any
    line: int = 0
    lines: dict[tuple[str | int, ...], int] = field(default_factory=dict)

    def line_of(self, path: tuple[str | int, ...]) -> int:
        """The line of the value at a path, or of the nearest thing around it; 0 in JSON."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, self.line)


def read_documents(path: str | Path) -> list[Document]:
    """The documents of a YAML or JSON file (``-`` is standard input); FileError says why not."""
    return parse_documents(read_bytes(path), json_only=str(path).endswith(".json"))


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file of at most MAX_BYTES."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise FileError("there is no such file") from None
    except IsADirectoryError:
        raise FileError("is a folder: name the files in it") from None
    except PermissionError:
        raise FileError("may not be read: its permissions refuse it") from None
    except (OSError, ValueError) as error:
        raise FileError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise FileError(
            f"is larger than {MAX_BYTES // 1024} KiB: a resource file is a few KiB; is it the right one?"
        )
    return data


def parse_documents(data: bytes, *, json_only: bool = False) -> list[Document]:
    """The documents in the bytes of a file; empty ones between ``---`` are left out."""
    text = _text(data)
    documents = [_parse_json(text)] if json_only else _parse_yaml(text)
    if not documents:
        raise FileError("is empty: it must hold a TrafficSimulation")
    return documents


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileError("is UTF-16: save it as UTF-8")
    if data.startswith(b"\xef\xbb\xbf"):
        raise FileError("begins with a byte order mark (BOM): save it as UTF-8 without BOM", 1)
    if not data.strip():
        raise FileError("is empty: it must hold a TrafficSimulation")
    if b"\x00" in data:
        line = data.count(b"\n", 0, data.index(b"\x00")) + 1
        raise FileError("contains a NUL byte: it is not text, or UTF-16 or UTF-32; save it as UTF-8", line)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileError(f"is not UTF-8: byte 0x{data[error.start]:02X} cannot stand there", line) from None


def _parse_yaml(text: str) -> list[Document]:
    try:
        documents = read_yaml(text)
    except YamlError as error:
        raise FileError(error.message, error.line) from None
    return [
        Document(number, document.value, document.line, document.lines)
        for number, document in enumerate(documents, 1)
    ]


def _parse_json(text: str) -> Document:
    try:
        return Document(1, strict_json.parse(text, strict_json.finite))
    except strict_json.JsonError as error:
        raise FileError(error.message, error.line) from None
