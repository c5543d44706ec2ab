"""The access rules in manifests/rbac, created for one test under names of its own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import yaml

from kubeapi import KubeApi
from place import ROOT, eventually

RBAC = ROOT / "manifests" / "rbac"
NAMESPACES = "/api/v1/namespaces"
COLLECTIONS = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


@dataclass(frozen=True)
class Parties:
    """Three namespaces, of a team, of the operator and of another team; and the operator's account in its."""

    team: str
    system: str
    other: str
    account: str

    @property
    def operator(self) -> str:
        """The operator as NAMESPACE:NAME."""
        return f"{self.system}:{self.account}"

    @property
    def worker(self) -> str:
        """A worker of the team as NAMESPACE:NAME."""
        return f"{self.team}:diurnal-worker"


@contextmanager
def established(api: KubeApi, variant: str) -> Iterator[Parties]:
    """The operator of a folder (operator, operator-namespaced) and the team's workers, with their rights."""
    tag = uuid.uuid4().hex[:8]
    # What has no namespace needs a name of its own.
    account = f"diurnal-operator-{tag}" if variant == "operator" else "diurnal-operator"
    parties = Parties(f"team-{tag}", f"system-{tag}", f"other-{tag}", account)
    spaces = (parties.team, parties.system, parties.other)
    names = {"default": parties.team, "diurnal-system": parties.system, "diurnal-operator": account}
    for name in spaces:
        api.post(NAMESPACES, {"metadata": {"name": name}}).expect()
        eventually(partial(_has_account, api, name))
    paths = [
        path for folder in (variant, "operator-account", "worker") for path in install(api, folder, names)
    ]
    try:
        yield parties
    finally:
        for path in (*paths, *(f"{NAMESPACES}/{name}" for name in spaces)):
            api.delete(path)


def install(api: KubeApi, folder: str, names: dict[str, str]) -> list[str]:
    """Creates the objects of a folder, names exchanged; their paths."""
    return [_create(api, _renamed(each, names), names["default"]) for each in objects(folder)]


def objects(folder: str) -> list[dict[str, Any]]:
    """The objects of a kustomization, in the order of its resources."""
    kustomization = yaml.safe_load((RBAC / folder / "kustomization.yaml").read_text())
    found: list[dict[str, Any]] = []
    for resource in kustomization["resources"]:
        path = (RBAC / folder / resource).resolve()
        found += objects(path.name) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    return found


def _renamed(it: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    text = json.dumps(it)
    for old, new in names.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    return dict(json.loads(text))


def _create(api: KubeApi, it: dict[str, Any], namespace: str) -> str:
    collection = COLLECTIONS[it["kind"]].format(it["metadata"].get("namespace", namespace))
    path = f"{collection}/{it['metadata']['name']}"
    api.apply(f"{path}?force=true", it).expect()
    return path


def _has_account(api: KubeApi, namespace: str) -> bool:
    return api.get(f"{NAMESPACES}/{namespace}/serviceaccounts/default").ok
