"""The channel to Pub/Sub: authenticated, or plain to an emulator (PUBSUB_EMULATOR_HOST).

Made of gRPC and google-auth alone, as Google's library makes its own: importing that library costs 27 MB
and a third of a second a worker, for a client of which nothing but the channel would be used. It is loaded
where the environment asks for what only it does: a client's certificate, another universe's endpoint.

Nothing is imported with this module, and always after a fork: gRPC does not survive one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import grpc

Option = tuple[str, int]
SERVICE: Final = "pubsub.googleapis.com:443"
SCOPES: Final = ("https://www.googleapis.com/auth/pubsub",)
OPTIONS: Final[Sequence[Option]] = (
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 10_000),
    ("grpc.keepalive_time_ms", 30_000),
)
"""gRPC waits up to two minutes between attempts to connect, and fails all requests meanwhile.

Keepalive, as in the library's own channel, also makes the kernel give a silent connection up after 20 s
(TCP_USER_TIMEOUT): without it, one whose packets were dropped for 30 s is silent for another 25.
"""
_THE_LIBRARYS_OWN: Final = ("GOOGLE_API_USE_MTLS_ENDPOINT", "GOOGLE_CLOUD_UNIVERSE_DOMAIN")


class LibraryNeededError(Exception):
    """The environment asks for a channel that only the library makes; the text says which."""


def light_channel() -> grpc.Channel:
    """A channel without the library.

    Raises LibraryNeededError, and google.auth's DefaultCredentialsError when there are no credentials.
    https://googleapis.dev/python/google-auth/latest/reference/google.auth.transport.grpc.html
    """
    if address := os.environ.get("PUBSUB_EMULATOR_HOST"):
        return _plain(address)
    import google.auth
    import grpc
    from google.auth.transport import mtls
    from google.auth.transport.grpc import secure_authorized_channel
    from google.auth.transport.requests import Request

    if found := [name for name in _THE_LIBRARYS_OWN if os.environ.get(name)]:
        raise LibraryNeededError(f"{found[0]} is set")
    if mtls.should_use_client_cert():  # type: ignore[no-untyped-call]
        raise LibraryNeededError("a certificate of the client's is to be used")
    http = Request()
    credentials, _ = google.auth.default(scopes=SCOPES, request=http)
    channel: grpc.Channel = secure_authorized_channel(  # type: ignore[no-untyped-call]
        credentials, http, SERVICE, grpc.ssl_channel_credentials(), options=OPTIONS
    )
    return channel


def library_client() -> Any:
    """The library's client, on a channel with the same options; its transport has it as grpc_channel."""
    from google.cloud.pubsub_v1 import PublisherClient

    transport = PublisherClient.get_transport_class("grpc")
    if address := os.environ.get("PUBSUB_EMULATOR_HOST"):
        return PublisherClient(transport=transport(channel=_plain(address)))
    return PublisherClient(transport=partial(transport, channel=partial(_of_the_library, transport)))


def _plain(address: str) -> grpc.Channel:
    import grpc

    return grpc.insecure_channel(address, options=OPTIONS)


def _of_the_library(transport: Any, host: str, *, options: Sequence[Option] = (), **how: Any) -> grpc.Channel:
    channel: grpc.Channel = transport.create_channel(host, options=[*options, *OPTIONS], **how)
    return channel
