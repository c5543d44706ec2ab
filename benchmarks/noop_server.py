"""A Pub/Sub that does nothing, for measuring clients: a process that acknowledges every Publish at once.

It keeps nothing, and is no substitute for the emulator. The library's client wants as many ids as it sent
messages, so for it they are counted; who sends ready bytes gets a thousand ids without a look at them.
Run by the benchmarks: `python benchmarks/noop_server.py [HOST [CERTIFICATE]]` prints its port, serves, and
ends when its standard input does. With CERTIFICATE it speaks TLS, by a key of its own, and writes its
certificate, for HOST, into that file.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ID = b"\x0a\x101234567890123456"
"""A message id in a PublishResponse: field 1, sixteen characters."""
THOUSAND_IDS = ID * 1000
MESSAGES_TAG = 0x12
LIBRARY_HEADER = "x-goog-api-client"


class AcknowledgeAll(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs only
    """Answers every method as if it were Publish. No serialisers: requests stay bytes."""

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """The handler that fits the client."""
        names = {name for name, _ in handler_call_details.invocation_metadata or ()}
        answer = _counted if LIBRARY_HEADER in names else _uncounted
        return grpc.unary_unary_rpc_method_handler(answer)


def _uncounted(request: bytes, context: object) -> bytes:
    return THOUSAND_IDS


def _counted(request: bytes, context: object) -> bytes:
    return ID * count_messages(request)


def count_messages(request: bytes) -> int:
    """How many `messages` fields a PublishRequest has: hops from field to field."""
    at = count = 0
    while at < len(request):
        count += request[at] == MESSAGES_TAG
        at += 1
        length = shift = 0
        while True:
            group = request[at]
            at += 1
            length |= (group & 0x7F) << shift
            shift += 7
            if group < 0x80:
                break
        at += length
    return count


def self_signed(host: str) -> tuple[bytes, bytes]:
    """A private key and its certificate for an address, PEM."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    since, until = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2120, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), since, until)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=True
        )
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return private, certificate.public_bytes(pem)


def listen(server: grpc.Server, host: str, certificate: Path | None) -> int:
    """The free port that the server then listens on."""
    if certificate is None:
        return server.add_insecure_port(f"{host}:0")
    private, public = self_signed(host)
    certificate.write_bytes(public)
    return server.add_secure_port(f"{host}:0", grpc.ssl_server_credentials([(private, public)]))


def main() -> None:
    """Serves on a free port of the loopback or the given address until the parent closes the pipe."""
    host, *certificate = sys.argv[1:] or ["127.0.0.1"]
    server = grpc.server(
        ThreadPoolExecutor(2),
        handlers=[AcknowledgeAll()],
        options=[("grpc.max_receive_message_length", -1)],
    )
    print(listen(server, host, Path(*certificate) if certificate else None), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(0).wait()  # an interpreter that ends meanwhile may hang


if __name__ == "__main__":
    main()
