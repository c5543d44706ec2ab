"""A worker process of a local run: ``python -m diurnal_worker.local STATE SHARD``.

The runner starts one for each shard. It goes on from the shard's checkpoint, obeys the plan in the state
folder, drains on SIGTERM, and also when its standard input closes: that is how it learns that the runner
is gone. Exit codes: 0 ended, 70 stopped with everything acknowledged, 75 stopped with something
unacknowledged, 3 a permanent error.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from diurnal_api.layout import earliest, slots_of
from diurnal_worker.dataset import DatasetError
from diurnal_worker.folder import FolderStore, LocalRun, StateFolder
from diurnal_worker.hastening import hasten
from diurnal_worker.machine_clock import BootClock
from diurnal_worker.shard import Settings, Shard
from diurnal_worker.sinks import PermanentSinkError
from diurnal_worker.sources import load
from diurnal_worker.stopping import Stop
from diurnal_worker.tally import Tally
from diurnal_worker.workshop import build_workshop

if TYPE_CHECKING:
    from collections.abc import Callable

    from diurnal_worker.checkpoints import Checkpoint
    from diurnal_worker.sinks.stdout import Output

ENDED: Final = 0
DRAINED: Final = 70
FAILED: Final = 3
UNACKNOWLEDGED: Final = 75
DRAIN_SECONDS: Final = 20.0
_LINES_A_BATCH: Final = 8192


def run_shard(folder: StateFolder, number: int, stopped: Stop) -> int:
    """Runs one shard until it ends or ``stopped`` is set; returns an exit code."""
    run = folder.run()
    if run is None:
        raise SystemExit(f"{folder.path} holds no run")
    plan = run.plan
    found = folder.checkpoint(int(plan.epoch), number)
    sink = _open_sink(run, folder, number, found)
    ref = plan.dataset
    if ref is None:
        raise SystemExit(f"{folder.path} holds a plan without a dataset")
    dataset = load(ref.uri, generation=_int(ref.generation), sha256=ref.sha256 or None)
    workshop = build_workshop(plan, dataset, sink.framing)
    hasten(plan)
    tally = found.tally if found else {}
    shard = Shard(
        number,
        plan,
        workshop,
        sink,
        FolderStore(folder, int(plan.epoch), number, int(tally.get("offset", 0))),
        BootClock(),
        _settings(run),
        found,
        Tally(workshop.maker, tally.get("open")),
    )
    return _drive(shard, stopped)


def _drive(shard: Shard, stopped: Stop) -> int:
    while not stopped.is_set():
        wait = shard.step()
        if wait is None:
            break
        if wait > 0:
            stopped.wait(wait)
    drained = shard.stop(DRAIN_SECONDS)
    if shard.ended is not None:
        return FAILED if shard.ended.state == "Failed" else ENDED
    return DRAINED if drained else UNACKNOWLEDGED


def _settings(run: LocalRun) -> Settings:
    pubsub = run.plan.sink.pubsub
    paced = run.plan.pace.messages_per_second is not None or run.plan.pace.max_speed is not None
    most = int(pubsub.max_batch_messages) if run.sink == "pubsub" and pubsub else _LINES_A_BATCH
    seconds = float(pubsub.max_batch_seconds) if run.sink == "pubsub" and pubsub else 1.0
    return Settings(checkpoint=1.0, most_messages=most, batch_seconds=min(seconds, 1.0) if paced else seconds)


def _open_sink(run: LocalRun, folder: StateFolder, number: int, found: Checkpoint | None) -> Any:
    """The sink of one shard; each is imported only where it is used."""
    plan = run.plan
    if run.sink == "pubsub":
        from diurnal_worker.sinks.pubsub import PubsubSink

        assert plan.sink.pubsub is not None  # the plan was made for it
        return PubsubSink(plan.sink.pubsub.topic)
    if run.sink == "stdout":
        from diurnal_worker.sinks.stdout import StandardOutput, StdoutSink

        return StdoutSink(_SharedOutput(StandardOutput(), folder.path / "stdout.lock"))
    if run.sink == "discard":
        from diurnal_worker.sinks.discard import DiscardSink

        return DiscardSink()
    from diurnal_worker.sinks.files import FileSink

    clock = earliest(found.position) if found else plan.start
    name = part_name(int(plan.epoch), number, int(plan.shards))
    return FileSink(Path(run.folder), name, clock, found.sink if found else None, compress=run.gzip)


def part_name(epoch: int, shard: int, shards: int) -> str:
    """What the files of one shard of one epoch are called."""
    slots = slots_of(shard, shards)
    return named_part(epoch, slots.start, slots.stop - 1)


def named_part(epoch: int, first: int, last: int) -> str:
    """What the files of the slots ``first`` to ``last`` in an epoch are called."""
    return f"part-{epoch}-{first:04d}-{last:04d}"


class _SharedOutput:
    """Standard output of several workers: whole batches, one after another."""

    def __init__(self, output: Output, lock: Path) -> None:
        self._output, self._lock = output, lock.open("w")

    def write(self, payload: memoryview) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self._output.write(payload)
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


def _int(value: object) -> int | None:
    return None if value is None else int(str(value))


def _stop_with_the_runner(stop: Callable[[], None]) -> None:
    while os.read(0, 4096):  # unbuffered: no lock is held when the interpreter ends
        pass
    stop()


def main(arguments: list[str] | None = None) -> int:
    """The process's entry; errors are left in the checkpoint or on standard error, for the runner."""
    state, number = (arguments if arguments is not None else sys.argv[1:])[:2]
    stopped = Stop()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner decides what Ctrl-C means
    threading.Thread(target=_stop_with_the_runner, args=(stopped.set,), daemon=True).start()
    try:
        return run_shard(StateFolder(Path(state)), int(number), stopped)
    except (DatasetError, PermanentSinkError) as error:
        print(f"shard {number}: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:  # the state folder's: no room, no permission
        print(f"shard {number}: {error.filename or state}: {error.strerror}", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
