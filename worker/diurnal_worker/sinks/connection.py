"""The way to Pub/Sub: an authenticated channel, with requests that are already bytes.

Google's client is used for its channel at most: its `publish` costs more than everything before it. Where
no such channel is to be had in the installed versions, the client's public request method is used, and the
log says why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from diurnal_worker.sinks import PermanentSinkError
from diurnal_worker.sinks.channel import LibraryNeededError, library_client, light_channel
from diurnal_worker.sinks.retries import Failure
from diurnal_worker.sinks.wire import routing, topic_field

if TYPE_CHECKING:
    import grpc

PUBLISH = "/google.pubsub.v1.Publisher/Publish"
GET_TOPIC = "/google.pubsub.v1.Publisher/GetTopic"
SLOW_PATH_THREADS = 8

Answer = Callable[[Failure | None], None]
log = logging.getLogger(__name__)


class Connection(Protocol):
    """Sends requests to one topic. Does not retry."""

    def publish(self, request: bytes, timeout: float, answer: Answer) -> None:
        """Starts one attempt, of at most `timeout` seconds, and returns; `answer` is called from
        another thread, exactly once, with None when the request was acknowledged.
        """
        ...

    def get_topic(self, timeout: float) -> Failure | None:
        """Asks for the topic; None when it exists and may be read. Blocks."""
        ...

    def close(self) -> None:
        """Ends what is in flight: it is answered as CANCELLED."""
        ...


def connect(topic: str) -> Connection:
    """Connects to the emulator or, with application default credentials, to the service.

    Raises PermanentSinkError (CredentialsFailed) when there are no credentials.
    """
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

    try:
        return _lightly(topic)
    except DefaultCredentialsError as none:
        raise PermanentSinkError(
            "CredentialsFailed",
            "no Google credentials were found: run `gcloud auth application-default login`, give the pod "
            "a Workload Identity, or set PUBSUB_EMULATOR_HOST to publish to an emulator",
        ) from none
    except GoogleAuthError as error:
        raise PermanentSinkError(
            "CredentialsFailed", f"Google's credentials do not serve: {error}"
        ) from error


def _lightly(topic: str) -> Connection:
    try:
        return RawConnection(light_channel(), topic)
    except (LibraryNeededError, ImportError, AttributeError, TypeError) as why:
        log.warning("publishing by the library's channel, for some 30 MB more: %s", why)
        return _by_the_library(topic)


def _by_the_library(topic: str) -> Connection:
    client = library_client()
    try:
        channel = client.transport.grpc_channel
        return RawConnection(channel, topic, close=client.transport.close)
    except (AttributeError, TypeError) as missing:
        log.warning("publishing by the library's slower public method: no raw channel in it (%s)", missing)
        return PublicConnection(client, topic)


class RawConnection:
    """Ready bytes through the channel's own stub: no message is ever an object."""

    def __init__(self, channel: grpc.Channel, topic: str, close: Callable[[], None] | None = None) -> None:
        """`close`: what closes the channel, if not its own method."""
        self._publish = channel.unary_unary(PUBLISH, request_serializer=None, response_deserializer=None)
        self._get_topic = channel.unary_unary(GET_TOPIC, request_serializer=None, response_deserializer=None)
        self._metadata = routing(topic)
        self._topic = topic_field(topic)
        self._close = close or channel.close

    def publish(self, request: bytes, timeout: float, answer: Answer) -> None:
        """See `Connection.publish`."""
        call = self._publish.future(request, timeout=timeout, metadata=self._metadata)
        call.add_done_callback(lambda done: answer(_failure(done)))

    def get_topic(self, timeout: float) -> Failure | None:
        """See `Connection.get_topic`."""
        call = self._get_topic.future(self._topic, timeout=timeout, metadata=self._metadata)
        return _failure(call)

    def close(self) -> None:
        """See `Connection.close`."""
        self._close()


class PublicConnection:
    """The library's public methods, in a few threads, because they block."""

    def __init__(self, client: Any, topic: str) -> None:
        from google.pubsub_v1 import PublisherClient
        from google.pubsub_v1.types import PublishRequest

        self._client = client
        self._methods = PublisherClient
        self._request = PublishRequest
        self._topic = topic
        self._threads = ThreadPoolExecutor(SLOW_PATH_THREADS, thread_name_prefix="diurnal-publish")

    def publish(self, request: bytes, timeout: float, answer: Answer) -> None:
        """See `Connection.publish`."""
        future = self._threads.submit(self._attempt, request, timeout)
        future.add_done_callback(lambda done: answer(_result(done)))

    def get_topic(self, timeout: float) -> Failure | None:
        """See `Connection.get_topic`."""
        try:
            self._methods.get_topic(self._client, topic=self._topic, timeout=timeout, retry=None)
        except Exception as error:  # noqa: BLE001 (translated, whatever it is)
            return _translate(error)
        return None

    def close(self) -> None:
        """See `Connection.close`."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.transport.close()

    def _attempt(self, request: bytes, timeout: float) -> Failure | None:
        try:
            parsed = self._request.deserialize(request)
            self._methods.publish(self._client, request=parsed, timeout=timeout, retry=None)
        except Exception as error:  # noqa: BLE001 (translated, whatever it is)
            return _translate(error)
        return None


def _failure(call: Any) -> Failure | None:
    """How a finished gRPC call ended; waits for it to finish."""
    code = call.code().name
    return None if code == "OK" else Failure(code, call.details() or "")


def _result(future: Future[Failure | None]) -> Failure | None:
    return Failure("CANCELLED", "the connection was closed") if future.cancelled() else future.result()


def _translate(error: Exception) -> Failure:
    code = getattr(error, "grpc_status_code", None)
    return Failure(code.name if code is not None else "UNKNOWN", str(error))
