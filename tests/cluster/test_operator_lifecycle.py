"""The life of a simulation on a real API server with real controllers, and real workers as processes.

A node is played here, for pods need one: it binds pods to itself, runs for each the worker that the pod asks
for, reports its readiness, and ends it by SIGTERM when the pod is deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from diurnal_api.layout import earliest, parse_position
from diurnal_api.lease import is_sealed
from diurnal_api.spec import GROUP, PLURAL, VERSION
from kubeapi import as_in_a_pod
from place import Cluster

pytestmark = pytest.mark.timeout(240)
PATIENCE = 60.0
FAST = {
    "DIURNAL_LEASE_SECONDS": "3",
    "DIURNAL_CHECKPOINT_SECONDS": "0.5",
    "DIURNAL_DRAIN_POLL_SECONDS": "0.2",
    "DIURNAL_STATUS_SECONDS": "1",
    "DIURNAL_RESYNC_SECONDS": "5",
    "DIURNAL_GRACE_SECONDS": "6",
    "DIURNAL_LEADER_LEASE_SECONDS": "2",
    "DIURNAL_LEADER_RENEW_SECONDS": "0.5",
    "DIURNAL_LEADER_RETRY_SECONDS": "0.2",
    "DIURNAL_UNCLAIMED_SECONDS": "20",
    "DIURNAL_BACKOFF_LONGEST_SECONDS": "2",
}


def eventually(what: str, holds: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Looks until something holds, and returns it; the last look's answer is in the failure."""
    deadline = time.monotonic() + patience
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {patience:g} s; last {found!r}")
        time.sleep(0.1)


class World:
    """The API server as a test sees it, in a namespace of its own."""

    def __init__(self, namespace: str, kubeconfig: Path) -> None:
        from kubernetes import client, config

        self.kubeconfig = str(kubeconfig)
        self.client: Any = config.new_client_from_config(self.kubeconfig)
        self.namespace = namespace
        self.core: Any = client.CoreV1Api(self.client)
        self.apps: Any = client.AppsV1Api(self.client)
        self.coordination: Any = client.CoordinationV1Api(self.client)
        self.custom: Any = client.CustomObjectsApi(self.client)
        self.error = client.ApiException

    def raw(self, found: Any) -> Any:
        return self.client.sanitize_for_serialization(found)

    def create(self, name: str, **spec: Any) -> Any:
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "TrafficSimulation",
            "metadata": {"name": name},
            "spec": {"sink": {"discard": {}}, **spec},
        }
        return self.custom.create_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, body)

    def get(self, name: str) -> Any:
        try:
            return self.custom.get_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name)
        except self.error as error:
            if error.status == 404:
                return None
            raise

    def patch(self, name: str, **spec: Any) -> Any:
        body = {"spec": spec}
        return self.custom.patch_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name, body)

    def delete(self, name: str) -> None:
        self.custom.delete_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name)

    def status(self, name: str) -> dict[str, Any]:
        return (self.get(name) or {}).get("status") or {}

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        found = [c for c in self.status(name).get("conditions", []) if c["type"] == kind]
        return found[0] if found else {}

    def deployments(self) -> Any:
        return self.raw(self.apps.list_namespaced_deployment(self.namespace))["items"]

    def leases(self) -> Any:
        return self.raw(self.coordination.list_namespaced_lease(self.namespace))["items"]

    def pods(self) -> Any:
        return self.raw(self.core.list_namespaced_pod(self.namespace))["items"]

    def events(self) -> list[str]:
        found = self.raw(self.core.list_namespaced_event(self.namespace))["items"]
        return [e["reason"] for e in found if e["involvedObject"]["kind"] == "TrafficSimulation"]

    def clock(self, name: str) -> int:
        return earliest(parse_position(self.status(name)["clock"]["segments"]))

    def is_running(self, name: str, shards: int) -> bool:
        found = self.get(name) or {}
        status = found.get("status") or {}
        return (
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("ready") == f"{shards}/{shards}"
            and self.condition(name, "Ready").get("status") == "True"
            and status.get("state") in {"Running", "Throttled"}
        )


