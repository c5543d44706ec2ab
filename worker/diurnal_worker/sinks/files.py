"""Files of JSON Lines, one folder a simulated hour; what is not whole has a name no reader takes for data.

A part is written as ``.partial`` and renamed once its hour is over. Every checkpoint holds how many bytes
of the open part count (its marks); whoever goes on truncates to them, so a killed run neither loses nor
doubles a line. A part is renamed only after a checkpoint says that it is whole. With gzip each commit ends
a member (RFC 1952, section 2.2), so that truncation falls between members.
"""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

from diurnal_api.instants import HOUR, format_instant
from diurnal_worker.sinks import NOTHING_YET, PermanentSinkError
from diurnal_worker.sinks.counters import Counters

if TYPE_CHECKING:
    from diurnal_worker.sinks import Batch

PARTIAL: Final = ".partial"
_GZIP_WINDOW: Final = 31


class FileSink:
    """Writes the parts of one shard below ``folder``; ``name`` tells its parts from all others'.

    ``marks`` are those of the checkpoint to go on from, ``clock`` its clock.
    """

    framing: Literal["lines"] = "lines"

    def __init__(
        self,
        folder: Path,
        name: str,
        clock: int,
        marks: dict[str, Any] | None = None,
        *,
        compress: bool = False,
    ) -> None:
        self._folder, self._name, self._suffix = folder, name, ".jsonl.gz" if compress else ".jsonl"
        self._compress = compress
        self.counters = Counters()
        self._written, self._durable = clock, NOTHING_YET
        self._file: BinaryIO | None = None
        self._path: str | None = None
        self._hour = -1
        self._member: Any = None
        self._whole: list[dict[str, Any]] = []
        settle(folder, name, marks or {})
        if marks and marks.get("open"):
            self._reopen(marks["open"])

    def send(self, batch: Batch) -> None:
        """Writes the lines of a batch to the part of its hour."""
        hour = (batch.until - 1) // HOUR
        if self._file is not None and hour != self._hour:
            self.finish()
        if batch.messages:
            if self._file is None:
                self._open(hour)
            self.counters.attempted(batch.messages)
            self._write(batch.payload)
            self.counters.acknowledged(batch.messages, batch.payload.nbytes, 0.0)
        self._written = batch.until
        if batch.until % HOUR == 0 and self._file is not None:
            self.finish()

    def finish(self) -> None:
        """Says that nothing more comes for the open part."""
        if self._file is not None:
            self._flush()
            self._whole.append({"path": self._path, "size": self._file.tell()})
            self._file.close()
            self._file = None

    def commit(self) -> dict[str, Any]:
        """Makes everything written durable; returns the marks to be stored with the checkpoint."""
        self._flush()
        self._durable = self._written
        marks: dict[str, Any] = {"whole": list(self._whole)}
        if self._file is not None:
            marks["open"] = {"path": self._path, "size": self._file.tell(), "hour": self._hour}
        return marks

    def committed(self) -> None:
        """The checkpoint with the last marks is stored: whole parts get their names."""
        for part in self._whole:
            publish(self._folder, part)
        self._whole.clear()

    def acknowledged(self) -> int:
        """The clock of the last commit."""
        return self._durable

    def room(self, size: int, timeout: float) -> bool:  # noqa: ARG002 (the protocol's)
        """Files always have room."""
        return True

    def drain(self, timeout: float) -> bool:  # noqa: ARG002 (the protocol's)
        """Nothing is on its way."""
        return True

    def close(self) -> None:
        """Closes the open part as it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, hour: int) -> None:
        moment = format_instant(self._written if self._written // HOUR == hour else hour * HOUR)
        day, time = moment.rstrip("Z").split("T")
        start = time.replace(":", "").replace(".", "-")
        self._path = f"date={day}/hour={time[:2]}/{self._name}-{start}{self._suffix}"
        target = self._folder / (self._path + PARTIAL)
        with _Explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            self._file = target.open("wb")
        self._hour = hour

    def _reopen(self, part: dict[str, Any]) -> None:
        self._path, self._hour = part["path"], int(part["hour"])
        target, whole = self._folder / (part["path"] + PARTIAL), self._folder / part["path"]
        with _Explained(target):
            if whole.exists() and not target.exists():
                whole.rename(target)  # a power cut undid the checkpoint after which it was renamed
            self._file = target.open("r+b")
            self._file.truncate(int(part["size"]))
            self._file.seek(int(part["size"]))

    def _write(self, payload: memoryview) -> None:
        assert self._file is not None  # the part is open
        with _Explained(self._folder / (self._path or "")):
            if not self._compress:
                self._file.write(payload)
                return
            if self._member is None:
                self._member = zlib.compressobj(6, zlib.DEFLATED, _GZIP_WINDOW)
            self._file.write(self._member.compress(payload))

    def _flush(self) -> None:
        if self._file is None:
            return
        with _Explained(self._folder / (self._path or "")):
            if self._member is not None:
                self._file.write(self._member.flush())
                self._member = None
            self._file.flush()
            os.fsync(self._file.fileno())


def settle(folder: Path, name: str, marks: dict[str, Any], *, final: bool = False) -> None:
    """Brings the parts of ``name`` to what ``marks`` say: whole ones get their names, younger ones go.

    With ``final`` the open part is whole too: nobody goes on with it. Repeating it changes nothing.
    """
    for part in marks.get("whole", []):
        publish(folder, part)
    opened = marks.get("open")
    if opened and final:
        publish(folder, opened)
    kept = {opened["path"] + PARTIAL} if opened and not final else set()
    for found in folder.glob(f"date=*/hour=*/{_escaped(name)}-*{PARTIAL}"):
        if str(found.relative_to(folder)) not in kept:
            found.unlink()


def publish(folder: Path, part: dict[str, Any]) -> None:
    """Gives a whole part its name, cut to its size; an empty one disappears."""
    partial, target = folder / (part["path"] + PARTIAL), folder / part["path"]
    if not partial.exists():
        return
    if int(part["size"]) == 0:
        partial.unlink()
        return
    os.truncate(partial, int(part["size"]))
    partial.rename(target)


def _escaped(name: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", name)


class _Explained:
    """Translates what the file system refuses into an error for people."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise PermanentSinkError(
                "FilesNotWritable",
                f"cannot write {self._path}: {error.strerror}; make room or choose another folder",
            ) from error
