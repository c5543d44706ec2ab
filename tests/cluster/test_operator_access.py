"""The real operator as a process with its own rights only: they suffice, and it writes nothing but status."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from access import established
from gitops import run, seen_by_gitops
from kubeapi import KubeApi
from place import SPEC, Cluster, eventually, simulation


@dataclass(frozen=True)
class Served:
    """A namespace that a running operator serves, and what the operator has logged so far."""

    name: str
    api: KubeApi
    log: Path

    @property
    def simulations(self) -> str:
        return f"/apis/diurnal.dev/v1alpha1/namespaces/{self.name}/trafficsimulations"

    def names(self, group: str, plural: str) -> list[str]:
        found = self.api.get(f"/apis/{group}/namespaces/{self.name}/{plural}").expect()["items"]
        return sorted(each["metadata"]["name"] for each in found)


@pytest.fixture(params=["operator", "operator-namespaced"])
def served(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Iterator[Served]:
    api, log = cluster.api, tmp_path / "operator.log"
    with established(api, request.param) as parties:
        environment = {
            **os.environ,
            "KUBECONFIG": str(cluster.kubeconfig(parties.operator)),
            "DIURNAL_OPERATOR_NAMESPACE": parties.system,
            "DIURNAL_NAMESPACES": parties.team if request.param == "operator-namespaced" else "",
            "DIURNAL_HEALTH_PORT": "0",
            "DIURNAL_STATUS_SECONDS": "1",
            "DIURNAL_ALLOWED_SERVICE_ACCOUNTS": "default",
            "DIURNAL_DRAIN_POLL_SECONDS": "0.1",
            "DIURNAL_LEASE_SECONDS": "1",
        }
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "diurnal_operator"],
                env=environment, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        try:
            yield Served(parties.team, api, log)
        finally:
            process.terminate()
            code = process.wait(20)
    assert code == 0, log.read_text()[-2000:]


def test_its_rights_suffice_from_the_first_shard_to_the_last(served: Served) -> None:
    """Created, rescaled (which seals and deletes) and gone; nothing is ever refused."""
    served.api.post(served.simulations, simulation({**SPEC, "shards": 2})).expect()
    eventually(lambda: len(served.names("apps/v1", "deployments")) == 2)
    served.api.merge(f"{served.simulations}/world/scale", {"spec": {"replicas": 1}}).expect()
    eventually(lambda: [name[-2:] for name in served.names("coordination.k8s.io/v1", "leases")] == ["e2"])
    eventually(lambda: len(served.names("apps/v1", "deployments")) == 1)
    events = served.api.get(f"/api/v1/namespaces/{served.name}/events").expect()["items"]
    assert "Rescaled" in {event["reason"] for event in events}
    served.api.delete(f"{served.simulations}/world").expect()
    eventually(lambda: served.names("apps/v1", "deployments") == [])
    lines = served.log.read_text().lower().splitlines()
    own = [line for line in lines if '"simulation"' not in line or f"{served.name}/" in line]
    assert not [line for line in own if "forbidden" in line]


def test_it_writes_nothing_but_the_status_of_the_users_object(served: Served) -> None:
    path = f"{served.simulations}/world"
    before = served.api.post(served.simulations, simulation(SPEC)).expect()
    after = eventually(lambda: seen(served.api.get(path).expect()))
    assert after["spec"] == before["spec"]
    kept = ("annotations", "finalizers", "labels", "generation", "ownerReferences")
    assert {key: after["metadata"].get(key) for key in kept} == {
        key: before["metadata"].get(key) for key in kept
    }
    operators = [each for each in after["metadata"]["managedFields"] if each["manager"] == "diurnal-operator"]
    assert [each.get("subresource") for each in operators] == ["status"]


def test_another_field_manager_may_own_the_spec_without_a_fight(served: Served) -> None:
    """Server-side apply without force, as Flux does it, conflicts with nothing that the operator does."""
    path = f"{served.simulations}/world"
    wanted: dict[str, Any] = simulation({**SPEC, "budget": {"maxMessagesPerSecond": 10}})
    served.api.apply(path, wanted, manager="gitops").expect()
    eventually(lambda: seen(served.api.get(path).expect()))
    wanted["spec"]["budget"]["maxMessagesPerSecond"] = 20
    assert served.api.apply(path, wanted, manager="gitops").expect()["metadata"]["generation"] == 2
    eventually(lambda: served.api.get(path).expect()["status"]["observedGeneration"] == 2)
    version = served.api.apply(path, wanted, manager="gitops").expect()["metadata"]["generation"]
    assert version == 2


def test_argo_cd_and_kstatus_follow_it_through_life(served: Served) -> None:
    """The real operator's status, and Argo CD's own actions; workers are told to be ready by hand."""
    path = f"{served.simulations}/world"
    story: list[tuple[str, str]] = []

    def until(*expected: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            if expected[0] == "Healthy":
                tell_pods_ready(served)
            found: dict[str, Any] = served.api.get(path).expect()
            story.append(seen_by_gitops(found))
            return found if story[-1] == expected else None

        return dict(eventually(reached))

    def act(action: str, found: dict[str, Any], **parameters: str) -> None:
        changed = run(f"actions/{action}/action.lua", found, **parameters)["spec"]
        spec = {key: changed[key] for key in ("suspend", "shards")}
        served.api.merge(path, {"spec": spec}).expect()

    served.api.post(served.simulations, simulation(SPEC)).expect()
    until("Progressing", "InProgress")
    act("suspend", until("Healthy", "Current"))
    act("resume", until("Suspended", "Current"))
    until("Progressing", "InProgress")
    act("rescale", until("Healthy", "Current"), shards="2")
    until("Progressing", "InProgress")
    until("Healthy", "Current")
    served.api.merge(path, {"spec": {"worker": {"serviceAccountName": "forbidden"}}}).expect()
    until("Degraded", "Failed")
    served.api.merge(path, {"spec": {"worker": {"serviceAccountName": "default"}}}).expect()
    until("Progressing", "InProgress")
    agreed = {
        "Progressing": {"InProgress"},
        "Healthy": {"Current"},
        "Suspended": {"Current"},
        "Degraded": {"Failed"},
    }
    assert all(waits in agreed[health] for health, waits in story), story


def tell_pods_ready(served: Served) -> None:
    """What a kubelet would say of the pods that are there now; others may still take their place."""
    pods = f"/api/v1/namespaces/{served.name}/pods"
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    for pod in served.api.get(pods).expect()["items"]:
        if "deletionTimestamp" not in pod["metadata"]:
            served.api.merge(f"{pods}/{pod['metadata']['name']}/status", {"status": status})


def seen(simulation: dict[str, Any]) -> dict[str, Any] | None:
    """The simulation, once the operator has written its status."""
    return simulation if simulation.get("status", {}).get("conditions") else None
