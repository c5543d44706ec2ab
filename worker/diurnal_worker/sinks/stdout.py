"""The sink for pipes: one JSON object a line on standard output."""

from __future__ import annotations

import os
import select
import sys
from typing import Literal, Protocol

from diurnal_worker.sinks import NOTHING_YET, Batch, PermanentSinkError
from diurnal_worker.sinks.counters import Counters


class Output(Protocol):
    """A binary stream that takes everything it is given."""

    def write(self, payload: memoryview, /) -> int | None: ...


class StandardOutput:
    """Standard output without a buffer: what failed is not tried again when the interpreter ends
    (https://docs.python.org/3/library/signal.html#note-on-sigpipe).
    """

    def __init__(self) -> None:
        self._descriptor = sys.stdout.fileno()

    def write(self, payload: memoryview, /) -> None:
        """Writes all of it, and waits where somebody made the descriptor non-blocking."""
        while payload.nbytes:
            try:
                payload = payload[os.write(self._descriptor, payload) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])


class StdoutSink:
    """Writes each batch; what the pipe has taken counts as durable, for there is no more to
    know. See `diurnal_worker.sinks.Sink`.
    """

    framing: Literal["lines"] = "lines"

    def __init__(self, output: Output | None = None) -> None:
        """`output`: where to write; standard output if none is given."""
        self.counters = Counters()
        self._output: Output = StandardOutput() if output is None else output
        self._until = NOTHING_YET

    def send(self, batch: Batch) -> None:
        """Writes the batch. Raises PermanentSinkError: OutputClosed when nobody reads any more, OutputFailed
        when it leads to where nothing can be written, such as a full disk.
        """
        self.counters.attempted(batch.messages)
        try:
            self._output.write(batch.payload)
        except (BrokenPipeError, ValueError) as closed:
            raise PermanentSinkError(
                "OutputClosed", "whoever read the output closed it: nothing more is written", self._until
            ) from closed
        except OSError as failed:
            why = f"standard output could not be written: {failed.strerror}"
            raise PermanentSinkError("OutputFailed", why, self._until) from failed
        self.counters.acknowledged(batch.messages, batch.payload.nbytes, 0.0)
        self._until = batch.until

    def room(self, size: int, timeout: float) -> bool:  # noqa: ARG002 (the protocol's)
        """There is always room."""
        return True

    def acknowledged(self) -> int:
        """The end of the last batch that was written."""
        return self._until

    def drain(self, timeout: float) -> bool:  # noqa: ARG002 (the protocol's)
        """Each batch is written as it is sent."""
        return True

    def close(self) -> None:
        """Standard output is not this sink's to close."""
