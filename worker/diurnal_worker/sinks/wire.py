"""The few bytes of protobuf that a publisher needs around messages that are ready. Pure.

google.pubsub.v1.PublishRequest is `topic` (field 1) and then `messages` (field 2, repeated); field 1 of
GetTopicRequest is `topic` too (https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1).
"""

from __future__ import annotations

from urllib.parse import quote

from diurnal_api.money import MESSAGE_ID_BYTES, MESSAGE_OVERHEAD_BYTES, billed_request_bytes
from diurnal_worker.text import varint

FRAME_BYTES = 6
"""Around the data of a message of 128 to 16,383 bytes: two tags and two lengths."""
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


def billed_bytes(payload: int, messages: int) -> int:
    """What Pub/Sub bills for a request with so many framed messages in so many bytes."""
    overhead = MESSAGE_OVERHEAD_BYTES + MESSAGE_ID_BYTES - FRAME_BYTES
    return billed_request_bytes(payload + overhead * messages)


def routing(topic: str) -> tuple[tuple[str, str], ...]:
    """The metadata that routes a request to the topic's region (https://google.aip.dev/client-libraries/4222)."""
    return (("x-goog-request-params", f"topic={quote(topic, safe='/')}"),)