class Node(threading.Thread):
    """Plays the kubelet of one node for one namespace."""

    def __init__(self, world: World, logs: Path) -> None:
        super().__init__(daemon=True)
        self.world, self.logs = world, logs
        self.name = f"node-{world.namespace}"
        self.workers: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
        self.done = threading.Event()
        self.beaten = 0.0
        self.gone: set[str] = set()

    def run(self) -> None:
        self.world.core.create_node({"metadata": {"name": self.name}})
        while not self.done.is_set():
            try:
                self._beat()
                for pod in self.world.pods():
                    self._tend(pod)
            except Exception as error:  # noqa: BLE001 - what a test does to the API server must not end its node
                if not self.done.is_set():
                    print(f"node: {error!r:.300}", file=sys.stderr)
            self.done.wait(0.15)

    def stop(self) -> None:
        self.done.set()
        self.join(10)
        for worker, _ in self.workers.values():
            if worker.poll() is None:
                worker.kill()
            worker.wait()
        with contextlib.suppress(self.world.error):
            self.world.core.delete_node(self.name)

    def _beat(self) -> None:
        if time.monotonic() - self.beaten < 5:
            return
        self.beaten = time.monotonic()
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ready = {"type": "Ready", "status": "True", "reason": "Test", "message": "", "lastHeartbeatTime": now}
        self.world.core.patch_node_status(self.name, {"status": {"conditions": [ready]}})

    def _tend(self, pod: dict[str, Any]) -> None:
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        if uid in self.gone:
            return
        if pod["metadata"].get("deletionTimestamp"):
            self._end(uid, name)
        elif not pod["spec"].get("nodeName"):
            self._bind(name)
        elif uid not in self.workers:
            self._start(pod)
        else:
            self._report(pod)

    def _bind(self, name: str) -> None:
        body = {"metadata": {"name": name}, "target": {"kind": "Node", "name": self.name}}
        with contextlib.suppress(self.world.error):
            self.world.core.create_namespaced_binding(self.world.namespace, body, _preload_content=False)

    def _start(self, pod: dict[str, Any]) -> None:
        container = pod["spec"]["containers"][0]
        assert container["command"] == ["diurnal-worker"]
        fields = {"metadata.namespace": self.world.namespace, "metadata.uid": pod["metadata"]["uid"]}
        given = {
            e["name"]: e["value"] if "value" in e else fields[e["valueFrom"]["fieldRef"]["fieldPath"]]
            for e in container["env"]
        }
        port = free_port()
        cluster = as_in_a_pod(Path(self.world.kubeconfig), self.logs)
        own = {**cluster, "DIURNAL_METRICS_PORT": str(port)}
        environment = {**os.environ, **given, **own}
        with (self.logs / f"{pod['metadata']['name']}.log").open("wb") as log:
            command = [sys.executable, "-m", "diurnal_worker"]
            worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.workers[pod["metadata"]["uid"]] = (worker, port)

    def _report(self, pod: dict[str, Any]) -> None:
        worker, port = self.workers[pod["metadata"]["uid"]]
        ready = worker.poll() is None and is_ready(port)
        before = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions") or []}
        if before.get("Ready") == str(ready):
            return
        condition = {"type": "Ready", "status": str(ready)}
        status = {
            "phase": "Running",
            "conditions": [condition, {"type": "ContainersReady", "status": str(ready)}],
        }
        self.world.core.patch_namespaced_pod_status(
            pod["metadata"]["name"], self.world.namespace, {"status": status}
        )

    def _end(self, uid: str, name: str) -> None:
        worker, _ = self.workers.get(uid, (None, 0))
        if worker is not None and worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
            return
        self.gone.add(uid)
        with contextlib.suppress(self.world.error):
            self.world.core.delete_namespaced_pod(name, self.world.namespace, grace_period_seconds=0)


