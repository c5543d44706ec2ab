"""The few bytes of protobuf that a publisher needs around messages that are ready. Pure.

google.pubsub.v1.PublishRequest is `topic` (field 1) and then `messages` (field 2, repeated); field 1 of
GetTopicRequest is `topic` too (https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1).
"""

from __future__ import annotations

from urllib.parse import quote

from diurnal_worker.text import varint

MOST_MESSAGES = 1000
MOST_BYTES = 10_000_000
"""What Pub/Sub takes in one request (https://cloud.google.com/pubsub/quotas#resource_limits)."""


def topic_field(topic: str) -> bytes:
    """The field that names the topic: all of a GetTopicRequest, the beginning of a PublishRequest."""
    name = topic.encode()
    return b"\x0a" + varint(len(name)) + name


def message_field(data: bytes) -> bytes:
    """One message with this data and no attributes, framed as the `messages` field of a request."""
    message = b"\x0a" + varint(len(data)) + data
    return b"\x12" + varint(len(message)) + message


def routing(topic: str) -> tuple[tuple[str, str], ...]:
    """The metadata that routes a request to the topic's region (https://google.aip.dev/client-libraries/4222)."""
    return (("x-goog-request-params", f"topic={quote(topic, safe='/')}"),)
