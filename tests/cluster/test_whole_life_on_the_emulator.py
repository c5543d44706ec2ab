"""One simulation from its first event to its last, through everything that a life has, and a subscriber.

The operator and the workers are real processes on a real API server, the broker is the real emulator; the
topic has the schema, so the emulator checks every message. What arrived is compared with one unbroken pass
over the plan that the status recorded, and every version of status and Leases with the guarantees.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diurnal_api.instants import format_instant
from diurnal_api.layout import slots_of
from diurnal_api.lease import checkpoint_of
from diurnal_api.plan import Plan
from diurnal_worker.schema import AVRO_TEXT
from emulator import Broker
from history import recorded
from nodes import Node
from operators import Operator
from place import Cluster
from positions import (
    check_that_clocks_never_go_back,
    check_that_each_lease_has_one_holder_at_a_time,
    check_that_shards_stay_together,
    clocks,
)
from receipt import MADE_AT_BYTES, SECOND, Expected, Received, everything, expected
from world import World, eventually

QUARTER = 900 * SECOND
LEASE_SECONDS = 10
UNHURRIED = {
    "DIURNAL_LEASE_SECONDS": str(LEASE_SECONDS),
    "DIURNAL_GRACE_SECONDS": "30",
    "DIURNAL_LEADER_LEASE_SECONDS": "10",
    "DIURNAL_UNCLAIMED_SECONDS": "120",
}
"""The operator is to stay the same here, and nothing to look stalled where a machine is busy."""
PATIENCE = 120.0  # four workers start at once, beside all the rest


@dataclass
class Phase:
    """A time (microseconds since 1970) in which nothing was changed, with the budget that held."""

    rate: float
    begin: int
    end: int


@dataclass
class Life:
    """The simulation as it lives; ``phases`` are those in which a budget was held undisturbed."""

    world: World
    node: Node
    phases: list[Phase] = field(default_factory=list)

    @property
    def plan(self) -> dict[str, Any]:
        return dict(self.world.status("app")["plan"])

    def patch(self, **spec: Any) -> None:
        self.world.patch("app", **spec)

    def runs(self, shards: int) -> None:
        """Waits until all shards publish, and until the clock of the slowest has moved."""
        eventually(f"{shards} shards run", lambda: self.world.is_running("app", shards), PATIENCE)
        before = self.world.clock("app")
        eventually("the clock moves", lambda: self.world.clock("app") > before, PATIENCE)

    @contextmanager
    def undisturbed(self, seconds: float) -> Iterator[None]:
        """A phase of some seconds."""
        begin = time.time_ns() // 1000
        yield
        time.sleep(seconds)
        rate = self.plan["pace"]["messagesPerSecond"]
        self.phases.append(Phase(rate, begin, time.time_ns() // 1000))

    def rests(self) -> None:
        eventually("at rest", lambda: self.world.is_at_rest("app", "Suspended"), PATIENCE)
        stood = self.world.clock("app")
        time.sleep(1.5)
        assert self.world.clock("app") == stood


@dataclass(frozen=True)
class Crash:
    """What a killed worker may have sent without having written it down: its slots, from clock to reach."""

    slots: range
    clocks: Any
    reach: int

    def allows(self, slot: int, event_time: int) -> bool:
        return slot in self.slots and int(self.clocks[slot]) <= event_time < self.reach


@pytest.mark.timeout(600)
def test_a_whole_life_reaches_the_subscriber_event_by_event(
    cluster: Cluster, world: World, emulator: str, tmp_path: Path
) -> None:
    broker = Broker(emulator)
    topic = broker.create_topic(AVRO_TEXT, "BINARY")
    subscription = broker.subscribe(topic)
    node = Node(world, tmp_path, PUBSUB_EMULATOR_HOST=emulator)
    operator = Operator(world, tmp_path, None, "operator", alone=True, **UNHURRIED)
    node.start()
    operator.start()
    try:
        with recorded(cluster.api, world.namespace, "simulations", "leases", "events") as history:
            life = Life(world, node)
            crash = lived(life, topic)
            statuses = [c.thing.get("status") or {} for c in history.changes("simulations")]
            leases, events = history.changes("leases"), history.reasons()
        plan = Plan.model_validate(life.plan)
        received = everything(emulator, subscription, bodies=True)
    finally:
        operator.stop()
        node.stop()
        broker.close()

    check_what_arrived(received, expected(plan), crash)
    check_the_budget(received, life.phases)
    check_that_clocks_never_go_back(statuses)
    check_that_shards_stay_together(statuses, QUARTER)
    assert check_that_each_lease_has_one_holder_at_a_time(leases, LEASE_SECONDS) == 2 + 3 + 3 + 4
    assert events == Counter(RunStarted=1, Rescaled=2, TrafficChanged=1, Suspended=2, Resumed=2, Completed=1)
    for log in tmp_path.glob("*.log"):
        assert "Traceback" not in log.read_text(), log.read_text()[-4000:]


def lived(life: Life, topic: str) -> Crash:
    """The life, each step asserted by the state of the world; what the killed worker may have repeated."""
    world = life.world
    world.create(
        "app",
        shards=2,
        sink={"pubsub": {"topic": topic}},
        events={"encoding": "Avro"},
        budget={"maxMessagesPerSecond": 300},
    )
    life.runs(2)
    with life.undisturbed(3):
        assert (life.plan["epoch"], life.plan["shards"]) == (1, 2)

    life.patch(shards=3)
    life.runs(3)
    assert (life.plan["epoch"], life.plan["shards"]) == (2, 3)
    assert len(world.deployments()) == len(world.leases()) == 3

    life.patch(traffic={"rate": {"eventsPerUserPerDay": 30}})
    eventually("other traffic", lambda: len(life.plan["regimes"]) == 2, PATIENCE)
    life.runs(3)
    assert life.plan["epoch"] == 3

    life.patch(budget={"maxMessagesPerSecond": 600}, clock={"maxSpeed": 100})
    eventually("another pace", lambda: life.plan["pace"]["messagesPerSecond"] == 600)
    assert life.plan["pace"]["maxSpeed"] == 100
    assert life.plan["epoch"] == 3, "a pace is obeyed at once, without a new epoch"
    life.runs(3)
    with life.undisturbed(3):
        pass

    life.patch(suspend=True)
    life.rests()
    life.patch(suspend=False)
    life.runs(3)
    assert life.plan["epoch"] == 3

    life.patch(shards=0)
    life.rests()
    assert life.plan["shards"] == 3, "0 keeps the layout"
    life.patch(shards=4)
    life.runs(4)
    assert (life.plan["epoch"], life.plan["shards"]) == (4, 4)

    crash = crashed(life, shard=1)
    life.runs(4)

    furthest = max(checkpoint.reach for checkpoint in map(checkpoint_of, world.leases()) if checkpoint)
    life.patch(clock={"end": format_instant(-(-furthest // QUARTER) * QUARTER + 4 * QUARTER)[:19] + "Z"})
    eventually("completed", lambda: world.is_at_rest("app", "Completed"), PATIENCE)
    status = world.status("app")
    assert status["clock"]["time"] == status["plan"]["pace"]["end"]
    assert [d["spec"]["replicas"] for d in world.deployments()] == [0] * 4
    return crash


def crashed(life: Life, shard: int) -> Crash:
    """Kills the worker of a shard; the node runs it again. What its last checkpoint left open."""
    [pod] = [p for p in life.world.pods() if p["metadata"]["labels"]["diurnal.dev/shard"] == str(shard)]
    worker = life.node.worker_of(pod)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    [lease] = [o for o in life.world.leases() if o["metadata"]["labels"]["diurnal.dev/shard"] == str(shard)]
    checkpoint = checkpoint_of(lease)
    assert checkpoint is not None
    eventually("it is run again", lambda: life.node.worker_of(pod) is not worker)
    return Crash(slots_of(shard, 4), clocks(checkpoint.position), checkpoint.reach)


def check_what_arrived(received: Received, oracle: Expected, crash: Crash) -> None:
    """Guarantees 1 to 3: the oracle's events, all of them, and repeats only of what the crash left open."""
    ids, first, times = np.unique(received.ids, return_index=True, return_counts=True)
    assert oracle.ids.size > 5_000
    assert np.array_equal(ids, oracle.ids), f"{ids.size} events arrived, {oracle.ids.size} were expected"
    for slot, event_time in zip(oracle.slots[times > 1], received.event_times[first[times > 1]], strict=True):
        assert crash.allows(int(slot), int(event_time)), (slot, event_time, crash)
    repeated = set(ids[times > 1].tolist())
    bodies: dict[bytes, set[bytes]] = {}
    for each, body in zip(received.ids.tolist(), received.bodies, strict=True):
        if each in repeated:
            bodies.setdefault(each, set()).add(body[MADE_AT_BYTES:])
    assert all(len(different) == 1 for different in bodies.values())


def check_the_budget(received: Received, phases: list[Phase]) -> None:
    """Guarantee 6: a second carries at most the throttle and a batch of each shard, which is its share."""
    for phase in phases:
        during = (received.published >= phase.begin) & (received.published < phase.end)
        published = np.sort(received.published[during])
        assert published.size, phase
        in_a_second = np.searchsorted(published, published + SECOND) - np.arange(published.size)
        assert in_a_second.max() <= 2 * phase.rate, (phase, in_a_second.max())
