"""Where events go: the small protocol that the runner speaks, whatever stands behind it.

A sink takes batches in the order of simulated time and says how far everything is durable. Order and
durability are the whole contract: the runner moves a clock only to what `acknowledged` returns, so a
sink that answers too early loses events and one that answers late merely holds the clock back.

Importing this package imports no sink: each lives in its own module, with its own dependencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from diurnal_worker.sinks.counters import Counters

Framing = Literal["pubsub", "lines"]
"""How messages are framed: as fields of a PublishRequest, or one a line with a newline at its end."""

NOTHING_YET = -(2**63)
"""What `acknowledged` returns before the first batch is durable: earlier than every instant."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that are sent, and acknowledged, together.

    payload: the messages, framed for the sink (`Sink.framing`), back to back. The sink may read it
        after `send` has returned, until the batch is acknowledged: whoever fills the buffer leaves
        it alone, and allocates another.
    messages: how many, at least 1 (0 for a batch that only moves the clock through an empty stretch).
    until: a clock (microseconds since 1970): every event before it is in this batch or in an earlier
        one of this worker. It never falls from batch to batch.
    """

    payload: memoryview
    messages: int
    until: int


@runtime_checkable
class Sink(Protocol):
    """What takes batches. Not thread-safe: one thread sends, asks and drains."""

    @property
    def framing(self) -> Framing:
        """How this sink wants its messages framed."""
        ...

    @property
    def counters(self) -> Counters:
        """What was sent, and how it was answered."""
        ...

    def send(self, batch: Batch) -> None:
        """Takes a batch; blocks while the sink holds as much as it may (back-pressure).

        Raises PermanentSinkError when the sink has failed for good, in this batch or an earlier one.
        """
        ...

    def room(self, size: int, timeout: float) -> bool:
        """Waits at most `timeout` seconds until `send` takes `size` bytes without blocking; whether it
        does. For a caller that has a lease to renew or a signal to obey meanwhile.
        """
        ...

    def acknowledged(self) -> int:
        """The clock before which every event is durable: `until` of the last batch of the longest
        prefix without a gap, or NOTHING_YET. Does not block. Raises PermanentSinkError like `send`.
        """
        ...

    def drain(self, timeout: float) -> bool:
        """Waits until everything taken is durable, at most `timeout` seconds; whether it is."""
        ...

    def close(self) -> None:
        """Gives back connections and files. Waits for nothing: what was not drained is not durable."""
        ...


@runtime_checkable
class KeepingSink(Sink, Protocol):
    """A sink that answers for nothing by itself: what it took is durable with the next checkpoint."""

    def commit(self) -> dict[str, Any]:
        """Makes everything taken durable; returns marks, which the checkpoint keeps for a successor."""
        ...

    def committed(self) -> None:
        """The checkpoint with the last marks is stored."""
        ...

    def finish(self) -> None:
        """Nothing follows: what is open is closed by the next `commit`."""
        ...


class SinkError(Exception):
    """A sink could not do its work. Both kinds are named by their remedy."""

    def __init__(self, reason: str, message: str, until: int = NOTHING_YET) -> None:
        """reason: a CamelCase word for a condition. message: for people: what, where, what to do.

        until: the clock that was durable all the same, so that the last checkpoint can still be right.
        """
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.until = until


class PermanentSinkError(SinkError):
    """Trying again cannot help; a person must change something first."""


class TransientSinkError(SinkError):
    """Trying again later may help."""
