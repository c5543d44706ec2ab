"""How the sink comes to Pub/Sub: with which credentials, by which channel, and what that costs.

The service is a fake on loopback, the tokens come from a server of the test; gRPC, TLS, google-auth and the
library for Pub/Sub are the real ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from google.cloud.pubsub_v1 import PublisherClient

from diurnal_worker.sinks import Batch, PermanentSinkError
from diurnal_worker.sinks.connection import PublicConnection, RawConnection, connect
from diurnal_worker.sinks.pubsub import PubsubSink
from diurnal_worker.sinks.wire import message_field
from fake_publisher import SOON, TOPIC, FakePublisher, Fault, self_signed, serving

PUBLISH_ONE = f"""
import sys
from diurnal_worker.sinks import Batch, channel
from diurnal_worker.sinks.pubsub import PubsubSink
from diurnal_worker.sinks.wire import message_field
channel.SERVICE = sys.argv[1] if len(sys.argv) > 1 else channel.SERVICE
assert "grpc" not in sys.modules, "what is imported before a fork may not be used after it"
sink = PubsubSink({TOPIC!r})
sink.send(Batch(memoryview(message_field(b"one")), 1, 10))
assert sink.drain({SOON})
assert "google.pubsub_v1" not in sys.modules, "the library for Pub/Sub was loaded"
"""
"""A process that publishes one message, and would fail if that took the whole library."""


@pytest.fixture
def fake() -> Iterator[FakePublisher]:
    with serving() as publisher:
        yield publisher


def publish_one(sink: PubsubSink) -> None:
    sink.send(Batch(memoryview(message_field(b"one")), 1, 10))
    assert sink.drain(SOON)


def elsewhere(*arguments: str, **environment: str) -> None:
    """Runs PUBLISH_ONE in a process of its own."""
    surroundings = {k: v for k, v in os.environ.items() if k != "PUBSUB_EMULATOR_HOST"} | environment
    ran = subprocess.run(
        [sys.executable, "-c", PUBLISH_ONE, *arguments],
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_the_emulators_address_is_taken_from_the_usual_variable(fake: FakePublisher) -> None:
    elsewhere(PUBSUB_EMULATOR_HOST=fake.address)
    assert fake.kept == [[b"one"]]


def test_to_the_service_requests_go_over_tls_with_a_token_of_the_credentials(tmp_path: Path) -> None:
    key, certificate = self_signed("localhost")
    roots, account = tmp_path / "roots.pem", tmp_path / "account.json"
    roots.write_bytes(certificate)
    with (
        serving(secured_by=grpc.ssl_server_credentials([(key, certificate)])) as fake,
        tokens() as token_uri,
    ):
        account.write_text(json.dumps(service_account(token_uri)))
        elsewhere(
            fake.address.replace("127.0.0.1", "localhost"),
            GOOGLE_APPLICATION_CREDENTIALS=str(account),
            GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=str(roots),
        )
    assert fake.kept == [[b"one"]]
    assert fake.metadata[0]["authorization"] == "Bearer the-token"


def service_account(token_uri: str) -> dict[str, str]:
    """The key file of an account that exists nowhere."""
    private = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "shop",
        "client_email": "worker@shop.iam.gserviceaccount.com",
        "private_key": private.decode(),
        "token_uri": token_uri,
    }


class _Tokens(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.dumps({"access_token": "the-token", "expires_in": 3600}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def tokens() -> Iterator[str]:
    """A server that gives everybody the same token; yields its address."""
    server = HTTPServer(("127.0.0.1", 0), _Tokens)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DefaultCredentialsError("none"), "gcloud auth application-default login"),  # type: ignore[no-untyped-call]
        (RefreshError("the pool does not exist"), "do not serve: the pool does not exist"),  # type: ignore[no-untyped-call]
    ],
    ids=["none that are found", "some that do not serve"],
)
def test_without_credentials_the_error_says_what_is_wrong_or_how_to_get_some(
    error: GoogleAuthError, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise error

    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    monkeypatch.setattr("google.auth.default", refused)
    with pytest.raises(PermanentSinkError, match=words) as caught:
        PubsubSink(TOPIC)
    assert caught.value.reason == "CredentialsFailed"


@pytest.fixture
def library(fake: FakePublisher, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The library's channel leads to the fake; with what it was made."""
    made: dict[str, Any] = {}

    def create_channel(host: str, **how: Any) -> grpc.Channel:
        made.update(how, host=host)
        return grpc.insecure_channel(fake.address)

    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    monkeypatch.setattr("google.auth.default", lambda *_, **__: (credentials, "shop"))
    monkeypatch.setattr(PublisherClient.get_transport_class("grpc"), "create_channel", create_channel)
    return made


@pytest.mark.parametrize(
    ("variable", "value", "host", "why"),
    [
        ("GOOGLE_API_USE_CLIENT_CERTIFICATE", "true", "pubsub.googleapis.com:443", "certificate"),
        ("GOOGLE_API_USE_MTLS_ENDPOINT", "always", "pubsub.mtls.googleapis.com:443", "MTLS_ENDPOINT is set"),
        ("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "else.example", "pubsub.else.example:443", "DOMAIN is set"),
    ],
)
def test_what_the_library_alone_obeys_is_left_to_the_librarys_channel_and_the_log_says_why(
    variable: str,
    value: str,
    host: str,
    why: str,
    fake: FakePublisher,
    library: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(variable, value)
    connection = connect(TOPIC)
    assert isinstance(connection, RawConnection)
    sink = PubsubSink(TOPIC, connection=connection)
    publish_one(sink)
    sink.close()
    assert fake.kept == [[b"one"]]
    assert library["host"] == host
    options = dict(library["options"])
    assert {"grpc.keepalive_time_ms", "grpc.max_reconnect_backoff_ms"} <= options.keys()
    assert why in caplog.text


@pytest.mark.usefixtures("library")
def test_without_a_channel_of_google_auths_the_librarys_is_used_and_the_log_says_why(
    fake: FakePublisher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr("google.auth.transport.grpc.secure_authorized_channel")
    connection = connect(TOPIC)
    assert isinstance(connection, RawConnection)
    assert "secure_authorized_channel" in caplog.text
    sink = PubsubSink(TOPIC, connection=connection)
    publish_one(sink)
    sink.close()
    assert fake.kept == [[b"one"]]


@pytest.mark.usefixtures("library")
def test_without_any_raw_channel_the_public_method_publishes_and_the_log_says_why(
    fake: FakePublisher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr("google.auth.transport.grpc.secure_authorized_channel")
    monkeypatch.delattr(PublisherClient.get_transport_class("grpc"), "grpc_channel")
    connection = connect(TOPIC)
    assert isinstance(connection, PublicConnection)
    assert "no raw channel" in caplog.text
    fake.faults.append(Fault("UNAVAILABLE"))
    sink = PubsubSink(TOPIC, connection=connection)
    assert sink.check_topic(SOON)
    publish_one(sink)
    assert sink.counters.errors == Counter({"Unavailable": 1})
    assert fake.kept == [[b"one"]]
    sink.close()
