"""What workers cost where little is sent: `diurnal run`, 1,000 events/s over 4 shards, into the no-op server.

CPU-seconds and memory of each worker process, over some seconds in which nothing else happens to it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stream import TOPIC

EXAMPLE = Path(__file__).parent.parent / "manifests" / "examples" / "app-store.yaml"
RUN = [sys.executable, "-m", "diurnal_cli.main", "run"]
SHARDS = 4
SECONDS = 12.0
PATIENCE = 90.0


def low_rate(address: str) -> dict[str, float]:
    """The dearest worker's share of a core and memory, and how often its loop and all its threads wake."""
    with tempfile.TemporaryDirectory(prefix="diurnal-low-rate-") as state:
        changes = [f"shards={SHARDS}", f"sink={{pubsub: {{topic: {TOPIC}}}}}"]
        settings = [part for change in changes for part in ("--set", change)]
        run = subprocess.Popen(
            [*RUN, str(EXAMPLE), "--sink", "pubsub", "--state", state, *settings],
            env={**os.environ, "PUBSUB_EMULATOR_HOST": address},
            stdout=subprocess.DEVNULL,
        )
        try:
            workers = _publishing_workers(run.pid, Path(state))
            before = [_used(pid) for pid in workers]
            time.sleep(SECONDS)
            after = [_used(pid) for pid in workers]
            shares, loops, threads = (
                max(b[i] - a[i] for a, b in zip(before, after, strict=True)) / SECONDS for i in range(3)
            )
            return {
                "low_rate_cpu_percent": round(100 * shares, 2),
                "low_rate_rss_mb": round(max(_rss_mb(pid) for pid in workers), 1),
                "low_rate_loop_wakes_a_second": round(loops, 1),
                "low_rate_wakes_a_second": round(threads, 1),
            }
        finally:
            run.send_signal(signal.SIGINT)
            run.wait()


def _publishing_workers(runner: int, state: Path) -> list[int]:
    """The processes of the shards, once each has stored two checkpoints and so has begun to publish."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        time.sleep(1.0)
        stored = list(state.glob("epoch-*/shard-*.json"))
        if len(stored) == SHARDS and min(time.time() - _changed(path) for path in stored) < 1.5:
            time.sleep(3.0)
            children = Path(f"/proc/{runner}/task/{runner}/children").read_text().split()
            return [int(child) for child in children]
    raise TimeoutError(f"the workers did not begin within {PATIENCE:.0f} s")


def _changed(path: Path) -> float:
    return path.stat().st_mtime


def _cpu(pid: int) -> float:
    """CPU-seconds of a process, all its threads, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def _status(path: Path, key: str) -> int:
    [line] = [line for line in path.read_text().splitlines() if line.startswith(key + ":")]
    return int(line.split()[1])


def _used(pid: int) -> tuple[float, int, int]:
    """CPU-seconds; how often its loop, which is its first thread, and all threads went to sleep."""
    wakes = {int(task.name): _status(task / "status", "voluntary_ctxt_switches") for task in _tasks(pid)}
    return _cpu(pid), wakes[pid], sum(wakes.values())


def _tasks(pid: int) -> list[Path]:
    return [task for task in Path(f"/proc/{pid}/task").iterdir() if (task / "status").exists()]


def _rss_mb(pid: int) -> float:
    return _status(Path(f"/proc/{pid}/status"), "VmHWM") / 1024
