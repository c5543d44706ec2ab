"""The state folder of a local run: plan, checkpoints and status as files, in place of a cluster's objects.

    lock                         held by the one run that uses the folder
    workers.lock                 held by that run and by its workers, until the last of them is gone
    run.json                     the plan and where events go
    status.json                  what the runner last observed: the slowest clock, and when
    epoch-0001/shard-0000.json   a checkpoint, replaced as a whole
    epoch-0001/shard-0000.jsonl  tallies of the hours that are over

Every file is replaced by renaming a synced one, so a reader, or a run after a power cut, sees the old or
the new content, never half of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict

from diurnal_api.plan import Plan
from diurnal_worker.checkpoints import Checkpoint

STATUS_IS_OLD: Final = 60.0
WORKERS_LEAVE_WITHIN: Final = 30.0
_ASK_AGAIN: Final = 0.05
_LOOK_AGAIN: Final = 0.2
_Model = TypeVar("_Model", bound=BaseModel)


class LocalRun(BaseModel):
    """What the workers of a local run obey: the plan, and the sink the command chose over the spec's."""

    model_config = ConfigDict(frozen=True)

    name: str
    plan: Plan
    sink: str  # files, pubsub, stdout, discard
    folder: str = ""  # of the files
    gzip: bool = False
    usd_per_tib: str = "40"
    wall_seconds: float = 0.0


class FolderInUseError(Exception):
    """Another run holds the folder."""


class StateFolder:
    """The files of one local run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self.workers_lock: int | None = None

    def hold(self, patience: float = WORKERS_LEAVE_WITHIN) -> None:
        """Takes the folder for this process until it ends; FolderInUseError where another has it.

        Workers whose run was killed still drain: they are waited for, at most ``patience`` seconds. They
        inherit ``workers_lock``, so no instant is left in which a worker writes and nobody holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.path / "lock", 0.0)
        if self._lock is None:
            raise FolderInUseError(
                f"{self.path} is in use by another run: stop that one, or choose another folder with --state"
            )
        self.workers_lock = _locked(self.path / "workers.lock", patience)
        if self.workers_lock is None:
            self.let_go()
            raise FolderInUseError(
                f"{self.path} is in use by workers of a run that was killed: they have not ended within "
                f"{patience:.0f} s; try again later, or end them (diurnal_worker.local among the processes)"
            )

    def let_go(self) -> None:
        """Gives the folder back; workers that inherited the lock still hold it."""
        for lock in (self._lock, self.workers_lock):
            if lock is not None:
                os.close(lock)
        self._lock = self.workers_lock = None

    def run(self) -> LocalRun | None:
        """The run of this folder, None where there is none yet."""
        return _read(self.path / "run.json", LocalRun)

    def save_run(self, run: LocalRun) -> None:
        """Stores the run."""
        _replace(self.path / "run.json", run.model_dump_json(by_alias=True))

    def checkpoint(self, epoch: int, shard: int) -> Checkpoint | None:
        """The last checkpoint of a shard, None where it has none yet."""
        return _read(self._of(epoch, shard, ".json"), Checkpoint)

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replaces the checkpoint of a shard."""
        _replace(self._of(checkpoint.epoch, checkpoint.shard, ".json"), checkpoint.model_dump_json())

    def checkpoints(self) -> list[Checkpoint]:
        """All checkpoints of all epochs."""
        found = sorted(self.path.glob("epoch-*/shard-*.json"))
        return [c for c in (_read(path, Checkpoint) for path in found) if c is not None]

    def tally_path(self, epoch: int, shard: int) -> Path:
        """Where the tallies of a shard are."""
        return self._of(epoch, shard, ".jsonl")

    def status(self) -> dict[str, Any]:
        """What the runner last observed."""
        try:
            found: dict[str, Any] = json.loads((self.path / "status.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def save_status(self, status: dict[str, Any]) -> None:
        """Stores what the runner observes; not synced, for it is observed anew."""
        temporary = self.path / "status.json.new"
        temporary.write_text(json.dumps(status))
        temporary.replace(self.path / "status.json")

    def _of(self, epoch: int, shard: int, suffix: str) -> Path:
        return self.path / f"epoch-{epoch:04d}" / f"shard-{shard:04d}{suffix}"


class FolderStore:
    """The checkpoint store of one shard (see ``checkpoints.CheckpointStore``)."""

    def __init__(self, folder: StateFolder, epoch: int, shard: int, tally_offset: int) -> None:
        self._folder = folder
        self._tallies = folder.tally_path(epoch, shard)
        self._tallies.parent.mkdir(parents=True, exist_ok=True)
        with self._tallies.open("ab") as tallies:
            tallies.truncate(tally_offset)
        self._looked_at = -_LOOK_AGAIN
        self._slowest: int | None = None

    def save(self, checkpoint: Checkpoint) -> None:
        """Replaces the shard's checkpoint."""
        self._folder.save_checkpoint(checkpoint)

    def keep(self, records: list[dict[str, Any]]) -> int:
        """Appends tallies; they count once a checkpoint says so."""
        with self._tallies.open("ab") as tallies:
            if records:
                tallies.write("".join(json.dumps(record) + "\n" for record in records).encode())
                tallies.flush()
                os.fsync(tallies.fileno())
            return tallies.seek(0, os.SEEK_END)

    def slowest(self) -> int | None:
        """The slowest shard's clock, as the runner wrote it down less than a minute ago."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        if now - self._looked_at >= _LOOK_AGAIN:
            status = self._folder.status()
            fresh = now - float(status.get("observed", -STATUS_IS_OLD)) < STATUS_IS_OLD
            self._slowest = int(status["slowest"]) if fresh and "slowest" in status else None
            self._looked_at = now
        return self._slowest


def _locked(path: Path, patience: float) -> int | None:
    """A descriptor that holds the lock of a file; None where others held it for so many seconds."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    give_up = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                os.close(lock)
                return None
            time.sleep(_ASK_AGAIN)
        else:
            return lock


def _read(path: Path, model: type[_Model]) -> _Model | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
