"""A list of namespaces, or all of them: what is served, and with which rights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from access import Parties, established, install
from place import SPEC, Cluster, eventually, simulation


@contextmanager
def operating(cluster: Cluster, parties: Parties, log: Path, *namespaces: str) -> Iterator[None]:
    """The operator with its own rights, for these namespaces; for all where none is named."""
    environment = {
        **os.environ,
        "KUBECONFIG": str(cluster.kubeconfig(parties.operator)),
        "DIURNAL_OPERATOR_NAMESPACE": parties.system,
        "DIURNAL_NAMESPACES": " ".join(namespaces),
        "DIURNAL_HEALTH_PORT": "0",
        "DIURNAL_RESYNC_SECONDS": "1",
        "DIURNAL_STATUS_SECONDS": "1",
        "DIURNAL_DRAIN_POLL_SECONDS": "0.1",
    }
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "diurnal_operator"], env=environment, stdout=file, stderr=file
        )
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(30) == 0, log.read_text()


class Team:
    """A namespace with one simulation in it."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.api, self.name = cluster.api, name
        self.simulations = f"/apis/diurnal.dev/v1alpha1/namespaces/{name}/trafficsimulations"
        self.api.post(self.simulations, simulation(SPEC)).expect()

    def status(self) -> dict[str, Any]:
        return dict(self.api.get(f"{self.simulations}/world").expect().get("status") or {})

    def is_served(self) -> bool:
        return bool(self.status().get("plan")) and len(self.deployments()) == 1

    def deployments(self) -> list[Any]:
        return list(self.api.get(f"/apis/apps/v1/namespaces/{self.name}/deployments").expect()["items"])

    def change(self) -> None:
        """Only a watch shows this at once."""
        budget = {"spec": {"budget": {"maxMessagesPerSecond": 7}}}
        self.api.merge(f"{self.simulations}/world", budget).expect()

    def obeys(self) -> bool:
        return bool(self.status()["plan"]["pace"]["messagesPerSecond"] == 7)


def warnings(log: Path) -> list[str]:
    """The lines of a log that are no mere information."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [f"{line['event']}: {line.get('why')}" for line in lines if line["level"] != "info"]


def test_of_a_list_of_namespaces_each_is_served_with_a_role_in_it_and_no_other_is_touched(
    cluster: Cluster, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with established(cluster.api, "operator-namespaced") as parties:
        names = {"default": parties.other, "diurnal-system": parties.system}
        install(cluster.api, "operator-namespaced", names)
        served, also, not_served = (
            Team(cluster, name) for name in (parties.team, parties.other, parties.system)
        )
        with operating(cluster, parties, log, parties.team, parties.other):
            eventually(lambda: served.is_served() and also.is_served())
            served.change()
            also.change()
            eventually(lambda: served.obeys() and also.obeys())
            assert not not_served.status().get("plan")
            assert not_served.deployments() == []
    assert warnings(log) == []


def test_without_a_list_every_namespace_is_served(cluster: Cluster, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with established(cluster.api, "operator") as parties:
        teams = [Team(cluster, name) for name in (parties.team, parties.other, parties.system)]
        with operating(cluster, parties, log):
            eventually(lambda: all(team.is_served() for team in teams))
            for team in teams:
                team.change()
            eventually(lambda: all(team.obeys() for team in teams))
    # What other tests have left is being deleted meanwhile, and tells of that.
    assert [each for each in warnings(log) if any(team.name in each for team in teams)] == []


def test_a_namespace_without_the_role_is_named_and_waited_for(cluster: Cluster, tmp_path: Path) -> None:
    """An operator that serves less than it was told to would look healthy."""
    log = tmp_path / "log"
    with established(cluster.api, "operator-namespaced") as parties:
        teams = [Team(cluster, parties.team), Team(cluster, parties.other)]
        with operating(cluster, parties, log, parties.team, parties.other):
            eventually(lambda: any("forbidden" in each and parties.other in each for each in warnings(log)))
            assert not any(team.deployments() for team in teams)
            names = {"default": parties.other, "diurnal-system": parties.system}
            install(cluster.api, "operator-namespaced", names)
            eventually(lambda: all(team.is_served() for team in teams), 60.0)
