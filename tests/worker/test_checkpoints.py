"""Checkpoints of a local run: stored whole, read back equal, tallies only as far as a checkpoint says."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from diurnal_api.checkpoint import Checkpoint, Spent
from diurnal_worker.folder import FolderInUseError, FolderStore, StateFolder
from harness import START


def checkpoint(shard: int = 0, clock: str = "2026-01-01T06:12:31.004211Z") -> Checkpoint:
    return Checkpoint(
        epoch=1,
        shard=shard,
        segments=(f"0-511@{clock}", "512-1023@2026-01-01T07:00:00.000000Z"),
        reach=START,
        spent=Spent(messages=3, bytes=900, billed_bytes=1020),
        sink={"open": {"path": "a", "size": 1}},
    )


def boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    FolderStore(folder, 1, 0, 0).save(checkpoint())
    assert folder.checkpoint(1, 0) == checkpoint()
    assert folder.checkpoint(1, 1) is None
    assert folder.checkpoint(2, 0) is None


def test_half_a_checkpoint_of_a_killed_process_is_not_read(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.save_checkpoint(checkpoint())
    (tmp_path / "epoch-0001" / "shard-0000.json.new").write_text('{"epoch": 1, "sha')
    assert folder.checkpoints() == [checkpoint()]
    folder.save_checkpoint(checkpoint(clock="2026-01-02T00:00:00.000000Z"))
    assert folder.checkpoint(1, 0) == checkpoint(clock="2026-01-02T00:00:00.000000Z")


def test_tallies_beyond_the_last_checkpoint_do_not_count(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    first = FolderStore(folder, 1, 0, 0)
    offset = first.keep([{"hour": 1}])
    first.keep([{"hour": 2}])  # no checkpoint says so: the process is killed
    again = FolderStore(folder, 1, 0, offset)
    assert again.keep([]) == offset
    again.keep([{"hour": 3}])
    assert folder.tally_path(1, 0).read_text() == '{"hour": 1}\n{"hour": 3}\n'


@pytest.mark.parametrize(("age", "expected"), [(0.0, 5), (59.0, 5), (61.0, None)])
def test_what_the_runner_saw_a_minute_ago_is_too_old(
    tmp_path: Path, age: float, expected: int | None
) -> None:
    folder = StateFolder(tmp_path)
    folder.save_status({"slowest": 5, "observed": boot() - age})
    assert FolderStore(folder, 1, 0, 0).slowest() == expected


@pytest.mark.parametrize("text", ["", "{", "{}"])
def test_a_status_that_says_nothing_holds_nobody_back(tmp_path: Path, text: str) -> None:
    (tmp_path / "status.json").write_text(text)
    assert FolderStore(StateFolder(tmp_path), 1, 0, 0).slowest() is None


def test_a_folder_is_held_by_one_run(tmp_path: Path) -> None:
    first, second = StateFolder(tmp_path), StateFolder(tmp_path)
    first.hold()
    with pytest.raises(FolderInUseError, match="in use by another run"):
        second.hold()


def test_workers_of_a_killed_run_hold_the_folder_too(tmp_path: Path) -> None:
    first = StateFolder(tmp_path)
    first.hold()
    assert first.workers_lock is not None
    inherited = os.dup(first.workers_lock)
    first.let_go()
    with pytest.raises(FolderInUseError, match="workers of a run that was killed"):
        StateFolder(tmp_path).hold(patience=0.1)
    os.close(inherited)
    StateFolder(tmp_path).hold()
