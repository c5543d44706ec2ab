"""Runs of the `diurnal` command in processes of their own, watched from outside and ended by their ids."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import yaml

from diurnal_api.checkpoint import Checkpoint
from diurnal_api.layout import earliest
from diurnal_worker.folder import LocalRun, StateFolder
from diurnal_worker.sources import load
from diurnal_worker.workshop import build_workshop
from harness import GENERATED, lines

SOON = 60.0
COMMAND = [sys.executable, "-m", "diurnal_cli.main"]


def until(condition: Callable[[], bool], what: str, seconds: float = SOON) -> None:
    """Waits until `condition` holds."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.02)


def write_simulation(path: Path, **spec: object) -> Path:
    """A TrafficSimulation file of 10,000 users, throttled; `spec` replaces parts of it."""
    document = {
        "apiVersion": "diurnal.dev/v1alpha1",
        "kind": "TrafficSimulation",
        "metadata": {"name": "world"},
        "spec": {
            "shards": 4,
            "population": {"users": 10_000, "seed": 42},
            "clock": {"start": "2026-01-01T00:00:00Z"},
            "budget": {"maxMessagesPerSecond": "Unlimited"},
            "sink": {"discard": {}},
            **spec,
        },
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


class Process:
    """One `diurnal run`, with what it said in files beside its state."""

    def __init__(self, folder: Path, arguments: list[str], environment: dict[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._said = folder / f"said-{time.monotonic_ns()}"
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [*COMMAND, "run", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )

    def said(self) -> str:
        """Everything it said so far."""
        return self._said.read_text(errors="replace")

    def ended(self, seconds: float = SOON) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(seconds)

    def send(self, number: int) -> None:
        """Sends a signal to the runner alone."""
        self.process.send_signal(number)

    def end(self) -> None:
        """Kills it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class LocalRunner:
    """Runs on one state folder, one after another."""

    def __init__(self, state: Path, arguments: list[str], environment: dict[str, str] | None = None) -> None:
        self.state = StateFolder(state)
        self._arguments = [*arguments, "--state", str(state)]
        self._environment = environment
        self._processes: list[Process] = []

    def start(self, *more: str) -> Process:
        """Starts the same command, with something more said."""
        process = Process(self.state.path.parent, [*self._arguments, *more], self._environment)
        self._processes.append(process)
        return process

    def run(self, *more: str) -> Process:
        """Runs the same command to its end."""
        process = self.start(*more)
        process.ended()
        return process

    def workers(self) -> dict[int, int]:
        """Process ids of the living workers on this folder, by shard."""
        found = {}
        for process in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                command = (process / "cmdline").read_bytes().split(b"\0")
                if b"diurnal_worker.local" in command and os.fsencode(self.state.path) in command:
                    found[int(command[-2])] = int(process.name)  # a zombie has no command line
        return found

    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoints of the present epoch."""
        run = self.state.run()
        return [] if run is None else [c for c in self.state.checkpoints() if c.epoch == run.plan.epoch]

    def clock(self) -> int:
        """The slowest clock of the present epoch; 0 before every shard has one."""
        run, stored = self.state.run(), self.checkpoints()
        if run is None or len(stored) < int(run.plan.shards):
            return 0
        return min(earliest(checkpoint.position) for checkpoint in stored)

    def await_progress(self, process: Process, after: int = 0, epoch: int = 1) -> int:
        """Waits until every shard has passed a clock in an epoch or a later one; returns the slowest one."""

        def passed() -> bool:
            assert process.process.poll() is None, f"ended early:\n{process.said()}"
            run = self.state.run()
            return run is not None and run.plan.epoch >= epoch and self.clock() > max(after, run.plan.start)

        until(passed, "progress")
        return self.clock()

    def end(self) -> None:
        """Ends whatever is left, by its id."""
        for process in self._processes:
            process.end()
        for pid in self.workers().values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not self.workers(), "workers end")


def plan_of(state: StateFolder) -> LocalRun:
    """The run that a folder holds."""
    run = state.run()
    assert run is not None
    return run


def expected(state: StateFolder) -> list[bytes]:
    """What one uninterrupted pass makes of the recorded plan, in the world's order: the oracle."""
    plan = plan_of(state).plan
    assert plan.dataset is not None
    return list(lines(build_workshop(plan, load(plan.dataset.uri), "lines")))


def written(folder: Path) -> Counter[bytes]:
    """Every line in whole files, without its generation_timestamp, and how often."""
    return Counter(line[GENERATED:] for path in whole_files(folder) for line in _content(path).splitlines())


def whole_files(folder: Path) -> Iterator[Path]:
    """The files that a reader takes for data."""
    yield from folder.glob("date=*/hour=*/*.jsonl")
    yield from folder.glob("date=*/hour=*/*.jsonl.gz")


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def ids(messages: list[bytes]) -> list[str]:
    """The event ids of JSON messages."""
    return [json.loads(message)["event_id"] for message in messages]
