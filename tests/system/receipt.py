"""A real subscriber, and the oracle of what it has to receive: one unbroken pass over a recorded plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import grpc
import numpy as np
from google.pubsub_v1 import types
from numpy.typing import NDArray

from diurnal_api.layout import SLOTS
from diurnal_api.plan import Plan
from diurnal_worker.identifiers import Ids
from diurnal_worker.sources import load
from diurnal_worker.text import uuid_text
from diurnal_worker.timeline import ALL_SLOTS
from diurnal_worker.workshop import build_workshop

SILENT_PULLS: Final = 1
ID: Final = slice(9, 45)  # of an Avro message: after generation_timestamp (8 bytes) and the id's length
TIME: Final = slice(45, 53)
MADE_AT_BYTES: Final = 8
"""generation_timestamp, the only field in which a repeat differs."""
SECOND: Final = 1_000_000


@dataclass(frozen=True)
class Received:
    """Messages in the order of their receipt: ids, event times and publish times (microseconds), bodies."""

    ids: NDArray[np.bytes_]
    event_times: NDArray[np.int64]
    published: NDArray[np.int64]
    bodies: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Expected:
    """What has to arrive, sorted by id: ids and the slots whose users did it."""

    ids: NDArray[np.bytes_]
    slots: NDArray[np.int64]


def everything(address: str, subscription: str, *, bodies: bool = False) -> Received:
    """Pulls and acknowledges until nothing more comes; bodies only where wanted, for they are large."""
    with grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
        service = "/google.pubsub.v1.Subscriber/"
        pull = channel.unary_unary(
            f"{service}Pull", types.PullRequest.serialize, types.PullResponse.pb().FromString
        )
        acknowledge = channel.unary_unary(f"{service}Acknowledge", types.AcknowledgeRequest.serialize, None)
        request = types.PullRequest(subscription=subscription, max_messages=1000)
        found: list[tuple[bytes, int, int, bytes]] = []
        silent = 0
        while silent < SILENT_PULLS:
            try:
                messages = pull(request, timeout=10.0).received_messages
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
                messages = []
            silent = 0 if messages else silent + 1
            found += [_read(message.message, bodies=bodies) for message in messages]
            if messages:
                acks = [message.ack_id for message in messages]
                acknowledge(types.AcknowledgeRequest(subscription=subscription, ack_ids=acks), timeout=60)
    ids, times, published, kept = zip(*found, strict=True)
    return Received(np.array(ids, "S36"), np.array(times), np.array(published), kept)


def expected(plan: Plan) -> Expected:
    """The events of a plan from its start to its end, over all of its regimes."""
    assert plan.dataset is not None
    workshop = build_workshop(plan, load(plan.dataset.uri), "pubsub")
    ids, slots = [], []
    for stretch in workshop.timeline.stretches(plan.start):
        arrived = workshop.timeline.arrivals(stretch, ALL_SLOTS)
        ids.append(_texts(workshop.maker.make(arrived).event_ids))
        slots.append(arrived.users % SLOTS)
    all_ids, all_slots = np.concatenate(ids), np.concatenate(slots)
    order = np.argsort(all_ids)
    return Expected(all_ids[order], all_slots[order])


def avro_long(raw: bytes) -> int:
    """A zigzag varint (Avro 1.12, binary encoding)."""
    number = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(raw))
    return (number >> 1) ^ -(number & 1)


def _texts(ids: Ids) -> NDArray[np.bytes_]:
    return np.ascontiguousarray(uuid_text(ids)).view("S36").ravel()


def _read(message: types.PubsubMessage, *, bodies: bool) -> tuple[bytes, int, int, bytes]:
    published = message.publish_time
    at = published.seconds * SECOND + published.nanos // 1000
    body = message.data if bodies else b""
    return message.data[ID], avro_long(message.data[TIME]), at, body
