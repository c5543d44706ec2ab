"""The sink for pipes: one JSON object a line on standard output."""

from __future__ import annotations

import os
import sys
from typing import Literal, Protocol

from diurnal_worker.sinks import NOTHING_YET, Batch, PermanentSinkError
from diurnal_worker.sinks.counters import Counters


class Output(Protocol):
    """A binary stream that takes everything it is given."""

    def write(self, payload: memoryview, /) -> int: ...

    def flush(self) -> None: ...


class StdoutSink:
    """Writes and flushes each batch; what the pipe has taken counts as durable, for there is no more to
    know. See `diurnal_worker.sinks.Sink`.
    """

    framing: Literal["lines"] = "lines"

    def __init__(self, output: Output | None = None) -> None:
        """`output`: where to write; standard output if none is given."""
        self.counters = Counters()
        self._standard = output is None
        self._output = sys.stdout.buffer if output is None else output
        self._until = NOTHING_YET

    def send(self, batch: Batch) -> None:
        """Writes the batch. Raises PermanentSinkError: OutputClosed when nobody reads any more, OutputFailed
        when it leads to where nothing can be written, such as a full disk.
        """
        self.counters.attempted(batch.messages)
        try:
            self._output.write(batch.payload)
            self._output.flush()
        except (BrokenPipeError, ValueError) as closed:
            self._silence()
            raise PermanentSinkError(
                "OutputClosed", "whoever read the output closed it: nothing more is written", self._until
            ) from closed
        except OSError as failed:
            self._silence()
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
        """Each batch is flushed as it is sent."""
        return True

    def close(self) -> None:
        """Standard output is not this sink's to close."""

    def _silence(self) -> None:
        """Lets the interpreter flush its buffer into nothing at exit, in place of a traceback
        (https://docs.python.org/3/library/signal.html#note-on-sigpipe).
        """
        if self._standard:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
