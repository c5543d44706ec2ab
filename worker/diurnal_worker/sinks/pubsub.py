"""The Pub/Sub sink: ready requests, many in flight, acknowledged in order, retried by what went wrong.

Called by the runner, from one thread. Answers arrive in gRPC's own thread and, after a failure, attempts
start in the one of `Delayed`; there is no other. Every request ends in one of three ways: acknowledged;
waiting for another attempt; or, after a permanent failure or `close`, abandoned - and then the clock has
not passed it, so that whoever goes on from the clock sends it again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from diurnal_worker.sinks import Batch, PermanentSinkError, TransientSinkError
from diurnal_worker.sinks.connection import Connection, connect
from diurnal_worker.sinks.counters import Counters
from diurnal_worker.sinks.delayed import Delayed
from diurnal_worker.sinks.inflight import InFlight
from diurnal_worker.sinks.retries import OVERLOAD, Failure, Verdict, backoff, classify, explain
from diurnal_worker.sinks.window import Window
from diurnal_worker.sinks.wire import MOST_BYTES, MOST_MESSAGES, billed_bytes, topic_field

ATTEMPT_SECONDS = 10.0
SHORTEST_ATTEMPT = 0.05
ASK_LEASE_AGAIN = 0.2


def _unlimited() -> float:
    return float("inf")


@dataclass(slots=True)
class _Request:
    """A batch on its way. data: the whole PublishRequest. failures: attempts that failed in a row."""

    number: int
    data: bytes
    messages: int
    failures: int = 0
    sent_at: float = 0.0
    delivered_then: int = 0
    was_full: bool = False


class PubsubSink:
    """Publishes to one topic; see `diurnal_worker.sinks.Sink` for what each method promises."""

    framing: Literal["pubsub"] = "pubsub"

    def __init__(
        self,
        topic: str,
        *,
        attempt_budget: Callable[[], float] = _unlimited,
        connection: Connection | None = None,
        most_bytes: int = 16_000_000,
        most_requests: int = 64,
    ) -> None:
        """Connects; to be made in the process that uses it.

        topic: projects/PROJECT/topics/TOPIC. attempt_budget: the seconds that an attempt may last now
        (what is left of a lease, less a margin), asked before each attempt and from any thread; at 0
        none is started. most_bytes, most_requests: what is held, in flight and waiting, at most.
        """
        self.topic = topic
        self.counters = Counters()
        self._connection = connection or connect(topic)
        self._attempt_budget = attempt_budget
        self._prefix = topic_field(topic)
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._window = Window()
        self._in_flight = InFlight(most_requests)
        self._delayed = Delayed()
        self._requests = 0
        self._bytes = 0
        self._failure: tuple[str, str] | None = None
        self._closed = False

    def check_topic(self, timeout: float = 10.0) -> bool:
        """Whether the topic is known to exist; False when that may not be asked, as a publisher often
        may not. Raises PermanentSinkError, or TransientSinkError when nothing answers.
        """
        failure = self._connection.get_topic(timeout)
        if failure is None:
            return True
        verdict = classify(failure)
        if verdict.reason == "PermissionDenied":
            return False
        message = explain(self.topic, failure, verdict)
        raise (
            PermanentSinkError(verdict.reason, message)
            if verdict.permanent
            else TransientSinkError(verdict.reason, message)
        )

    def send(self, batch: Batch) -> None:
        """Takes a batch and starts publishing it; waits while the window is full."""
        size = self._size_of(batch)
        with self._changed:
            was_full = self._await_room(size)
            number = self._window.admit(batch.until)
            if not batch.messages:
                self._window.acknowledge(number)
                return
            self._requests += 1
            self._bytes += size
        self._attempt(_Request(number, self._prefix + batch.payload, batch.messages, was_full=was_full))

    def room(self, size: int, timeout: float) -> bool:
        """Waits at most `timeout` seconds until a batch of `size` bytes can be sent without waiting."""
        with self._changed:
            return self._changed.wait_for(lambda: self._has_room(size), timeout)

    def acknowledged(self) -> int:
        """The clock before which everything is acknowledged, or NOTHING_YET (see `Sink`)."""
        with self._changed:
            self._raise_failure()
            return self._window.until

    def drain(self, timeout: float) -> bool:
        """Waits until nothing is on its way, at most `timeout` seconds; whether all is acknowledged."""
        with self._changed:
            self._changed.wait_for(lambda: not self._requests, timeout)
            self._raise_failure()
            return not len(self._window)

    def close(self) -> None:
        """Ends attempts and retries. What was not acknowledged stays behind the clock."""
        with self._changed:
            self._closed = True
        self._delayed.close()
        self._connection.close()

    @property
    def on_its_way(self) -> tuple[int, int]:
        """Requests and bytes that were taken and are not answered for good."""
        return self._requests, self._bytes

    @property
    def most_in_flight(self) -> int:
        """The present limit on requests in flight."""
        return self._in_flight.limit

    def _size_of(self, batch: Batch) -> int:
        size = len(self._prefix) + batch.payload.nbytes
        if batch.messages > MOST_MESSAGES or size > MOST_BYTES:
            raise ValueError(
                f"a batch of {batch.messages} messages and {size} bytes: "
                f"Pub/Sub takes at most {MOST_MESSAGES} and {MOST_BYTES} in a request"
            )
        return size

    def _await_room(self, size: int) -> bool:
        """Waits, under the lock, until `size` more bytes may be held; whether it had to."""
        waited = False
        while not self._has_room(size):
            waited = True
            self._changed.wait()
        self._raise_failure()
        return waited

    def _has_room(self, size: int) -> bool:
        if self._failure or self._closed or not self._requests:
            return True
        return self._requests < self._in_flight.limit and self._bytes + size <= self._most_bytes

    def _raise_failure(self) -> None:
        if self._failure:
            reason, message = self._failure
            raise PermanentSinkError(reason, message, self._window.until)
        if self._closed:
            raise ValueError("the sink is closed")

    def _attempt(self, request: _Request) -> None:
        """Starts an attempt, or waits for the lease's renewal; from any thread. No error may escape: in
        another thread nobody would see it, and the request would be on its way for ever.
        """
        try:
            self._start(request)
        except Exception as error:  # noqa: BLE001 (reported as what it is: a defect)
            self._break(request, error)

    def _start(self, request: _Request) -> None:
        seconds = min(ATTEMPT_SECONDS, self._attempt_budget())
        if seconds < SHORTEST_ATTEMPT:
            self._delayed.call(ASK_LEASE_AGAIN, lambda: self._attempt(request))
            return
        with self._changed:
            if self._failure or self._closed:
                self._forget(request)
                return
            payload = len(request.data) - len(self._prefix)
            self.counters.attempted(request.messages, billed_bytes(payload, request.messages))
            request.sent_at = time.monotonic()
            request.delivered_then = self._in_flight.delivered
        self._publish(request, seconds)

    def _publish(self, request: _Request, seconds: float) -> None:
        try:
            self._connection.publish(request.data, seconds, lambda failure: self._answered(request, failure))
        except ValueError as closed:  # what gRPC says of a closed channel
            self._answered(request, Failure("CANCELLED", str(closed)))

    def _break(self, request: _Request, error: Exception) -> None:
        with self._changed:
            message = f"cannot publish to {self.topic}: a defect of this program, please report it: {error!r}"
            self._failure = self._failure or ("InternalDefect", message)
            self._forget(request)

    def _answered(self, request: _Request, failure: Failure | None) -> None:
        if failure is None:
            self._succeeded(request)
            return
        verdict = classify(failure)
        with self._changed:
            self.counters.failed(verdict.reason)
            self._changed.notify_all()
            request.failures += 1
            if verdict.reason in OVERLOAD:
                self._in_flight.overloaded()
            if verdict.permanent and not self._failure:
                self._failure = (verdict.reason, explain(self.topic, failure, verdict))
            if self._failure or self._closed:
                self._forget(request)
                self._delayed.hurry()
                return
        self._retry(request, verdict)

    def _succeeded(self, request: _Request) -> None:
        now = time.monotonic()
        with self._changed:
            self.counters.acknowledged(request.messages, len(request.data), now - request.sent_at)
            self._in_flight.answered(request.sent_at, request.delivered_then, now, was_full=request.was_full)
            self._window.acknowledge(request.number)
            self._forget(request)

    def _retry(self, request: _Request, verdict: Verdict) -> None:
        seconds = backoff(request.failures, random.random(), verdict.reason)  # noqa: S311 (no secret)
        self._delayed.call(seconds, lambda: self._attempt(request))

    def _forget(self, request: _Request) -> None:
        """The request is no longer on its way; under the lock."""
        self._requests -= 1
        self._bytes -= len(request.data)
        self._changed.notify_all()
