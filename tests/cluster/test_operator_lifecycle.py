"""The life of a simulation on a real API server with real controllers, and real workers as processes."""

from __future__ import annotations

import functools
import time
from pathlib import Path

import pytest

from diurnal_api.checkpoint import Checkpoint
from diurnal_api.layout import earliest, parse_position, parse_segment
from diurnal_api.lease import checkpoint_of, is_sealed
from diurnal_api.spec import GROUP
from gitops import seen_by_gitops
from nodes import Node
from operators import Operator
from world import World, eventually

pytestmark = pytest.mark.timeout(240)


def test_a_simulation_lives_from_apply_to_deletion(world: World, operator: Operator) -> None:
    """Created, running, suspended, resumed, rescaled, other traffic, other pace, restarted, deleted."""
    before = world.create("app", shards=2)
    eventually("two shards run", lambda: world.is_running("app", 2))
    started = world.clock("app")
    eventually("the clock moves", lambda: world.clock("app") > started)

    world.patch("app", suspend=True)
    eventually("suspended", lambda: world.is_at_rest("app", "Suspended"))
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
    acted = [line for line in operator.log() if line["event"] in {"applied", "sealed", "deleted"}]
    assert {line["event"] for line in acted} == {"applied", "sealed", "deleted"}
    assert all(line["simulation"] == f"{world.namespace}/app" for line in acted)
    assert all(line["epoch"] > 0 and line["shards"] for line in acted)


def test_a_run_completes_and_goes_on_when_its_end_moves(world: World, operator: Operator) -> None:
    world.create("app", clock={"end": "2026-01-01T00:30:00Z"}, budget={"maxMessagesPerSecond": "Unlimited"})
    eventually("completed", lambda: world.status("app").get("state") == "Completed" and not world.pods())
    assert world.condition("app", "Completed")["status"] == "True"
    assert world.condition("app", "Ready")["status"] == "True"
    assert seen_by_gitops(world.get("app")) == ("Healthy", "Current")
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
    assert seen_by_gitops(world.get("app")) == ("Suspended", "Current")
    world.patch("app", budget={"maxMessages": 5000})
    eventually("more is spent", lambda: world.status("app")["spent"]["messages"] == 5000)
    eventually(
        "exhausted again", lambda: world.status("app").get("state") == "BudgetExhausted" and not world.pods()
    )


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

    def labels_of_the_second() -> dict[str, str]:
        found = next(d for d in world.deployments() if d["metadata"]["name"] == second)
        return dict(found["metadata"]["labels"])

    eventually("its labels", lambda: labels_of_the_second().get(f"{GROUP}/simulation") == "app")
    assert labels_of_the_second()["team"] == "blue"


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


def test_a_run_goes_on_from_its_status_alone_when_nothing_else_of_it_is_left(
    world: World, operator: Operator, node: Node
) -> None:
    """Operator and workers are killed, so that none remembers anything, and every Lease is deleted."""
    world.create("app", shards=2)
    eventually("running", lambda: world.is_running("app", 2))
    began = world.clock("app")
    eventually("the clock moves", lambda: world.clock("app") > began)
    operator.kill()
    for pod in world.pods():
        node.worker_of(pod).kill()
    world.coordination.delete_collection_namespaced_lease(world.namespace)
    status = world.status("app")
    known = min(parse_segment(text).clock for text in status["clock"]["segments"])
    operator.start()
    eventually("both checkpoint again", lambda: len(checkpoints(world)) == 2)
    for found in checkpoints(world):
        assert found.position[0].clock >= known
        assert found.epoch == status["plan"]["epoch"]
    eventually("it goes on", lambda: world.clock("app") > known and world.is_running("app", 2))


def checkpoints(world: World) -> list[Checkpoint]:
    return [found for lease in world.leases() if (found := checkpoint_of(lease)) is not None]


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
    eventually("it is told", lambda: "exceeded quota" in world.status("app").get("message", ""))
    assert world.condition("app", "Stalled")["status"] == "True"
    world.core.delete_namespaced_resource_quota("none", world.namespace)
    eventually("it recovers by itself", lambda: world.is_running("app", 1), 120)


def test_it_leads_and_says_that_it_is_well(world: World, node: Node, tmp_path: Path) -> None:
    operator = Operator(world, tmp_path)
    operator.start()
    try:
        eventually("it leads", lambda: '"leading"' in operator.text())
        eventually("ready", operator.is_ready)
    finally:
        assert operator.stop() == 0
