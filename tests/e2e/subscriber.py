"""A subscriber that pulls and acknowledges everything, and remembers what came: the other end of the run.

Of a message it keeps a fingerprint of its content without generation_timestamp, and its publish time. The
fingerprint is Python's own hash of bytes, which is the same within a process and random between processes.
"""

from __future__ import annotations

import threading
import time
from array import array

import grpc
import numpy as np
from google.pubsub_v1 import types
from numpy.typing import NDArray

from harness import GENERATED

SECOND = 1_000_000
_AT_ONCE = 1000
_LONGEST_PULL = 20.0
"""Seconds. What is on its way to a pull that was given up is delivered again only after its deadline."""


def fingerprint(message: bytes) -> int:
    """Of the content of a message in JSON; equal contents have equal ones."""
    return hash(message[GENERATED:])


class Subscriber(threading.Thread):
    """Pulls until it is ended, also over restarts of the emulator at `address`."""

    def __init__(self, address: str, subscription: str) -> None:
        super().__init__(name="subscriber", daemon=True)
        self._address, self._subscription = address, subscription
        self._fingerprints, self._published = array("q"), array("q")
        self._heard = time.monotonic()
        self._done = threading.Event()

    @property
    def received(self) -> int:
        """How many messages came, repeats included."""
        return len(self._fingerprints)

    @property
    def fingerprints(self) -> NDArray[np.int64]:
        """Of all messages, in the order of their receipt."""
        return np.array(self._fingerprints, np.int64)

    @property
    def published(self) -> NDArray[np.int64]:
        """Publish times (microseconds since 1970, by the emulator's clock) in the same order."""
        return np.array(self._published, np.int64)

    def run(self) -> None:
        while not self._done.is_set():
            options = [("grpc.max_receive_message_length", -1), ("grpc.max_reconnect_backoff_ms", 500)]
            with grpc.insecure_channel(self._address, options=options) as channel:
                self._pull(channel)

    def await_silence(self, seconds: float = 3.0) -> None:
        """Waits until nothing has come for so long: whatever the emulator had is here."""
        while time.monotonic() - self._heard < seconds:
            time.sleep(0.1)

    def end(self) -> None:
        """Stops pulling."""
        self._done.set()
        self.join(2 * _LONGEST_PULL)

    def _pull(self, channel: grpc.Channel) -> None:
        service = "/google.pubsub.v1.Subscriber/"
        answer = types.PullResponse.pb()
        pull = channel.unary_unary(f"{service}Pull", types.PullRequest.serialize, answer.FromString)
        acknowledge = channel.unary_unary(f"{service}Acknowledge", types.AcknowledgeRequest.serialize, None)
        request = types.PullRequest(subscription=self._subscription, max_messages=_AT_ONCE)
        while not self._done.is_set():
            try:
                messages = pull(request, timeout=_LONGEST_PULL).received_messages
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                    time.sleep(0.2)  # it is being restarted
                continue
            acks = [each.ack_id for each in messages]
            try:
                acknowledge(
                    types.AcknowledgeRequest(subscription=self._subscription, ack_ids=acks), timeout=60
                )
            except grpc.RpcError:
                continue  # they come again, and count then
            self._keep([each.message for each in messages])

    def _keep(self, messages: list[types.PubsubMessage]) -> None:
        self._fingerprints.extend(fingerprint(each.data) for each in messages)
        self._published.extend(
            each.publish_time.seconds * SECOND + each.publish_time.nanos // 1000 for each in messages
        )
        if messages:
            self._heard = time.monotonic()
