"""The files sink: no line is lost or doubled wherever it is killed, and no reader meets half a file.

The process "dies" at any operation that leaves it: a write, a commit, the storing of a checkpoint, a
rename. What it had in its buffers is gone, as with SIGKILL; whoever goes on has the last checkpoint only.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diurnal_api.instants import parse_instant
from diurnal_worker.sinks import Batch, PermanentSinkError
from diurnal_worker.sinks.files import FileSink, settle

MIDNIGHT = parse_instant("2026-01-01T00:00:00Z")
MINUTE = 60_000_000
HOUR = 60 * MINUTE
STEP = 7 * MINUTE + 30_000_000  # eight a whole hour: some batches end with their hour, as ticks do
NAME = "part-1-0000-1023"


class Killed(BaseException):
    """The process is gone."""


def batch(number: int) -> Batch:
    """The numbered batch: two lines, or none for every fifth."""
    begin = MIDNIGHT + number * STEP
    lines = b"" if number % 5 == 4 else b"".join(b"%d\n" % time for time in (begin, begin + STEP - 1))
    return Batch(memoryview(lines), lines.count(b"\n"), begin + STEP)


class Process:
    """A worker that sends batches and checkpoints every few, and may be killed at any operation."""

    def __init__(self, folder: Path, stored: dict[str, Any], dies_at: int | None, *, compress: bool) -> None:
        self._stored, self._left = stored, dies_at
        self._number = stored.get("next", 0)
        clock = MIDNIGHT + self._number * STEP
        self.sink = FileSink(folder, NAME, clock, stored.get("marks"), compress=compress)

    def work(self, batches: int, every: int) -> None:
        while self._number < batches:
            self._operation()
            self.sink.send(batch(self._number))
            self._number += 1
            if self._number % every == 0 or self._number == batches:
                if self._number == batches:
                    self.sink.finish()
                self._checkpoint()
        self.sink.close()

    def _checkpoint(self) -> None:
        self._operation()
        marks = self.sink.commit()
        assert self.sink.acknowledged() == MIDNIGHT + self._number * STEP
        self._operation()
        self._stored.update(next=self._number, marks=marks)
        self._operation()
        with self._renames_may_kill():
            self.sink.committed()
        self._operation()

    def _operation(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                lose_buffers(self.sink)
                raise Killed

    @contextmanager
    def _renames_may_kill(self) -> Iterator[None]:
        rename = Path.rename

        def killed_before_or_after(path: Path, target: Path) -> Path:
            self._operation()
            moved = rename(path, target)
            self._operation()
            return moved

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "rename", killed_before_or_after)
            yield


def lose_buffers(sink: FileSink) -> None:
    """What Python has not handed to the system never arrives."""
    if sink._file is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sink._file.fileno())
        os.close(nowhere)
        sink._file.close()


def lines(folder: Path) -> list[int]:
    """Every line in every file that a reader takes for data."""
    found = []
    for path in folder.rglob("*.jsonl*"):
        if path.name.endswith((".jsonl", ".jsonl.gz")):
            raw = path.read_bytes()
            text = gzip.decompress(raw) if path.suffix == ".gz" else raw
            assert text.endswith(b"\n"), f"{path} ends within a line"
            found += [int(line) for line in text.splitlines()]
    return found


def expected(batches: int) -> list[int]:
    return [int(line) for n in range(batches) for line in bytes(batch(n).payload).splitlines()]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    deaths=st.lists(st.integers(0, 60), max_size=6),
    batches=st.integers(1, 30),
    every=st.integers(1, 7),
    compress=st.booleans(),
)
def test_killed_at_any_point_and_gone_on_with_every_line_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, deaths: list[int], batches: int, every: int, compress: bool
) -> None:
    folder, stored = tmp_path_factory.mktemp("files"), dict[str, Any]()
    for dies_at in [*deaths, None]:
        try:
            Process(folder, stored, dies_at, compress=compress).work(batches, every)
        except Killed:
            whole = lines(folder)
            assert len(whole) == len(set(whole))
            assert set(whole) <= set(expected(stored.get("next", 0)))
    assert sorted(lines(folder)) == expected(batches)
    assert not list(folder.rglob("*.partial"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dies_at=st.integers(0, 90), every=st.integers(1, 7), compress=st.booleans(), twice=st.booleans())
def test_an_epoch_that_nobody_goes_on_with_ends_at_its_last_checkpoint(
    tmp_path_factory: pytest.TempPathFactory, dies_at: int, every: int, compress: bool, twice: bool
) -> None:
    folder, stored = tmp_path_factory.mktemp("files"), dict[str, Any]()
    with suppress(Killed):
        Process(folder, stored, dies_at, compress=compress).work(20, every)
    for _ in range(2 if twice else 1):
        settle(folder, NAME, stored.get("marks", {}), final=True)
    assert sorted(lines(folder)) == expected(stored.get("next", 0))
    assert not list(folder.rglob("*.partial"))


def test_a_checkpoint_that_a_power_cut_undid_finds_its_renamed_part_again(tmp_path: Path) -> None:
    stored: dict[str, Any] = {}
    Process(tmp_path, stored, None, compress=False).work(3, 1)
    older: dict[str, Any] = {
        "next": 2,
        "marks": {"whole": [], "open": {**stored["marks"]["whole"][0], "hour": MIDNIGHT // HOUR}},
    }
    older["marks"]["open"]["size"] = len(b"".join(bytes(batch(n).payload) for n in range(2)))
    Process(tmp_path, older, None, compress=False).work(6, 2)
    assert sorted(lines(tmp_path)) == expected(6)


def test_parts_lie_by_hour_and_are_named_by_who_wrote_them_from_when(tmp_path: Path) -> None:
    Process(tmp_path, {}, None, compress=False).work(20, 3)
    paths = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.jsonl"))
    assert paths == [
        "date=2026-01-01/hour=00/part-1-0000-1023-000000-000000.jsonl",
        "date=2026-01-01/hour=01/part-1-0000-1023-010000-000000.jsonl",
        "date=2026-01-01/hour=02/part-1-0000-1023-020000-000000.jsonl",
    ]
    for path in tmp_path.rglob("*.jsonl"):
        hour = int(re.findall(r"hour=(\d\d)", str(path))[0])
        assert {(int(line) - MIDNIGHT) // HOUR for line in path.read_text().splitlines()} == {hour}


def test_an_open_part_has_a_name_that_no_reader_takes_for_data(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, NAME, MIDNIGHT)
    sink.send(batch(0))
    sink.commit()
    sink.committed()
    assert [path.name for path in tmp_path.rglob("*.*")] == [f"{NAME}-000000-000000.jsonl.partial"]
    sink.close()


def test_every_commit_ends_a_gzip_member_of_its_own(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, NAME, MIDNIGHT, compress=True)
    for number in (0, 1, 2):
        sink.send(batch(number))
        marks = sink.commit()
        content = (tmp_path / (marks["open"]["path"] + ".partial")).read_bytes()
        assert len(content) == marks["open"]["size"]
        assert [int(line) for line in gzip.decompress(content).splitlines()] == expected(number + 1)
    sink.close()


def test_others_parts_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "date=2026-01-01" / "hour=00" / "part-1-0000-0511-000000-000000.jsonl.partial"
    other.parent.mkdir(parents=True)
    other.write_text("theirs\n")
    Process(tmp_path, {}, None, compress=False).work(3, 1)
    assert other.read_text() == "theirs\n"


def test_an_empty_part_leaves_no_file(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, NAME, MIDNIGHT)
    sink.send(Batch(memoryview(b""), 0, MIDNIGHT + 2 * HOUR))
    sink.finish()
    assert sink.commit()["whole"] == []
    assert not list(tmp_path.rglob("part*"))


@pytest.mark.parametrize("compress", [False, True])
def test_a_full_disk_is_a_permanent_error_that_says_what_to_do(tmp_path: Path, compress: bool) -> None:
    sink = FileSink(tmp_path, NAME, MIDNIGHT, compress=compress)
    suffix = ".jsonl.gz" if compress else ".jsonl"
    part = tmp_path / "date=2026-01-01" / "hour=00" / f"{NAME}-000000-000000{suffix}.partial"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")  # the device that has no room
    sink.send(batch(0))  # into a buffer
    with pytest.raises(PermanentSinkError, match="No space left on device; make room") as caught:
        sink.commit()
    assert caught.value.reason == "FilesNotWritable"
    assert str(tmp_path) in caught.value.message
    lose_buffers(sink)


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "date=2026-01-01").write_text("")
    sink = FileSink(tmp_path, NAME, MIDNIGHT)
    with pytest.raises(PermanentSinkError, match=r"date=2026-01-01.*choose another folder"):
        sink.send(batch(0))
