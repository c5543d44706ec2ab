"""What a sink counted: plain numbers that only grow, for a budget, a status or an exporter to read.

Nothing here locks; the sink adds under its own lock, and a reader sees each number whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from diurnal_api.metrics import LATENCY_BOUNDS


@dataclass(slots=True)
class Counters:
    """messages, bytes: acknowledged. attempts, attempted_messages, billed_bytes: every request that was
    sent, repeated ones too, as the service bills them. errors: failed attempts by reason. latencies:
    acknowledged requests by bucket of LATENCY_BOUNDS, and the sum of their seconds.
    """

    messages: int = 0
    bytes: int = 0
    attempts: int = 0
    attempted_messages: int = 0
    billed_bytes: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS) + 1))
    latency_seconds: float = 0.0

    def attempted(self, messages: int, billed_bytes: int = 0) -> None:
        """A request goes out; `billed_bytes`: what it costs, where it costs anything."""
        self.attempts += 1
        self.attempted_messages += messages
        self.billed_bytes += billed_bytes

    def acknowledged(self, messages: int, size: int, seconds: float) -> None:
        """A request was acknowledged `seconds` after its attempt began."""
        self.messages += messages
        self.bytes += size
        self.latencies[bisect_left(LATENCY_BOUNDS, seconds)] += 1
        self.latency_seconds += seconds

    def failed(self, reason: str) -> None:
        """An attempt failed, for this reason."""
        self.errors[reason] += 1
