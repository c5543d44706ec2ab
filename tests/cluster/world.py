"""What tests of a whole simulation stand on: a namespace of their own and the API server as they see it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client, config

from diurnal_api.layout import earliest, parse_position
from diurnal_api.spec import GROUP, PLURAL, VERSION

PATIENCE = 120.0  # a busy machine is no fault
Object = dict[str, Any]


def eventually(what: str, holds: Callable[[], Any], patience: float = PATIENCE, every: float = 0.1) -> Any:
    """Looks until something holds, and returns it; the last look's answer is in the failure."""
    deadline = time.monotonic() + patience
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {patience:g} s; last {found!r}")
        time.sleep(every)


class World:
    """The API server as a test sees it, in a namespace of its own."""

    def __init__(self, namespace: str, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        untyped: Any = config.new_client_from_config
        self.client: Any = untyped(str(kubeconfig))
        self.namespace = namespace
        self.core: Any = client.CoreV1Api(self.client)
        self.apps: Any = client.AppsV1Api(self.client)
        self.coordination: Any = client.CoordinationV1Api(self.client)
        self.custom: Any = client.CustomObjectsApi(self.client)
        self.error: Any = client.ApiException

    @property
    def system(self) -> str:
        """The namespace of the operator."""
        return f"{self.namespace}-operator"

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

    def deployments(self) -> list[Object]:
        return list(self.raw(self.apps.list_namespaced_deployment(self.namespace))["items"])

    def leases(self) -> list[Object]:
        return list(self.raw(self.coordination.list_namespaced_lease(self.namespace))["items"])

    def pods(self) -> list[Object]:
        return list(self.raw(self.core.list_namespaced_pod(self.namespace))["items"])

    def events(self) -> list[str]:
        found = self.raw(self.core.list_namespaced_event(self.namespace))["items"]
        return [e["reason"] for e in found if e["involvedObject"]["kind"] == "TrafficSimulation"]

    def clock(self, name: str) -> int:
        return earliest(parse_position(self.status(name)["clock"]["segments"]))

    def is_running(self, name: str, shards: int) -> bool:
        """As its spec wants it, and all shards publish."""
        found = self.get(name) or {}
        status = found.get("status") or {}
        return (
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("ready") == f"{shards}/{shards}"
            and self.condition(name, "Ready").get("status") == "True"
            and status.get("state") in {"Running", "Throttled"}
        )

    def is_at_rest(self, name: str, state: str) -> bool:
        """In this state, as its spec wants it, and without a pod."""
        found = self.get(name) or {}
        status = found.get("status") or {}
        return (
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("state") == state
            and not self.pods()
        )

    def is_empty(self) -> bool:
        """Whether nothing of any simulation is left."""
        return not (self.deployments() or self.leases() or self.pods())


@contextmanager
def a_world(kubeconfig: Path) -> Iterator[World]:
    """A world with namespaces of its own, ready for pods under the restricted profile."""
    world = World(f"t-{uuid.uuid4().hex[:8]}", kubeconfig)
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    for name in (world.namespace, world.system):
        world.core.create_namespace({"metadata": {"name": name, "labels": restricted}})
    eventually("a service account", lambda: world.core.list_namespaced_service_account(world.namespace).items)
    try:
        yield world
    finally:
        for name in (world.namespace, world.system):
            world.core.delete_namespace(name)
        world.client.close()
