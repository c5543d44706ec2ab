"""The real Pub/Sub emulator for tests, and a broker on it that creates topics and reads subscriptions.

The emulator is part of the Google Cloud CLI and runs on Java. It is started straight from its jar, because
`gcloud beta emulators pubsub start` puts two more processes in between, and ending those ends nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
from google.api_core.exceptions import DeadlineExceeded
from google.cloud import pubsub_v1
from google.pubsub_v1 import SchemaServiceClient, types
from google.pubsub_v1.services.schema_service.transports import SchemaServiceGrpcTransport

PROJECT = "diurnal-tests"
STARTS_WITHIN = 60.0


class NoEmulatorError(Exception):
    """There is none to be had here; the message says what is missing and what brings it."""


@contextmanager
def running() -> Iterator[str]:
    """The address of an emulator: the one of PUBSUB_EMULATOR_HOST, else one of our own while it lasts."""
    if address := os.environ.get("PUBSUB_EMULATOR_HOST"):
        yield address
        return
    java, jar = find()
    with _process(java, jar) as address:
        yield address


def find() -> tuple[str, Path]:
    """Java, and the emulator's jar in the Google Cloud CLI. Raises NoEmulatorError."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise NoEmulatorError("gcloud is not on the PATH: https://cloud.google.com/sdk/docs/install")
    lib = Path(gcloud).resolve().parent.parent / "platform" / "pubsub-emulator" / "lib"
    jars = sorted(lib.glob("*.jar"))
    if not jars:
        raise NoEmulatorError(f"no jar in {lib}: gcloud components install pubsub-emulator")
    java = shutil.which("java")
    if java is None:
        raise NoEmulatorError("java is not on the PATH: install a Java runtime, 11 or later")
    return java, jars[-1]


@contextmanager
def _process(java: str, jar: Path) -> Iterator[str]:
    """An emulator on a free loopback port, in a process group of its own, ended by its id."""
    address = f"127.0.0.1:{_free_port()}"
    host, port = address.split(":")
    command = [java, "-XX:+UseSerialGC", "-jar", str(jar), f"--host={host}", f"--port={port}"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _await_answer(process, address)
        yield address
    finally:
        _end(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_answer(process: subprocess.Popen[bytes], address: str) -> None:
    give_up = time.monotonic() + STARTS_WITHIN
    with grpc.insecure_channel(address, options=[("grpc.max_reconnect_backoff_ms", 500)]) as channel:
        ready = grpc.channel_ready_future(channel)
        while time.monotonic() < give_up and process.poll() is None:
            with suppress(grpc.FutureTimeoutError):
                ready.result(timeout=1)
                return
    raise NoEmulatorError(f"the emulator ended or did not answer within {STARTS_WITHIN:.0f} s on {address}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return


class Broker:
    """Topics, schemas and subscriptions with names of their own on the emulator at `address`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
        self._publisher = pubsub_v1.PublisherClient(
            transport=pubsub_v1.PublisherClient.get_transport_class("grpc")(channel=self._channel)
        )
        self._subscriber = pubsub_v1.SubscriberClient(
            transport=pubsub_v1.SubscriberClient.get_transport_class("grpc")(channel=self._channel)
        )

    def create_topic(self, schema: str | None = None, encoding: str = "JSON") -> str:
        """A new topic, with an Avro schema (its text) and encoding (JSON or BINARY) if one is given."""
        topic = types.Topic(name=f"projects/{PROJECT}/topics/topic-{uuid.uuid4().hex}")
        if schema is not None:
            topic.schema_settings = types.SchemaSettings(
                schema=self._create_schema(schema), encoding=getattr(types.Encoding, encoding)
            )
        return str(self._publisher.create_topic(topic).name)

    def subscribe(self, topic: str) -> str:
        """A new subscription to the topic, from now on."""
        name = f"projects/{PROJECT}/subscriptions/subscription-{uuid.uuid4().hex}"
        self._subscriber.create_subscription(
            types.Subscription(name=name, topic=topic, ack_deadline_seconds=600)
        )
        return name

    def pull(self, subscription: str, count: int, timeout: float = 60.0) -> list[bytes]:
        """The data of at least `count` messages, or of what came within `timeout` seconds, and then of
        all that is left; acknowledged. Order is the service's."""
        received: list[bytes] = []
        give_up = time.monotonic() + timeout
        while time.monotonic() < give_up:
            messages = self._pull_once(subscription, at_once=len(received) >= count)
            received.extend(messages)
            if not messages and len(received) >= count:
                break
        return received

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _create_schema(self, schema: str) -> str:
        client = SchemaServiceClient(transport=SchemaServiceGrpcTransport(channel=self._channel))
        created = client.create_schema(
            parent=f"projects/{PROJECT}",
            schema=types.Schema(type_=types.Schema.Type.AVRO, definition=schema),
            schema_id=f"schema-{uuid.uuid4().hex}",
        )
        return str(created.name)

    def _pull_once(self, subscription: str, *, at_once: bool) -> list[bytes]:
        request = types.PullRequest(subscription=subscription, max_messages=1000)
        try:
            reply = self._subscriber.pull(request, timeout=0.5 if at_once else 5, retry=None)
        except DeadlineExceeded:
            return []
        received = types.PullResponse.pb(reply).received_messages  # ten times faster than the wrappers
        if received:
            self._subscriber.acknowledge(
                subscription=subscription, ack_ids=[message.ack_id for message in received]
            )
        return [message.message.data for message in received]
