"""The sink that keeps nothing: for trying out, and for measuring what everything else costs."""

from __future__ import annotations

from diurnal_worker.sinks import NOTHING_YET, Batch, Framing
from diurnal_worker.sinks.counters import Counters


class DiscardSink:
    """Acknowledges every batch at once; see `diurnal_worker.sinks.Sink`."""

    def __init__(self, framing: Framing = "pubsub") -> None:
        """`framing`: how messages shall be framed before they are thrown away."""
        self.framing: Framing = framing
        self.counters = Counters()
        self._until = NOTHING_YET

    def send(self, batch: Batch) -> None:
        """Throws the batch away."""
        self.counters.attempted(batch.messages)
        self.counters.acknowledged(batch.messages, batch.payload.nbytes, 0.0)
        self._until = batch.until

    def room(self, size: int, timeout: float) -> bool:  # noqa: ARG002 (the protocol's)
        """There is always room."""
        return True

    def acknowledged(self) -> int:
        """The end of the last batch."""
        return self._until

    def drain(self, timeout: float) -> bool:  # noqa: ARG002 (the protocol's)
        """Nothing is ever on its way."""
        return True

    def close(self) -> None:
        """There is nothing to give back."""