class Operator:
    """An operator process, in a namespace of its own, for one namespace."""

    def __init__(self, world: World, logs: Path, **settings: str) -> None:
        self.world, self.logs, self.settings = world, logs, settings
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **more: str) -> None:
        environment = {
            **os.environ,
            **FAST,
            "KUBECONFIG": self.world.kubeconfig,
            "DIURNAL_NAMESPACES": self.world.namespace,
            "DIURNAL_OPERATOR_NAMESPACE": self.world.namespace + "-operator",
            "DIURNAL_HEALTH_PORT": str(free_port()),
            **self.settings,
            **more,
        }
        with (self.logs / "operator.log").open("ab") as log:
            command = [sys.executable, "-m", "diurnal_operator"]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(10)

    def log(self) -> list[dict[str, Any]]:
        lines = (self.logs / "operator.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def text(self) -> str:
        return (self.logs / "operator.log").read_text()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def world(cluster: Cluster) -> Iterator[World]:
    world = World(f"t-{uuid.uuid4().hex[:8]}", cluster.kubeconfig())
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    for name in (world.namespace, world.namespace + "-operator"):
        world.core.create_namespace({"metadata": {"name": name, "labels": restricted}})
    eventually("a service account", lambda: world.core.list_namespaced_service_account(world.namespace).items)
    yield world
    for name in (world.namespace, world.namespace + "-operator"):
        world.core.delete_namespace(name)
    world.client.close()


@pytest.fixture
def node(world: World, tmp_path: Path) -> Iterator[Node]:
    node = Node(world, tmp_path)
    node.start()
    yield node
    node.stop()


@pytest.fixture
def operator(world: World, node: Node, tmp_path: Path) -> Iterator[Operator]:
    operator = Operator(world, tmp_path)
    operator.start()
    yield operator
    if operator.process is not None and operator.process.poll() is None:
        operator.stop()
    assert "Traceback" not in operator.text(), operator.text()


def test_a_simulation_lives_from_apply_to_deletion(world: World, operator: Operator) -> None:
    """Created, running, suspended, resumed, rescaled, other traffic, other pace, restarted, deleted."""
    before = world.create("app", shards=2)
    eventually("two shards run", lambda: world.is_running("app", 2))
    started = world.clock("app")
    eventually("the clock moves", lambda: world.clock("app") > started)

    world.patch("app", suspend=True)
    eventually("suspended", lambda: world.status("app").get("state") == "Suspended" and not world.pods())
    assert [d["spec"]["replicas"] for d in world.deployments()] == [0, 0]
    assert world.condition("app", "Ready")["status"] == "True"
    at_rest = world.clock("app")

    world.patch("app", suspend=False)
    eventually("resumed", lambda: world.is_running("app", 2) and world.clock("app") > at_rest)
    assert world.status("app")["plan"]["epoch"] == 1

    world.patch("app", shards=3)
    eventually("three shards run", lambda: world.is_running("app", 3))
    plan = world.status("app")["plan"]
    assert (plan["epoch"], plan["shards"]) == (2, 3)
    assert earliest(parse_position(plan["segments"])) >= at_rest
    eventually("old Leases go", lambda: len(world.leases()) == 3)

    world.patch("app", traffic={"rate": {"eventsPerUserPerDay": 30}})
    eventually(
        "other traffic",
        lambda: len(world.status("app")["plan"]["regimes"]) == 2 and world.is_running("app", 3),
    )

    world.patch("app", budget={"maxMessagesPerSecond": 2000})
    eventually("another pace", lambda: world.status("app")["plan"]["pace"]["messagesPerSecond"] == 2000)
    assert world.status("app")["plan"]["epoch"] == 3

    world.patch("app", restartNonce=1, population={"seed": 7})
    eventually(
        "a new run",
        lambda: world.status("app")["plan"]["population"]["seed"] == 7 and world.is_running("app", 3),
    )

    found = world.get("app")
    assert found is not None
    assert "finalizers" not in found["metadata"]
    assert "annotations" not in found["metadata"]
    assert found["metadata"]["uid"] == before["metadata"]["uid"]
    happened = world.events()
    assert [
        happened.count(r) for r in ("RunStarted", "Suspended", "Resumed", "Rescaled", "TrafficChanged")
    ] == [2, 1, 1, 1, 1]

    world.delete("app")
    eventually(
        "everything is gone",
        lambda: not (world.get("app") or world.deployments() or world.leases() or world.pods()),
    )


def test_a_run_completes_and_goes_on_when_its_end_moves(world: World, operator: Operator) -> None:
    world.create("app", clock={"end": "2026-01-01T00:30:00Z"}, budget={"maxMessagesPerSecond": "Unlimited"})
    eventually("completed", lambda: world.status("app").get("state") == "Completed" and not world.pods())
    assert world.condition("app", "Completed")["status"] == "True"
    assert world.condition("app", "Ready")["status"] == "True"
    assert world.status("app")["clock"]["short"] == "2026-01-01T00:30:00Z"
    assert [d["spec"]["replicas"] for d in world.deployments()] == [0]
    world.patch("app", clock={"end": "2026-01-01T01:00:00Z"})
    eventually("completed again", lambda: world.status("app")["clock"]["short"] == "2026-01-01T01:00:00Z")
    eventually("at rest again", lambda: world.status("app").get("state") == "Completed" and not world.pods())
    assert world.status("app")["plan"]["epoch"] == 1


def test_a_budget_ends_a_run_at_exactly_its_messages_and_raising_it_goes_on(
    world: World, operator: Operator
) -> None:
    world.create("app", shards=2, budget={"maxMessages": 3000, "maxMessagesPerSecond": "Unlimited"})
    eventually(
        "exhausted", lambda: world.status("app").get("state") == "BudgetExhausted" and not world.pods()
    )
    assert world.status("app")["spent"]["messages"] == 3000
    assert "raise" in world.status("app")["message"]
    world.patch("app", budget={"maxMessages": 5000})
    eventually("more is spent", lambda: world.status("app")["spent"]["messages"] == 5000)
    eventually(
        "exhausted again", lambda: world.status("app").get("state") == "BudgetExhausted" and not world.pods()
    )


def test_at_rest_nothing_is_written(world: World, operator: Operator) -> None:
    world.create("app")
    eventually("running", lambda: world.is_running("app", 1))
    world.patch("app", suspend=True)
    eventually("suspended", lambda: world.status("app").get("state") == "Suspended" and not world.pods())
    time.sleep(2)
    before = [
        (o["metadata"]["name"], o["metadata"]["resourceVersion"])
        for o in [world.get("app"), *world.deployments(), *world.leases()]
    ]
    time.sleep(12)  # two resyncs and more
    after = [
        (o["metadata"]["name"], o["metadata"]["resourceVersion"])
        for o in [world.get("app"), *world.deployments(), *world.leases()]
    ]
    assert after == before


def test_what_is_deleted_or_edited_by_hand_comes_back(world: World, operator: Operator) -> None:
    world.create("app", shards=2)
    eventually("running", lambda: world.is_running("app", 2))
    first, second = sorted(d["metadata"]["name"] for d in world.deployments())
    world.apps.delete_namespaced_deployment(first, world.namespace)
    world.apps.patch_namespaced_deployment_scale(second, world.namespace, {"spec": {"replicas": 3}})
    labels = {"metadata": {"labels": {f"{GROUP}/uid": None, f"{GROUP}/simulation": None, "team": "blue"}}}
    world.apps.patch_namespaced_deployment(second, world.namespace, labels)
    eventually(
        "as before",
        lambda: (
            len(world.deployments()) == 2 and [d["spec"]["replicas"] for d in world.deployments()] == [1, 1]
        ),
    )
    eventually("running again", lambda: world.is_running("app", 2))
    relabelled = next(d for d in world.deployments() if d["metadata"]["name"] == second)
    assert relabelled["metadata"]["labels"]["team"] == "blue"
    assert relabelled["metadata"]["labels"][f"{GROUP}/simulation"] == "app"


def test_a_run_resumes_from_its_status_when_every_lease_is_deleted(world: World, operator: Operator) -> None:
    world.create("app", shards=2)
    eventually("running", lambda: world.is_running("app", 2))
    began = world.clock("app")
    eventually("the clock moves", lambda: world.clock("app") > began)
    world.coordination.delete_collection_namespaced_lease(world.namespace)
    known = world.clock("app")
    eventually("new Leases", lambda: [h for h in world.leases() if h["spec"].get("holderIdentity")])
    eventually("it goes on", lambda: world.clock("app") > known + 1 and world.is_running("app", 2))
    assert world.status("app")["plan"]["epoch"] == 1


def is_rescaled(world: World, shards: int) -> bool:
    return world.is_running("app", shards) and len(world.leases()) == shards


def test_killed_while_it_rescales_another_life_of_the_operator_finishes(
    world: World, operator: Operator
) -> None:
    world.create("app", shards=2)
    eventually("running", lambda: world.is_running("app", 2))
    before = world.clock("app")
    for shards in (3, 1, 2):
        world.patch("app", shards=shards)
        time.sleep(0.4 * shards)
        operator.kill()
        operator.start()
        eventually("rescaled", functools.partial(is_rescaled, world, shards))
        assert world.clock("app") >= before
        before = world.clock("app")
    assert not any(is_sealed(lease) for lease in world.leases())


def test_deleted_and_created_anew_while_no_operator_runs(world: World, operator: Operator) -> None:
    world.create("app", shards=2)
    eventually("running", lambda: world.is_running("app", 2))
    old = {o["metadata"]["name"] for o in [*world.deployments(), *world.leases()]}
    operator.kill()
    world.delete("app")
    world.create("app", shards=1)
    operator.start()
    eventually("the new one runs", lambda: world.is_running("app", 1))
    eventually(
        "the old objects go",
        lambda: not old & {o["metadata"]["name"] for o in [*world.deployments(), *world.leases()]},
    )


def test_a_second_operator_waits_and_takes_over(world: World, operator: Operator, tmp_path: Path) -> None:
    """The first is frozen, not dead: thawed, it finds its time over and writes nothing."""
    second_logs = tmp_path / "second"
    second_logs.mkdir()
    world.create("app")
    eventually("running", lambda: world.is_running("app", 1))
    second = Operator(world, second_logs)
    second.start()
    eventually("it waits", lambda: "waiting_for_the_lead" in second.text())
    assert operator.process is not None
    operator.process.send_signal(signal.SIGSTOP)
    frozen = time.monotonic()
    try:
        eventually("it leads", lambda: '"leading"' in second.text(), 10)
        assert time.monotonic() - frozen < 6  # leases of 2 s here, of 10 s by default
        world.patch("app", shards=2)
        eventually("rescaled by the second", lambda: world.is_running("app", 2))
    finally:
        operator.process.send_signal(signal.SIGCONT)
    assert operator.process.wait(10) == 1
    assert "Rescaled" not in operator.text()
    assert second.stop() == 0


def test_an_object_of_somebody_else_is_not_touched(world: World, operator: Operator) -> None:
    found = world.create("app", suspend=True)
    name = f"app-{found['metadata']['uid'][:5]}-0"
    container = {"name": "worker", "image": "mine", "command": ["sleep"]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    body = {
        "metadata": {"name": name},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    theirs = world.raw(world.apps.create_namespaced_deployment(world.namespace, body))
    world.patch("app", suspend=False)
    eventually("it is told", lambda: world.condition("app", "Stalled").get("reason") == "NameTaken")
    assert name in world.status("app")["message"]
    now = next(d for d in world.deployments() if d["metadata"]["name"] == name)
    assert now["spec"] == theirs["spec"]
    world.apps.delete_namespaced_deployment(name, world.namespace)
    eventually("it recovers by itself", lambda: world.is_running("app", 1))


def test_what_the_administrator_forbids_is_told_and_not_run(world: World, node: Node, tmp_path: Path) -> None:
    operator = Operator(
        world, tmp_path, DIURNAL_ALLOWED_SERVICE_ACCOUNTS="publisher*", DIURNAL_MAX_MESSAGES_PER_SECOND="30"
    )
    operator.start()
    try:
        world.create("app")
        eventually(
            "refused", lambda: world.condition("app", "Stalled").get("reason") == "ServiceAccountNotAllowed"
        )
        assert "publisher*" in world.status("app")["message"]
        assert not world.deployments()
        world.patch("app", worker={"serviceAccountName": "publisher-1"})
        world.core.create_namespaced_service_account(world.namespace, {"metadata": {"name": "publisher-1"}})
        eventually("it recovers by itself", lambda: world.is_running("app", 1))
        assert world.status("app")["plan"]["pace"]["messagesPerSecond"] == 30
        assert world.condition("app", "Throttled")["reason"] == "MessagesCeiling"
        world.create("other", worker={"serviceAccountName": "publisher-1"})
        eventually(
            "they share",
            lambda: (
                [
                    world.status(n).get("plan", {}).get("pace", {}).get("messagesPerSecond")
                    for n in ("app", "other")
                ]
                == [15, 15]
            ),
        )
    finally:
        operator.stop()


def test_pods_that_cannot_be_made_are_told(world: World, operator: Operator) -> None:
    hard = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    world.core.create_namespaced_resource_quota(world.namespace, hard)
    eventually(
        "the quota counts",
        lambda: world.core.read_namespaced_resource_quota("none", world.namespace).status.hard,
    )
    world.create("app")
    eventually("it is told", lambda: world.condition("app", "Stalled").get("status") == "True")
    assert "exceeded quota" in world.status("app")["message"]
    world.core.delete_namespaced_resource_quota("none", world.namespace)
    eventually("it recovers by itself", lambda: world.is_running("app", 1), 120)


def test_it_leads_within_two_seconds_and_says_that_it_is_well(
    world: World, node: Node, tmp_path: Path
) -> None:
    operator, port = Operator(world, tmp_path), free_port()
    began = time.monotonic()
    operator.start(DIURNAL_HEALTH_PORT=str(port))
    try:
        eventually("it leads", lambda: '"leading"' in operator.text())
        assert time.monotonic() - began < 4  # two on a machine that is not busy with tests
        eventually("ready", lambda: is_ready(port))
    finally:
        assert operator.stop() == 0


class KilledError(Exception):
    """The operator is killed here."""


class MortalApi:
    """The API server behind an operator that dies before or after its ``number``-th write."""

    def __init__(self, api: Any, when: str = "", number: int = -1) -> None:
        self.api, self.when, self.number = api, when, number
        self.writes: list[str] = []

    async def read(self, path: str, **query: Any) -> Any:
        return await self.api.read(path, **query)

    async def list(self, path: str, **query: Any) -> Any:
        return await self.api.list(path, **query)

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        async def write(path: str, *arguments: Any, **more: Any) -> Any:
            number = len(self.writes)
            if self.when == "before" and number >= self.number:
                raise KilledError
            self.writes.append(f"{verb} {path}")
            found = await getattr(self.api, verb)(path, *arguments, **more)
            if self.when == "after" and number >= self.number:
                raise KilledError
            return found

        return write


async def live(namespace: str, when: str = "", number: int = -1) -> list[str]:
    """One life of the operator over simulation app, until it dies or all is settled; what it wrote."""
    from diurnal_operator.api import Api, connect
    from diurnal_operator.cluster import Cluster
    from diurnal_operator.problems import ConflictError
    from diurnal_operator.reconcile import reconcile
    from diurnal_operator.settings import Settings

    settings = Settings.from_environment({**FAST, "DIURNAL_WRITES_AT_ONCE": "1"})
    client = await connect()
    api = MortalApi(Api(client, 5.0), when, number)
    cluster, key = Cluster(api, settings), (namespace, "app")  # type: ignore[arg-type]
    quiet, state = 0, ""
    deadline = time.monotonic() + PATIENCE
    try:
        while (quiet < 3 or state in {"", "Draining", "Stopping"}) and time.monotonic() < deadline:
            before = len(api.writes)
            with contextlib.suppress(ConflictError):
                seen = await cluster.observe(key)
                if seen is None:
                    break
                state = str((seen.simulation.get("status") or {}).get("state", ""))
                await cluster.execute(key, seen, reconcile(seen, settings))
            quiet = quiet + 1 if len(api.writes) == before else 0
            await asyncio.sleep(0.1)
    except KilledError:
        pass
    finally:
        await client.close()
    return api.writes


CHANGES: dict[str, dict[str, Any]] = {
    "create": {},
    "rescale": {"shards": 3},
    "traffic": {"traffic": {"rate": {"eventsPerUserPerDay": 5}}},
    "suspend": {"suspend": True},
    "restart": {"restartNonce": 1},
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("change", CHANGES)
def test_killed_before_and_after_every_single_write_the_end_is_the_same(
    change: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are tried. The end state and the objects are those of a life without a fault (Sieve)."""
    monkeypatch.setenv("KUBECONFIG", world.kubeconfig)

    def lived(when: str = "", number: int = -1) -> tuple[Any, list[str]]:
        world.create("app", shards=2)
        if change != "create":
            asyncio.run(live(world.namespace))
            world.patch("app", **CHANGES[change])
        writes = asyncio.run(live(world.namespace, when, number))
        if when:
            writes = asyncio.run(live(world.namespace))
        status = world.status("app")
        uid = world.get("app")["metadata"]["uid"][:5]
        names = sorted(
            o["metadata"]["name"].replace(uid, "UID") for o in [*world.deployments(), *world.leases()]
        )
        plan = {**status["plan"], "run": status["plan"]["run"].replace(uid, "UID")}
        replicas = [d["spec"]["replicas"] for d in world.deployments()]
        world.delete("app")
        eventually("gone", lambda: not (world.deployments() or world.leases()))
        return (names, plan, replicas, status["observedGeneration"], status["state"]), writes

    calm, writes = lived()
    assert len(writes) >= 3
    for number in range(len(writes)):
        for when in ("before", "after"):
            found, _ = lived(when, number)
            assert found == calm, f"killed {when} {writes[number]}"
