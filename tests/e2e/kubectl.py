"""kubectl as a person types it, and a simulation as a person watches it."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from urllib3.exceptions import HTTPError

from diurnal_api.checkpoint import Checkpoint
from diurnal_api.instants import parse_instant
from diurnal_api.lease import checkpoint_of
from diurnal_api.metrics import MESSAGES_PUBLISHED
from diurnal_api.names import LABEL_SHARD, LABEL_SIMULATION
from kubeapi import SIMULATIONS, KubeApi


class KubectlError(AssertionError):
    """A command failed; the message is what kubectl said."""


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl on one cluster, in one namespace; without one, objects say theirs."""

    kubeconfig: Path
    namespace: str = ""

    def __call__(self, *arguments: str, given: str | None = None, timeout: float = 120) -> str:
        """What kubectl printed; `given` is its standard input. KubectlError where it failed."""
        done = subprocess.run(
            self.command(*arguments), env=self.environment, input=given, capture_output=True, text=True,
            check=False, timeout=timeout,
        )  # fmt: skip
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """What kubectl printed, from JSON."""
        return json.loads(self(*arguments, "--output=json"))

    def command(self, *arguments: str) -> list[str]:
        """The whole command."""
        return ["kubectl", *(["--namespace", self.namespace] if self.namespace else []), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the command."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}


def eventually(what: str, holds: Callable[[], Any], within: float = 60.0) -> Any:
    """The first truth that `holds` tells; its failures, as of a server that restarts, are tried again."""
    give_up, last = time.monotonic() + within, None
    while time.monotonic() < give_up:
        try:
            if last := holds():
                return last
        except (OSError, AssertionError, HTTPError, subprocess.TimeoutExpired) as error:
            last = error
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {within:g} s; last {last!r}")


@dataclass(frozen=True)
class Simulation:
    """One TrafficSimulation: changed by kubectl, as people do, and looked at by requests that cost less."""

    kubectl: Kubectl
    name: str
    api: KubeApi

    @staticmethod
    def of(kubectl: Kubectl, name: str) -> Simulation:
        """In the namespace of a kubectl."""
        return Simulation(kubectl, name, KubeApi.of(kubectl.kubeconfig))

    def read(self) -> dict[str, Any]:
        """The object."""
        path = f"{SIMULATIONS.format(self.kubectl.namespace)}/{self.name}"
        found: dict[str, Any] = self.api.get(path).expect()
        return found

    def status(self) -> dict[str, Any]:
        """Its status; empty before the operator has seen it."""
        return self.read().get("status") or {}

    def patch(self, **spec: Any) -> str:
        """A merge patch of its spec; what kubectl said."""
        return self.kubectl("patch", "tsim", self.name, "--type=merge", "--patch", json.dumps({"spec": spec}))

    def scale(self, shards: int) -> None:
        """As a person does."""
        self.kubectl("scale", "tsim", self.name, f"--replicas={shards}")

    def clock(self) -> int:
        """The simulated time that every slot has reached, 0 where there is none."""
        text = (self.status().get("clock") or {}).get("time")
        return parse_instant(text) if text else 0

    def pods(self) -> list[dict[str, Any]]:
        """Its workers' pods that are not being deleted."""
        found = self._list("/api/v1/namespaces/{}/pods")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def pod(self, shard: int) -> dict[str, Any]:
        """The pod of a shard."""
        return next(pod for pod in self.pods() if pod["metadata"]["labels"][LABEL_SHARD] == str(shard))

    def checkpoints(self) -> list[tuple[str, Checkpoint]]:
        """Name and checkpoint of every Lease that has one."""
        leases = self._list("/apis/coordination.k8s.io/v1/namespaces/{}/leases")
        found = ((lease["metadata"]["name"], checkpoint_of(lease)) for lease in leases)
        return [(name, checkpoint) for name, checkpoint in found if checkpoint is not None]

    def settled(self, shards: int) -> bool:
        """Whether the operator has done what the spec says, and all shards are ready."""
        found = self.read()
        status = found.get("status") or {}
        conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
        return (
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("ready") == f"{shards}/{shards}"
            and conditions.get("Ready") == "True"
            and conditions.get("Reconciling") != "True"
        )

    def await_settled(self, shards: int, within: float = 180.0) -> None:
        """See `settled`."""
        eventually(f"{shards} shards are ready", lambda: self.settled(shards), within)

    def _list(self, path: str) -> list[dict[str, Any]]:
        selected = f"?labelSelector={LABEL_SIMULATION}%3D{self.name}"
        found: list[dict[str, Any]] = self.api.get(path.format(self.kubectl.namespace) + selected).expect()[
            "items"
        ]
        return found


def published(pod: dict[str, Any]) -> float:
    """How many messages a worker has published since it took its Lease; -1 where it is silent."""
    with suppress(OSError, KeyError):
        return metric(pod, MESSAGES_PUBLISHED.name)
    return -1.0


def metric(pod: dict[str, Any], name: str) -> float:
    """A metric of a worker without labels; -1 where it has none. OSError, KeyError where it is silent."""
    with urllib.request.urlopen(f"http://{pod['status']['podIP']}:9090/metrics", timeout=2) as answer:
        lines = (line.split() for line in answer.read().decode().splitlines())
        return next((float(words[1]) for words in lines if words[0] == name), -1.0)
