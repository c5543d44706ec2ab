"""`FakePublisher` is a fake, not Pub/Sub: a gRPC server in this process for tests of the sink.

It keeps what it received, and plays the faults that neither the service nor the emulator produces on
demand: errors by code, lost answers, answers out of order or never, TLS with a certificate of its own.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.pubsub_v1.types import PublishRequest

from diurnal_worker.sinks.wire import topic_field

TOPIC = "projects/shop/topics/user-interactions"
SOON = 20.0
"""Seconds that no test needs; it bounds what would otherwise hang."""


@dataclass
class Fault:
    """How the fake answers one attempt. keeps: whether it takes the messages all the same."""

    code: str
    details: str = "injected by the fake"
    keeps: bool = False


@dataclass
class FakePublisher:
    """State of the fake: what it was asked, what it keeps, and how it will answer."""

    faults: deque[Fault] = field(default_factory=deque)
    topic_fault: Fault | None = None
    attempts: list[list[bytes]] = field(default_factory=list)
    kept: list[list[bytes]] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    gates: dict[bytes, threading.Event] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    address: str = ""

    def publish(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        parsed = PublishRequest.deserialize(request)
        assert parsed.topic == TOPIC
        messages = [message.data for message in parsed.messages]
        with self.lock:
            self.attempts.append(messages)
            self.metadata.append({key: str(value) for key, value in context.invocation_metadata()})
            self.deadlines.append(context.time_remaining())
            fault = self.faults.popleft() if self.faults else None
        if gate := self.gates.get(messages[0]):
            gate.wait(SOON)
        if fault is None or fault.keeps:
            self.kept.append(messages)
        if fault is not None:
            context.abort(grpc.StatusCode[fault.code], fault.details)
        return b"\x0a\x011"

    def get_topic(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        assert request == topic_field(TOPIC)
        if self.topic_fault is not None:
            context.abort(grpc.StatusCode[self.topic_fault.code], self.topic_fault.details)
        return request

    def hold(self, data: bytes) -> threading.Event:
        """Keeps the request that begins with `data` unanswered until the event is set."""
        return self.gates.setdefault(data, threading.Event())


class serving:  # noqa: N801 (reads as a verb: with serving() as fake)
    """A fake publisher that listens on a loopback port for the length of a `with`."""

    def __init__(
        self, address: str = "127.0.0.1:0", secured_by: grpc.ServerCredentials | None = None
    ) -> None:
        self.address = address
        self.secured_by = secured_by

    def __enter__(self) -> FakePublisher:
        fake = FakePublisher()
        handlers = {
            "Publish": grpc.unary_unary_rpc_method_handler(fake.publish),
            "GetTopic": grpc.unary_unary_rpc_method_handler(fake.get_topic),
        }
        service = grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", handlers)
        self.server = grpc.server(ThreadPoolExecutor(40), handlers=[service])
        if self.secured_by is None:
            port = self.server.add_insecure_port(self.address)
        else:
            port = self.server.add_secure_port(self.address, self.secured_by)
        fake.address = f"127.0.0.1:{port}"
        self.server.start()
        self.fake = fake
        return fake

    def __exit__(self, *error: object) -> None:
        for gate in self.fake.gates.values():
            gate.set()
        self.server.stop(None).wait()


def self_signed(name: str) -> tuple[bytes, bytes]:
    """A private key and a certificate of its own for this host, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return private, certificate.public_bytes(pem)
