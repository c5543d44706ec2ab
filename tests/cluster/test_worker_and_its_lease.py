"""The real worker and its Lease on a real API server: outages, seals, lost Leases, frozen workers.

The operator makes plan, Lease and pod, and is then stopped, so that nobody mends what the tests break. The
worker asks the API server through a gate.
"""

from __future__ import annotations

import re
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diurnal_api.lease import checkpoint_of, holder, is_sealed, sealed
from diurnal_api.metrics import SENT_TIME
from gate import Gate, Harm, Request, unharmed
from history import History
from nodes import Node
from operators import FAST, Operator, is_well
from place import Cluster
from positions import check_that_each_lease_has_one_holder_at_a_time
from world import Object, World, eventually

pytestmark = pytest.mark.timeout(400)
LEASE = float(FAST["DIURNAL_LEASE_SECONDS"])


class Scene:
    """One worker that publishes; what it says of itself by its port, and what its Lease says."""

    def __init__(self, world: World, node: Node) -> None:
        self.world, self.node = world, node
        [self.pod] = world.pods()
        self.worker = node.workers[self.pod["metadata"]["uid"]]

    @property
    def lease(self) -> Object:
        [found] = self.world.leases()
        return found

    @property
    def clock(self) -> int:
        """The earliest clock of the checkpoint in its Lease."""
        checkpoint = checkpoint_of(self.lease)
        assert checkpoint is not None
        return min(segment.clock for segment in checkpoint.position)

    @property
    def holds(self) -> bool:
        """Whether the Lease is the worker's."""
        return bool(holder(self.lease) == self.pod["metadata"]["uid"])

    @property
    def sent(self) -> float:
        """The simulated time up to which the worker has sent, in seconds; 0 while it sends nothing."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.worker.port}/metrics", timeout=5) as answer:
            told = answer.read().decode()
        found = re.search(rf"^{SENT_TIME.name}(?:{{.*}})? (\S+)$", told, re.MULTILINE)
        return float(found[1]) if found else 0.0

    @property
    def is_ready(self) -> bool:
        return is_well(self.worker.port, "readyz")

    @property
    def said(self) -> str:
        return self.node.log_of(self.pod)

    def stays(self, seconds: float, holds: Callable[[], bool]) -> None:
        """Looks again and again that something holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert holds(), self.said[-2000:]
            time.sleep(0.2)

    def send(self, number: signal.Signals) -> None:
        self.worker.process.send_signal(number)


@pytest.fixture
def scene(world: World, gate: Gate, tmp_path: Path) -> Iterator[Scene]:
    node, operator = Node(world, tmp_path, gate.kubeconfig(tmp_path)), Operator(world, tmp_path)
    node.start()
    operator.start()
    try:
        world.create("app", budget={"maxMessagesPerSecond": 500})
        eventually("running", lambda: world.is_running("app", 1))
        operator.stop()
        scene = Scene(world, node)
        began = scene.clock
        eventually("it publishes", lambda: scene.clock > began)
        yield scene
    finally:
        node.stop()
        if operator.runs:
            operator.kill()
    assert "Traceback" not in scene.said, scene.said


def cut(_: Request) -> Harm | None:
    """Nobody answers."""
    return Harm(committed=False)


def test_an_outage_shorter_than_the_lease_is_not_noticed_by_anybody(scene: Scene, gate: Gate) -> None:
    before = scene.sent
    gate.rule = cut
    time.sleep(LEASE / 2)
    gate.rule = unharmed
    assert scene.sent > before, "it went on publishing"
    clock = scene.clock
    eventually("it renews", lambda: scene.clock > clock)
    assert "paused" not in scene.said


def test_a_longer_outage_pauses_it_and_then_it_comes_back(scene: Scene, gate: Gate) -> None:
    """Nothing is sent without a lease; the pod, the holder and the clock are the same afterwards."""
    gate.rule = cut
    eventually("it is not ready", lambda: not scene.is_ready)
    time.sleep(0.5)
    before = scene.sent
    scene.stays(LEASE / 2, lambda: scene.sent == before)
    assert scene.worker.process.poll() is None
    clock = scene.clock

    gate.rule = unharmed
    eventually("it is ready", lambda: scene.is_ready)
    eventually("it goes on", lambda: scene.clock > clock and scene.sent > before)
    assert scene.holds


def test_a_sealed_lease_ends_its_work_and_is_never_taken_again(cluster: Cluster, scene: Scene) -> None:
    def seal() -> bool:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{scene.world.namespace}/leases"
        return cluster.api.put(f"{path}/{scene.lease['metadata']['name']}", sealed(scene.lease)).ok

    eventually("sealed between two renewals", seal)
    eventually("it says so", lambda: "sealed" in scene.said)
    time.sleep(0.5)
    version = scene.lease["metadata"]["resourceVersion"]
    scene.stays(2 * LEASE, lambda: scene.lease["metadata"]["resourceVersion"] == version)
    assert is_sealed(scene.lease)
    assert not holder(scene.lease)
    assert not scene.is_ready
    assert scene.worker.process.poll() is None, "it waits to be ended"


def test_a_lease_that_vanished_stops_it_and_one_that_comes_back_starts_it(
    cluster: Cluster, scene: Scene
) -> None:
    """Whoever takes one that came back cannot know how old it is, and goes on where the last word was."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{scene.world.namespace}/leases"
    lease = scene.lease
    cluster.api.delete(f"{path}/{lease['metadata']['name']}").expect()
    eventually("it stops", lambda: not scene.is_ready)
    time.sleep(0.5)
    before = scene.sent
    scene.stays(LEASE, lambda: scene.sent == before)
    assert scene.world.leases() == []

    kept = {key: lease["metadata"][key] for key in ("name", "labels", "ownerReferences")}
    cluster.api.post(
        path, {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": kept}
    ).expect()
    eventually("it takes it", lambda: scene.holds and scene.is_ready)
    known = checkpoint_of(lease)
    assert known is not None
    clock = min(segment.clock for segment in known.position)
    eventually("it goes on", lambda: checkpoint_of(scene.lease) is not None and scene.clock > clock)
    assert "from 0-1023@2026-01-01T00:00:00" not in scene.said.rpartition("lease_lost")[2]


def test_frozen_past_its_lease_it_finds_a_successor_when_it_thaws_and_sends_nothing(
    cluster: Cluster, scene: Scene
) -> None:
    """As on a node that was cut off: its pod is given up by force, and another one waits for the Lease."""
    history = History(cluster.api, scene.world.namespace)
    scene.send(signal.SIGSTOP)
    try:
        scene.world.core.delete_namespaced_pod(
            scene.pod["metadata"]["name"], scene.world.namespace, grace_period_seconds=0
        )
        eventually("another pod holds it", lambda: holder(scene.lease) and not scene.holds)
        successor, clock = holder(scene.lease), scene.clock
        eventually("it publishes", lambda: scene.clock > clock)
    finally:
        scene.send(signal.SIGCONT)
    eventually("it has noticed", lambda: "lease_lost" in scene.said)
    before = scene.sent
    scene.stays(LEASE, lambda: scene.sent == before and holder(scene.lease) == successor)
    assert check_that_each_lease_has_one_holder_at_a_time(history.changes("leases"), LEASE) == 1
