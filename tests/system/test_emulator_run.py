"""Runs of `diurnal` into the real emulator, as a real subscriber receives them.

The topic carries the Avro schema, so the emulator itself checks every message. Publish times are the
emulator's own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from diurnal_api.layout import earliest
from diurnal_worker.schema import AVRO_TEXT
from emulator import Broker
from local_runs import LocalRunner, plan_of, until, write_simulation
from receipt import SECOND, everything, expected


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
    oracle = expected(plan_of(runner.state).plan).ids
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
