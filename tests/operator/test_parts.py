"""Small policies, each against plain values."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import kopf
import pytest
from pydantic import ValidationError

from diurnal_api.instants import MINUTE, SECOND, format_instant
from diurnal_api.layout import parse_position
from diurnal_api.lease import checkpoint_of, renewed
from diurnal_operator.conditions import camel_case
from diurnal_operator.difference import contains
from diurnal_operator.expiry import may_be_sealed
from diurnal_operator.faults import fault_of, suspects
from diurnal_operator.handlers import by_address, is_news
from diurnal_operator.happenings import counted
from diurnal_operator.health import Health
from diurnal_operator.invalid import refuse
from diurnal_operator.observation import SeenLease
from diurnal_operator.queue import KeyQueue
from diurnal_operator.reconcile import reconcile
from diurnal_operator.settings import Waits
from diurnal_operator.situation import Situation
from modelled import START, ModelCluster


def lease(holder: str = "", renewed: str = "") -> dict[str, Any]:
    return {
        "metadata": {"labels": {}},
        "spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15},
    }


def test_one_shard_is_one_shard() -> None:
    assert [counted(1), counted(2)] == ["1 shard", "2 shards"]


@pytest.mark.parametrize(
    ("seen", "has_pods", "expected"),
    [
        (SeenLease(lease("pod", "x"), 14.9), True, False),
        (SeenLease(lease("pod", "x"), 15.0), True, True),
        (SeenLease(lease("", "x"), 0.0), True, True),
        (SeenLease(lease(), 0.0), True, False),
        (SeenLease(lease(), 0.0), False, True),
        (SeenLease(lease(), 15.0), True, True),
    ],
)
def test_a_lease_is_sealed_when_nobody_can_hold_it(seen: SeenLease, has_pods: bool, expected: bool) -> None:
    assert may_be_sealed(seen, 15.0, has_pods=has_pods) is expected


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": [{"x": 1, "default": 0}]}, {"a": [{"x": 1}]}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"memory": "1Gi"}, {"memory": "1024Mi"}, True),
        ({"cpu": "500m"}, {"cpu": "0.5"}, True),
        ({"cpu": "500m"}, {"cpu": "0.6"}, False),
        ({}, {"limits": {}}, True),
        (None, {"a": 1}, False),
    ],
)
def test_an_object_is_right_when_it_contains_what_is_wanted(found: Any, wanted: Any, expected: bool) -> None:
    assert contains(found, wanted) is expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("TopicNotFound", "TopicNotFound"), ("a b!", "ab"), ("", "Failed"), ("404", "Failed404")],
)
def test_any_reason_becomes_one_that_conditions_accept(reason: str, expected: str) -> None:
    assert camel_case(reason) == expected


def test_a_lost_promise_is_taken_as_far_as_the_bound_on_skew() -> None:
    """Its promise is lost with its Lease: a new regime begins beyond all that it may have sent."""
    world = ModelCluster()
    world.create(shards=2)
    world.settle()
    world.work(30)
    world.now += 20 * SECOND
    world.look()
    del world.leases[min(world.leases)]
    situation = Situation.of(world.observe())
    reach = situation.reach(world.plan, situation.position)
    assert reach >= START + 30 * MINUTE + round(world.plan.pace.skew_seconds * SECOND)
    assert reach % (15 * MINUTE) == 0


def test_an_object_of_an_older_schema_is_told_and_its_workers_are_left_alone() -> None:
    world = ModelCluster()
    world.create(shards=2)
    world.settle()
    world.change(shards="many")
    seen = world.observe()
    with pytest.raises(ValidationError) as told:
        reconcile(seen, world.settings)
    decision = refuse(seen, told.value, 60.0)
    assert decision.status is not None
    assert not (decision.apply)
    assert not (decision.delete)
    assert not (decision.seal)
    assert decision.status["plan"] == world.status["plan"]
    assert decision.status["clock"]["segments"] == world.status["clock"]["segments"]
    stalled = next(c for c in decision.status["conditions"] if c["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "InvalidSpec")
    assert "spec.shards: must be a whole number" in stalled["message"]
    parse_position(decision.status["clock"]["segments"])


def test_one_that_waits_for_the_lead_is_alive_and_ready() -> None:
    assert Health(Waits()).why_not_alive(1e6) == ""


def test_a_queue_that_does_not_move_is_not_alive() -> None:
    health, queue = Health(Waits(stalled_queue=120.0), leading=True), KeyQueue[str]()
    assert health.why_not_ready(0.0) == "starting"
    queue.add("a", 0.0)
    queue.take(0.0)
    health.beat(100.0, queue)
    assert health.why_not_alive(100.0) == ""
    health.beat(121.0, queue)
    assert health.why_not_alive(121.0) == "the queue does not move"


def test_who_is_busy_for_long_is_not_stuck() -> None:
    """Many simulations at once, and few statuses a second: some wait for minutes, and all have their turn."""
    health, queue = Health(Waits(stalled_queue=120.0), leading=True), KeyQueue[int]()
    for key in range(1000):
        queue.add(key, 0.0)
    for second in range(500):
        taken = queue.take(float(second))
        assert taken is not None
        queue.done(taken, None)
        health.finished(float(second))
        health.beat(float(second), queue)
        assert health.why_not_alive(float(second)) == ""
    health.beat(700.0, queue)
    assert health.why_not_alive(700.0) == "the queue does not move"


def test_a_queue_that_nobody_looks_at_is_not_alive() -> None:
    health = Health(Waits(stalled_queue=120.0), leading=True)
    health.beat(0.0, KeyQueue[str]())
    assert health.why_not_alive(121.0) != ""


def test_a_silent_watch_is_found_out_by_listings() -> None:
    health = Health(Waits(silent_watch=180.0), leading=True)
    health.beat(400.0, KeyQueue[str]())
    health.watched("u", "1", 0.0)
    health.listed({"u": "1"}, 60.0)
    assert health.why_not_alive(400.0) == ""
    health.listed({"u": "2"}, 120.0)
    assert health.why_not_alive(300.0) == ""
    health.beat(301.0, KeyQueue[str]())
    health.listed({"u": "3"}, 180.0)
    assert "watch is silent" in health.why_not_alive(301.0)
    health.watched("u", "3", 302.0)
    assert health.why_not_alive(303.0) == ""


@pytest.mark.parametrize(
    ("host", "server"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_a_pod_finds_the_api_server_without_a_name(host: str, server: str) -> None:
    found = kopf.ConnectionInfo(server="https://kubernetes.default.svc", token="t")
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}
    assert by_address(found, environment).server == server
    assert by_address(found, {}) == found


def test_an_attempt_that_is_repeated_is_no_news() -> None:
    def record(text: str) -> logging.LogRecord:
        return logging.LogRecord("kopf", logging.ERROR, "", 0, text, None, None)

    assert not is_news(record("Request attempt #1/9 failed; will retry: GET https://10.96.0.1 -> Refused()"))
    assert is_news(record("Request attempt #9/9 failed; escalating: GET https://10.96.0.1 -> Refused()"))


def test_the_objects_of_a_shard_are_what_pods_and_conventions_ask_for() -> None:
    world = ModelCluster()
    world.create(shards=2)
    world.settle()
    assert len(world.deployments) == len(world.leases) == 2
    for deployed in world.deployments.values():
        pod = deployed["spec"]["template"]["spec"]
        [worker] = pod["containers"]
        given = {entry["name"]: entry.get("value") for entry in worker["env"]}
        assert deployed["spec"]["strategy"] == {"type": "Recreate"}
        assert pod["enableServiceLinks"] is False
        assert pod["terminationGracePeriodSeconds"] > float(given["DIURNAL_DRAIN_SECONDS"])
        assert worker["securityContext"]["readOnlyRootFilesystem"] is True
        assert worker["resources"]["requests"]
    for thing in (*world.deployments.values(), *world.leases.values()):
        conventions = {"name", "instance", "component", "part-of", "managed-by"}
        assert {f"app.kubernetes.io/{part}" for part in conventions} <= thing["metadata"]["labels"].keys()
        [owner] = thing["metadata"]["ownerReferences"]
        assert owner["controller"] is True
        assert "blockOwnerDeletion" not in owner


def deployed(since: int) -> dict[str, Any]:
    """The status of a Deployment whose pod has not been available since then."""
    return {
        "replicas": 1,
        "conditions": [{"type": "Available", "status": "False", "lastTransitionTime": format_instant(since)}],
    }


def pod(shard: int, reason: str) -> dict[str, Any]:
    waiting = {"reason": reason, "message": "back-off 5m0s"}
    return {
        "metadata": {"labels": {"diurnal.dev/shard": str(shard)}},
        "status": {"phase": "Running", "containerStatuses": [{"state": {"waiting": waiting}}]},
    }


@pytest.mark.parametrize(("seconds", "expected"), [(59, []), (61, [1])])
def test_a_worker_that_stopped_coming_up_is_a_suspect_though_it_once_held_its_lease(
    seconds: int, expected: list[int]
) -> None:
    world = ModelCluster()
    world.create(shards=2)
    world.settle()
    seen = world.observe()
    seen.deployments[1]["status"] = deployed(seen.now - seconds * SECOND)
    assert all(lease.was_held for lease in seen.leases)
    assert suspects(Situation.of(seen), 60.0) == expected
    told = fault_of(Situation.of(replace(seen, pods=(pod(1, "CrashLoopBackOff"),))), world.settings)
    assert (told.reason if told else None) == ("CrashLoopBackOff" if expected else None)


def test_a_worker_that_held_its_lease_and_waits_is_not_said_to_lack_a_role_binding() -> None:
    world = ModelCluster()
    world.create(shards=1)
    world.settle()
    seen = world.observe()
    seen.deployments[0]["status"] = deployed(seen.now - 100 * SECOND)
    running = {"metadata": {"labels": {"diurnal.dev/shard": "0"}}, "status": {"phase": "Running"}}
    assert fault_of(Situation.of(replace(seen, pods=(running,))), world.settings) is None


def test_what_an_old_run_found_of_its_dataset_is_not_said_of_the_new_one() -> None:
    world = ModelCluster()
    world.create(shards=1)
    world.settle()
    [name] = world.leases
    found = checkpoint_of(world.leases[name])
    assert found is not None
    drifted = found.model_copy(update={"drift": "another table"})
    world._store(world.leases, renewed(world.leases[name], drifted, world.now))
    world.now += 20 * SECOND
    world.look()
    assert world.condition("DatasetDrift")["status"] == "True"
    world.change(restartNonce=1)
    world.now += 20 * SECOND
    world.look()
    assert world.condition("DatasetDrift")["status"] == "False"
