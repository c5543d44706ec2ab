"""What only the world can refuse: the object is stored, and its conditions say what a person has to do.

The operator and the workers are real; Pub/Sub and Cloud Storage are fakes that refuse (fake_cloud.py). All
mistakes are made side by side, each in a simulation of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fake_cloud import FORBIDDEN, GENERATION, MISSING, pubsub, storage
from nodes import Node
from operators import Operator
from place import Cluster
from world import World, a_world, eventually

pytestmark = pytest.mark.timeout(280)
PATIENCE = 120.0  # a dozen workers start at once
HEAD = "alpha3,population,internet_fraction,timezone\n"
TABLES = {
    "good.csv": f"{HEAD}NOR,5639000,0.99,Europe/Oslo\n",
    "zone.csv": f"{HEAD}NOR,5639000,0.99,Europe/Olso\n",
    "path.csv": f"{HEAD}NOR,5639000,0.99,../../etc/passwd\n",
    "country.csv": f"{HEAD}NOX,5639000,0.99,Europe/Oslo\n",
}


def table(uri: str, **pins: Any) -> dict[str, Any]:
    return {"population": {"countries": {"uri": uri, **pins}, "users": 1000}}


def topic(name: str) -> dict[str, Any]:
    return {"sink": {"pubsub": {"topic": f"projects/acme-prod-7/topics/{name}"}}}


# mistake: the spec, the reason of Stalled, and what its sentence must say
STALLED: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "unknown-zone": (table("gs://tables/zone.csv"), "InvalidDataset", ("zone.csv", "line 2", "Europe/Olso")),
    "path-as-zone": (table("gs://tables/path.csv"), "InvalidDataset", ("path.csv", "line 2", "timezone")),
    "unknown-country": (table("gs://tables/country.csv"), "InvalidDataset", ("line 2", "NOX")),
    "topic-missing": (topic(MISSING), "TopicNotFound", ("topics/missing", "create it")),
    "topic-forbidden": (topic(FORBIDDEN), "PermissionDenied", ("roles/pubsub.publisher",)),
    "bucket-missing": (table("gs://nowhere/good.csv"), "BucketMissing", ("no such bucket", "create it")),
    "bucket-forbidden": (
        table(f"gs://{FORBIDDEN}/good.csv"), "DatasetForbidden", ("roles/storage.objectViewer",)
    ),
    "object-missing": (table("gs://tables/none.csv"), "DatasetMissing", ("no such object", "upload it")),
    "generation-gone": (
        table("gs://tables/good.csv", generation=7), "GenerationGone",
        ("generation 7 is gone", f"generation: {GENERATION}"),
    ),
    "other-digest": (
        table("gs://tables/good.csv", sha256="0" * 64), "Sha256Mismatch", ("its sha256 is", "check it")
    ),
    "account-not-allowed": (
        {"worker": {"serviceAccountName": "admin"}}, "ServiceAccountNotAllowed",
        ("spec.worker.serviceAccountName: admin is not allowed here", "allowed are default"),
    ),
    "topic-not-allowed": (topic("elsewhere"), "TopicNotAllowed", ("spec.sink.pubsub.topic", "allowed are")),
    "bucket-not-allowed": (
        table("gs://elsewhere/good.csv"), "BucketNotAllowed", ("spec.population.countries.uri", "allowed are")
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def bad_world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which every mistake was made, and one simulation is right."""
    logs = tmp_path_factory.mktemp("logs")
    tables = {name: text.encode() for name, text in TABLES.items()}
    with pubsub() as broker, storage(tables) as bucket, a_world(cluster.kubeconfig()) as world:
        clouds = {"PUBSUB_EMULATOR_HOST": broker, "STORAGE_EMULATOR_HOST": bucket}
        node = Node(world, logs, None, **clouds)
        operator = Operator(
            world, logs,
            DIURNAL_ALLOWED_SERVICE_ACCOUNTS="default",
            DIURNAL_ALLOWED_TOPICS=f"*/topics/{MISSING} */topics/{FORBIDDEN}",
            DIURNAL_ALLOWED_BUCKETS=f"tables nowhere {FORBIDDEN}",
            DIURNAL_LEASE_SECONDS="15",
            # A dozen workers start beside it.
            DIURNAL_LEADER_LEASE_SECONDS="60",
            DIURNAL_UNCLAIMED_SECONDS="200",
        )  # fmt: skip
        node.start()
        operator.start()
        try:
            for name, (spec, _, _) in STALLED.items():
                world.create(name, **spec)
            yield world
        finally:
            operator.stop()
            node.stop()


@pytest.mark.parametrize("mistake", STALLED)
def test_it_is_stalled_and_told_what_is_wrong_and_what_to_do(bad_world: World, mistake: str) -> None:
    _, reason, words = STALLED[mistake]
    found = eventually(
        mistake, lambda: _stalled(bad_world, mistake) or (bad_world.status(mistake) and None), PATIENCE
    )
    assert found["reason"] == reason, found
    assert [word for word in words if word not in found["message"]] == [], found["message"]
    ready = bad_world.condition(mistake, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)


def test_a_rate_far_above_the_budget_is_a_warning_with_the_speed_that_comes_of_it(bad_world: World) -> None:
    """Live traffic of a million users is 660 events a second; 10 are allowed."""
    bad_world.create(
        "slow", population={"users": 1_000_000}, clock={"maxSpeed": 1}, budget={"maxMessagesPerSecond": 10}
    )
    found = eventually(
        "throttled",
        lambda: (c := bad_world.condition("slow", "Throttled")).get("status") == "True" and c,
        PATIENCE,
    )
    assert found["reason"] == "MaxMessagesPerSecond"
    assert "about 0.0152 simulated seconds a second" in found["message"]
    assert "maxSpeed 1 would need 660 messages/s" in found["message"]
    eventually("its state", lambda: bad_world.status("slow")["state"] == "Throttled", PATIENCE)


def test_it_recovers_by_itself_when_the_cause_goes(bad_world: World) -> None:
    """An account that is not allowed is corrected: nothing else has to be done."""
    name = "recovers"
    bad_world.create(name, worker={"serviceAccountName": "admin"})
    eventually(name, lambda: _stalled(bad_world, name), PATIENCE)
    bad_world.patch(name, worker={"serviceAccountName": "default"})
    eventually("it runs", lambda: bad_world.is_running(name, 1), PATIENCE)
    assert "Recovered" in bad_world.events()


def _stalled(world: World, name: str) -> dict[str, Any] | None:
    found = world.condition(name, "Stalled")
    return found if found.get("status") == "True" else None
