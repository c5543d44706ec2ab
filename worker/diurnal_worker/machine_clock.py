"""The clocks of the machine, for the processes that run shards."""

from __future__ import annotations

import time


class BootClock:
    """CLOCK_BOOTTIME for pace and leases: it goes on while the machine sleeps, so a thawed process knows."""

    def monotonic(self) -> float:
        """Seconds since boot."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> int:
        """Microseconds since 1970."""
        return time.time_ns() // 1000
