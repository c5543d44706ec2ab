"""What a process has used so far, as Linux counts it: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_KIB = 1024 / 1e6


@dataclass(frozen=True)
class Usage:
    """CPU in seconds, memory in MB (10^6 bytes): resident now, and at most so far."""

    cpu: float
    memory: float
    peak: float


def usage_of(pid: int) -> Usage:
    """The usage of a process that runs."""
    # The name of a program may hold blanks and brackets; the fields follow the last one.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    memory, peak = (_kib(status, name) * _KIB for name in ("VmRSS", "VmHWM"))
    return Usage((int(fields[11]) + int(fields[12])) * _TICK, memory, peak)


def _kib(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found, status
    return int(found[1])
