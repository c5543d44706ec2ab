"""What stops a worker, as a condition that a person can act on, and how it goes on when the cause is gone.

A real worker on a real API server, for each cause: another engine, no rights, no topic, no table, a table
that changed. And what should not stop it: another image, a table that changed while it runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from google.cloud import pubsub_v1, storage

import fake_gcs
from diurnal_operator.convergence import is_ready
from emulator import PROJECT
from kubeapi import documents
from mounts import Mounts
from nodes import Node
from operators import Operator
from place import ROOT, Cluster
from world import World, eventually

pytestmark = pytest.mark.timeout(300)

TABLE = "alpha3,population,internet_fraction,timezone\nNOR,5639000,0.99,Europe/Oslo\n"
OTHER = TABLE.replace("NOR", "SWE")
PATIENCE = 120.0
OFTEN = {"DIURNAL_DATASET_SECONDS": "0.5"}


def digest(table: str) -> str:
    return hashlib.sha256(table.encode()).hexdigest()


@contextmanager
def a_node(world: World, logs: Path, kubeconfig: Path | None = None, **environment: str) -> Iterator[Node]:
    """A node whose workers have this environment and, with a kubeconfig, its rights."""
    node = Node(world, logs, kubeconfig, **environment)
    node.start()
    try:
        yield node
    finally:
        node.stop()


@contextmanager
def an_operator(world: World, logs: Path, **settings: Any) -> Iterator[Operator]:
    """A running operator with these settings; in no log of its is a traceback or a refused write."""
    operator = Operator(world, logs, **settings)
    operator.start()
    try:
        yield operator
    finally:
        if operator.runs:
            operator.stop()
    for word in ("Traceback", " 422 "):
        assert word not in operator.text(), operator.text()


def stalled(world: World, reason: str) -> str:
    """Waits until it is stalled for this reason; the words."""
    told = eventually(
        f"stalled: {reason}",
        lambda: (c := world.condition("app", "Stalled")).get("reason") == reason and c,
        PATIENCE,
    )
    assert told["status"] == "True"
    assert world.status("app")["message"] == told["message"]
    return str(told["message"])


def runs(world: World, shards: int = 1) -> None:
    """Waits until all shards publish and the clock moves."""
    eventually(f"{shards} shards run", lambda: world.is_running("app", shards), PATIENCE)
    before = world.clock("app")
    eventually("the clock moves", lambda: world.clock("app") > before, PATIENCE)


def drifts(world: World, status: str) -> str:
    """Waits until DatasetDrift has this status; its words."""
    told = eventually(
        f"DatasetDrift is {status}",
        lambda: (c := world.condition("app", "DatasetDrift")).get("status") == status and c,
        PATIENCE,
    )
    return str(told["message"])


def images(world: World) -> set[str]:
    return {d["spec"]["template"]["spec"]["containers"][0]["image"] for d in world.deployments()}


def test_workers_of_another_engine_refuse_a_run_and_a_new_one_is_theirs(world: World, tmp_path: Path) -> None:
    with a_node(world, tmp_path), an_operator(world, tmp_path, DIURNAL_ENGINE="2") as operator:
        world.create("app")
        told = stalled(world, "OtherEngine")
        assert "the run needs engine 2" in told
        assert "restartNonce" in told
        assert world.status("app")["spent"]["messages"] == 0
        operator.stop()
        operator.start(DIURNAL_ENGINE="1")
        world.patch("app", restartNonce=1)
        runs(world)
        assert world.status("app")["plan"]["engine"] == "1"


def test_an_image_of_another_engine_is_not_rolled_into_a_run_and_that_is_said(
    world: World, tmp_path: Path
) -> None:
    with a_node(world, tmp_path), an_operator(world, tmp_path, DIURNAL_WORKER_IMAGE="worker:1") as operator:
        world.create("app")
        runs(world)
        operator.stop()
        operator.start(DIURNAL_ENGINE="2", DIURNAL_WORKER_IMAGE="worker:2")
        eventually(
            "it is said",
            lambda: "worker image of before" in world.condition("app", "Ready").get("message", ""),
            PATIENCE,
        )
        runs(world)
        assert images(world) == {"worker:1"}
        assert world.status("app")["plan"]["engine"] == "1"
        assert world.status("app")["plan"]["epoch"] == 1


def test_another_image_or_worker_is_rolled_a_few_shards_at_a_time(world: World, tmp_path: Path) -> None:
    settings = {"DIURNAL_WORKER_IMAGE": "worker:1", "DIURNAL_ROLL_AT_ONCE": "1"}
    away: list[int] = []

    def is_rolled() -> bool:
        deployments = world.deployments()
        away.append(sum(not is_ready(deployed) for deployed in deployments))
        return images(world) == {"worker:2"} and world.is_running("app", 2)

    with a_node(world, tmp_path), an_operator(world, tmp_path, **settings) as operator:
        world.create("app", shards=2)
        runs(world, 2)
        before = world.clock("app")
        operator.stop()
        operator.start(DIURNAL_WORKER_IMAGE="worker:2")
        eventually("rolled", is_rolled, PATIENCE)
        assert max(away) == 1
        assert world.clock("app") > before

        away.clear()
        world.patch("app", worker={"resources": {"requests": {"cpu": "1m"}}})
        eventually("their requests", lambda: is_rolled() and requests(world) == {"1m"}, PATIENCE)
        assert max(away) == 1
        assert world.status("app")["plan"]["epoch"] == 1


def requests(world: World) -> set[str]:
    pods = (deployed["spec"]["template"]["spec"] for deployed in world.deployments())
    return {pod["containers"][0]["resources"]["requests"]["cpu"] for pod in pods}


def test_a_missing_role_binding_is_named_and_the_run_begins_when_it_comes(
    world: World, cluster: Cluster, tmp_path: Path
) -> None:
    account = cluster.kubeconfig(f"{world.namespace}:default")
    with a_node(world, tmp_path, account), an_operator(world, tmp_path, DIURNAL_UNCLAIMED_SECONDS="4"):
        world.create("app")
        told = stalled(world, "LeaseNotTaken")
        assert "RoleBinding of the role diurnal-worker" in told
        assert f"service account default in namespace {world.namespace}" in told
        bind_workers(world)
        runs(world)
        assert world.condition("app", "Stalled")["status"] == "False"


def bind_workers(world: World) -> None:
    """The role of the manifests, for the namespace's default account."""
    from kubernetes import client

    [role] = documents(ROOT / "manifests" / "rbac" / "worker" / "role.yaml")
    rbac: Any = client.RbacAuthorizationV1Api(world.client)
    rbac.create_namespaced_role(
        world.namespace, {"metadata": {"name": "diurnal-worker"}, "rules": role["rules"]}
    )
    binding = {
        "metadata": {"name": "diurnal-worker"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "diurnal-worker"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": world.namespace}],
    }
    rbac.create_namespaced_role_binding(world.namespace, binding)


def test_a_missing_topic_is_named_and_the_run_goes_on_when_it_is_created(
    world: World, emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator)
    topic = f"projects/{PROJECT}/topics/{world.namespace}"
    with a_node(world, tmp_path), an_operator(world, tmp_path):
        world.create("app", sink={"pubsub": {"topic": topic}})
        told = stalled(world, "TopicNotFound")
        assert topic in told
        assert "create" in told
        publisher: Any = pubsub_v1.PublisherClient()
        publisher.create_topic(name=topic)
        runs(world)
        assert world.condition("app", "Stalled")["status"] == "False"
        eventually("it is told", lambda: "Recovered" in world.events())
        publisher.stop()


@pytest.fixture
def table(world: World) -> Callable[[str | None], None]:
    """Writes the table into a ConfigMap, or deletes that."""

    def write(text: str | None) -> None:
        if text is None:
            world.core.delete_namespaced_config_map("tables", world.namespace)
            return
        body = {"metadata": {"name": "tables"}, "data": {"world.csv": text}}
        try:
            world.core.replace_namespaced_config_map("tables", world.namespace, body)
        except world.error:
            world.core.create_namespaced_config_map(world.namespace, body)

    return write


@pytest.fixture
def mounted(world: World, tmp_path: Path) -> Iterator[str]:
    """The folder in which the world's pods see their ConfigMap."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    mounts = Mounts(world, folder)
    mounts.start()
    yield str(folder)
    mounts.stop()


def test_a_table_in_a_config_map_is_read_by_all_and_a_changed_one_is_told_but_not_taken(
    world: World, mounted: str, table: Callable[[str | None], None], tmp_path: Path
) -> None:
    countries = {"configMap": {"name": "tables", "key": "world.csv"}}
    with (
        a_node(world, tmp_path, DIURNAL_COUNTRIES_FOLDER=mounted),
        an_operator(world, tmp_path, **OFTEN),
    ):
        world.create("app", shards=2, population={"countries": countries})
        told = stalled(world, "ConfigMapMissing")
        assert "no ConfigMap tables with the key world.csv" in told
        assert "kubectl create configmap" in told

        table(TABLE)
        runs(world, 2)
        read = world.status("app")["plan"]["dataset"]
        assert read == {"uri": "configmap:tables/world.csv", "sha256": digest(TABLE)}
        drifts(world, "False")

        table(OTHER)
        assert digest(OTHER) in drifts(world, "True")
        assert world.condition("app", "Ready")["status"] == "True"
        runs(world, 2)
        assert world.status("app")["plan"]["dataset"] == read
        eventually("it is told", lambda: "DatasetDrift" in world.events())

        [second] = [pod for pod in world.pods() if pod["metadata"]["labels"]["diurnal.dev/shard"] == "1"]
        world.core.delete_namespaced_pod(second["metadata"]["name"], world.namespace)
        assert "put the old one back" in stalled(world, "ConfigMapChanged")
        table(TABLE)
        runs(world, 2)
        drifts(world, "False")

        table(OTHER)
        drifts(world, "True")
        world.patch("app", restartNonce=1)
        eventually(
            "a new run takes it",
            lambda: world.status("app")["plan"].get("dataset", {}).get("sha256") == digest(OTHER),
            PATIENCE,
        )
        runs(world, 2)
        assert world.condition("app", "DatasetDrift")["status"] == "False"


def test_an_object_that_changed_is_told_and_only_a_new_run_takes_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket keeps versions, so a worker that restarts reads the pinned generation again."""
    with fake_gcs.running() as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        client: Any = storage.Client(project="none")
        bucket = client.bucket(world.namespace)
        bucket.versioning_enabled = True
        bucket.create()
        first = uploaded(bucket, TABLE)
        with a_node(world, tmp_path), an_operator(world, tmp_path, **OFTEN):
            world.create("app", population={"countries": {"uri": f"gs://{world.namespace}/world.csv"}})
            runs(world)
            read = world.status("app")["plan"]["dataset"]
            assert (read["generation"], read["sha256"]) == (first, digest(TABLE))
            drifts(world, "False")

            second = uploaded(bucket, OTHER)
            assert f"has generation {second} now" in drifts(world, "True")
            [pod] = world.pods()
            world.core.delete_namespaced_pod(pod["metadata"]["name"], world.namespace)
            eventually(
                "another pod",
                lambda: [p["metadata"]["name"] for p in world.pods()] != [pod["metadata"]["name"]],
            )
            runs(world)
            assert world.status("app")["plan"]["dataset"] == read
            assert world.condition("app", "DatasetDrift")["status"] == "True"

            world.patch("app", restartNonce=1)
            eventually(
                "a new run takes it",
                lambda: world.status("app")["plan"].get("dataset", {}).get("generation") == second,
                PATIENCE,
            )
            runs(world)
            drifts(world, "False")
        client.close()


def uploaded(bucket: Any, table: str) -> int:
    blob = bucket.blob("world.csv")
    blob.upload_from_string(table.encode(), "text/csv")
    return int(blob.generation)


def test_what_a_status_loses_is_left_out_and_never_refused(world: World, tmp_path: Path) -> None:
    """An object in the status that loses its last field to server-side apply would become null: a 422."""
    seen: list[dict[str, Any]] = []

    def is_running(shards: int) -> bool:
        seen.append(world.status("app"))
        return world.is_running("app", shards)

    with a_node(world, tmp_path), an_operator(world, tmp_path):
        world.create("app", budget={"maxMessagesPerSecond": 100})
        runs(world)
        assert world.status("app")["rate"]["expected"] == 100
        world.patch("app", budget={"maxMessagesPerSecond": "Unlimited"}, shards=2)
        eventually("unlimited", lambda: is_running(2), PATIENCE)
        assert any("rate" not in status for status in seen if status["plan"]["epoch"] == 2)
        world.patch(
            "app", restartNonce=1, sink={"discard": None, "stdout": {}}, budget={"maxMessagesPerSecond": 5}
        )
        eventually(
            "another sink", lambda: is_running(2) and world.status("app")["plan"]["epoch"] == 3, PATIENCE
        )
        assert world.status("app")["plan"]["sink"] == {"stdout": {}}
