"""Runs of `diurnal` into the real emulator, as a real subscriber receives them.

The topic carries the Avro schema, so the emulator itself checks every message. Publish times are the
emulator's own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.pubsub_v1 import types
from numpy.typing import NDArray

from diurnal_api.layout import earliest
from diurnal_worker.schema import AVRO_TEXT
from diurnal_worker.sources import load
from diurnal_worker.text import uuid_text
from diurnal_worker.timeline import ALL_SLOTS
from diurnal_worker.workshop import build_workshop
from emulator import Broker
from local_runs import LocalRunner, plan_of, until, write_simulation

SILENT_PULLS = 2
ID = slice(9, 45)  # of an Avro message: after generation_timestamp (8 bytes) and the id's length
TIME = slice(45, 53)
SECOND = 1_000_000


@dataclass(frozen=True)
class Received:
    """Messages in the order of their receipt: ids, event times and publish times (microseconds)."""

    ids: NDArray[np.bytes_]
    event_times: NDArray[np.int64]
    published: NDArray[np.int64]


def everything(address: str, subscription: str) -> Received:
    """Pulls and acknowledges until nothing more comes."""
    with grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
        service = "/google.pubsub.v1.Subscriber/"
        pull = channel.unary_unary(
            f"{service}Pull", types.PullRequest.serialize, types.PullResponse.pb().FromString
        )
        acknowledge = channel.unary_unary(f"{service}Acknowledge", types.AcknowledgeRequest.serialize, None)
        request = types.PullRequest(subscription=subscription, max_messages=1000)
        found: list[tuple[bytes, int, int]] = []
        silent = 0
        while silent < SILENT_PULLS:
            try:
                messages = pull(request, timeout=2.0).received_messages
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
                messages = []
            silent = 0 if messages else silent + 1
            found += [_read(message.message) for message in messages]
            if messages:
                acks = [message.ack_id for message in messages]
                acknowledge(types.AcknowledgeRequest(subscription=subscription, ack_ids=acks), timeout=60)
    ids, times, published = zip(*found, strict=True)
    return Received(np.array(ids, "S36"), np.array(times), np.array(published))


def _read(message: types.PubsubMessage) -> tuple[bytes, int, int]:
    published = message.publish_time
    at = published.seconds * SECOND + published.nanos // 1000
    return message.data[ID], avro_long(message.data[TIME]), at


def avro_long(raw: bytes) -> int:
    """A zigzag varint (Avro 1.12, binary encoding)."""
    number = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(raw))
    return (number >> 1) ^ -(number & 1)


def expected_ids(runner: LocalRunner) -> NDArray[np.bytes_]:
    """The event ids of one uninterrupted pass over the recorded plan, sorted."""
    plan = plan_of(runner.state).plan
    assert plan.dataset is not None
    workshop = build_workshop(plan, load(plan.dataset.uri), "pubsub")
    found = []
    for stretch in workshop.timeline.stretches(plan.start):
        events = workshop.maker.make(workshop.timeline.arrivals(stretch, ALL_SLOTS))
        found.append(np.ascontiguousarray(uuid_text(events.event_ids)).view("S36").ravel())
    return np.sort(np.concatenate(found))


@pytest.fixture
def topic(broker: Broker) -> str:
    return broker.create_topic(AVRO_TEXT, "BINARY")


@pytest.fixture
def subscription(broker: Broker, topic: str) -> str:
    return broker.subscribe(topic)


@pytest.fixture
def runner(tmp_path: Path, topic: str, emulator: str) -> Iterator[LocalRunner]:
    file = write_simulation(
        tmp_path / "world.yaml", events={"encoding": "Avro"}, sink={"pubsub": {"topic": topic}}
    )
    arguments = [str(file), "--sink", "pubsub", "--yes"]
    runner = LocalRunner(tmp_path / "state", arguments, {"PUBSUB_EMULATOR_HOST": emulator})
    yield runner
    runner.end()


def test_a_million_events_arrive_though_everything_is_killed_and_goes_on_with_fewer_shards(
    runner: LocalRunner, emulator: str, subscription: str
) -> None:
    process = runner.start("--for", "44h")
    until(lambda: sum(c.spent.messages for c in runner.checkpoints()) > 200_000, "the middle", 120)
    assert process.process.poll() is None
    for pid in [process.process.pid, *runner.workers().values()]:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not runner.workers(), "all are dead")
    crashed = [(earliest(stored.position), stored.reach) for stored in runner.checkpoints()]
    assert len(crashed) == 4

    process = runner.start("--for", "44h", "--set", "shards=3")
    assert process.ended(180) == 0, process.said()
    received = everything(emulator, subscription)

    ids, first, times = np.unique(received.ids, return_index=True, return_counts=True)
    oracle = expected_ids(runner)
    assert oracle.size >= 1_000_000
    assert np.array_equal(ids, oracle), f"{ids.size} different events arrived, {oracle.size} were expected"
    for event_time in received.event_times[first[times > 1]].tolist():
        assert any(begin <= event_time < reach for begin, reach in crashed)


def test_a_thousand_a_second_over_four_shards_is_a_thousand_in_every_minute_and_never_much_more_in_a_second(
    runner: LocalRunner, emulator: str, subscription: str
) -> None:
    rate, shards = 1000, 4
    process = runner.start("--for", "30d", "--set", f"budget.maxMessagesPerSecond={rate}")
    runner.await_progress(process)
    until(lambda: sum(c.spent.messages for c in runner.checkpoints()) > 68 * rate, "68 s have passed", 100)
    process.send(signal.SIGTERM)
    assert process.ended() == 143, process.said()
    received = everything(emulator, subscription)
    assert np.unique(received.ids).size == received.ids.size

    published = np.sort(received.published)
    batch = rate / shards  # at most: a second's share
    in_a_second = np.searchsorted(published, published + SECOND) - np.arange(published.size)
    assert in_a_second.max() <= rate + shards * batch
    begins = np.arange(published[0] + 2 * SECOND, published[-1] - 61 * SECOND, SECOND // 20)
    assert begins.size > 20
    minutes = np.searchsorted(published, begins + 60 * SECOND) - np.searchsorted(published, begins)
    assert np.abs(minutes / (60 * rate) - 1).max() <= 0.01, (minutes.min(), minutes.max())
