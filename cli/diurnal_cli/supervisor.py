"""Worker processes of a local run: started, watched, restarted, drained.

Each worker is told by its standard input closing that this process is gone, so none outlives it. Processes
are ended by their own pid, never by name.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from diurnal_worker import ENVIRONMENT
from diurnal_worker.local import DRAIN_SECONDS, DRAINED, ENDED, FAILED

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_BACKOFF: Final = 0.5
_LONGEST_BACKOFF: Final = 10.0
_PATIENCE: Final = 5
_SETTLED_AFTER: Final = 10.0
_KILL_AFTER: Final = DRAIN_SECONDS + 5.0
_NOTHING_BEGUN: Final = -signal.SIGTERM  # ended before it could listen to the signal


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    started: float
    crashes: int = 0
    restart_at: float | None = None
    done: int | None = None


class GaveUpError(Exception):
    """A shard crashes again and again; the text has what it last said."""


class Supervisor:
    """The workers of one plan. ``inherited`` are descriptors that they keep open while they live."""

    def __init__(
        self,
        state: Path,
        shards: int,
        inherited: tuple[int, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state, self._inherited, self._clock = state, inherited, clock
        self._workers = [_Worker(self._start(shard), clock()) for shard in range(shards)]

    def watch(self) -> bool:
        """Restarts what died; whether any worker is still at work. GaveUpError where that is hopeless."""
        for shard, worker in enumerate(self._workers):
            if worker.done is None:
                self._look_after(shard, worker)
        return any(worker.done is None for worker in self._workers)

    @property
    def failed(self) -> str | None:
        """The last words of a worker that ended with a permanent error, None where there is none."""
        failed = (shard for shard, worker in enumerate(self._workers) if worker.done == FAILED)
        return next((self._last_words(shard) for shard in failed), None)

    def _look_after(self, shard: int, worker: _Worker) -> None:
        now = self._clock()
        code = worker.process.poll()
        if code is None:
            return
        if code in (ENDED, FAILED):
            worker.done = code
        elif worker.restart_at is None:
            worker.crashes = 1 if now - worker.started > _SETTLED_AFTER else worker.crashes + 1
            if worker.crashes > _PATIENCE:
                raise GaveUpError(
                    f"shard {shard} ended {worker.crashes} times in a row: {self._last_words(shard)}"
                )
            worker.restart_at = now + min(_FIRST_BACKOFF * 2 ** (worker.crashes - 1), _LONGEST_BACKOFF)
        elif now >= worker.restart_at:
            worker.process, worker.started, worker.restart_at = self._start(shard), now, None

    def stop(self) -> bool:
        """Drains every worker; whether all were drained wholly."""
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.terminate()
        deadline = self._clock() + _KILL_AFTER
        for worker in self._workers:
            try:
                worker.process.wait(max(deadline - self._clock(), 0.1))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            _close(worker.process.stdin)
        well = {ENDED, DRAINED, _NOTHING_BEGUN}
        return all(worker.process.returncode in well for worker in self._workers)

    def _start(self, shard: int) -> subprocess.Popen[bytes]:
        with self._log(shard).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "diurnal_worker.local", str(self._state), str(shard)],
                env={**ENVIRONMENT, **os.environ},
                stdin=subprocess.PIPE,
                stderr=log,
                pass_fds=self._inherited,
                process_group=0,  # Ctrl-C is this process's to judge, also while a worker still starts
            )

    def _log(self, shard: int) -> Path:
        return self._state / f"shard-{shard:04d}.log"

    def _last_words(self, shard: int) -> str:
        lines = self._log(shard).read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()
