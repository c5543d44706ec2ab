"""Where a test on a real API server happens: a cluster, and in it a namespace that nobody else uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controlplane import ControlPlane
from kubeapi import SIMULATIONS, Answer, KubeApi, documents, kubeconfig_as

ROOT = Path(__file__).parents[2]
SPEC: dict[str, Any] = {"sink": {"discard": {}}}
"""The smallest spec that costs nothing."""

CRD = ROOT / "crds" / "trafficsimulations.diurnal.dev.yaml"


@dataclass(frozen=True)
class Cluster:
    """A cluster to test on. `own` is the control plane where the tests have started it, else None."""

    admin: Path
    api: KubeApi
    folder: Path
    own: ControlPlane | None = None

    def kubeconfig(self, user: str | None = None) -> Path:
        """A kubeconfig file of the administrator, or of a service account NAMESPACE:NAME."""
        return self.admin if user is None else kubeconfig_as(user, self.admin, self.folder)


@dataclass(frozen=True)
class Namespace:
    """A namespace of its own in a cluster that knows TrafficSimulations."""

    name: str
    cluster: Cluster

    @property
    def api(self) -> KubeApi:
        return self.cluster.api

    @property
    def simulations(self) -> str:
        """The path of the namespace's simulations."""
        return SIMULATIONS.format(self.name)

    def create(self, spec: Any, name: str = "world") -> Answer:
        """Posts a simulation with the strictness of kubectl: unknown fields are refused."""
        return self.api.post(f"{self.simulations}?fieldValidation=Strict", simulation(spec, name))

    def read(self, name: str = "world") -> Any:
        """The simulation as it is stored."""
        return self.api.get(f"{self.simulations}/{name}").expect()


def simulation(spec: Any, name: str = "world") -> dict[str, Any]:
    """A whole object of the kind under test."""
    return {
        "apiVersion": "diurnal.dev/v1alpha1",
        "kind": "TrafficSimulation",
        "metadata": {"name": name},
        "spec": spec,
    }


def eventually(holds: Callable[[], Any], within: float = 30.0, every: float = 0.05) -> Any:
    """The first truth that `holds` tells; AssertionError where there is none in `within` seconds."""
    give_up = time.monotonic() + within
    while not (found := holds()):
        assert time.monotonic() < give_up, f"not within {within:.0f} s"
        time.sleep(every)
    return found


def install(api: KubeApi) -> None:
    """The CRD of this tree, served and with a schema that the API server takes for structural."""
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    [crd] = documents(CRD)
    path = f"{definitions}/{crd['metadata']['name']}"
    api.apply(f"{path}?force=true", crd).expect()
    eventually(lambda: api.get(SIMULATIONS.format("default")).ok)
    conditions = api.get(path).expect()["status"]["conditions"]
    assert {c["type"]: c["status"] for c in conditions}.get("NonStructuralSchema", "False") == "False"
