"""The access rules in manifests/rbac, asked of the real API server as the operator, a worker and people.

What each needs works; everything else is denied. The complete list of what the API server grants is compared
too, so that a rule that creeps in fails a test, whether or not somebody thought of the attack.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from access import COLLECTIONS, RBAC, established, install, objects
from kubeapi import Answer, KubeApi
from place import SPEC, Cluster, Namespace, eventually, simulation

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
Attempt = tuple[str, str, str, Any]


@dataclass(frozen=True)
class Team:
    """A namespace with a simulation and everything that belongs to one, and who acts there."""

    name: str
    admin: KubeApi
    operator: KubeApi
    worker: KubeApi
    other: str

    def path(self, group: str, plural: str, name: str = "", namespace: str = "") -> str:
        base = f"/{'api' if group == 'v1' else 'apis'}/{group}/namespaces/{namespace or self.name}/{plural}"
        return f"{base}/{name}" if name else base

    @property
    def simulations(self) -> str:
        return self.path("diurnal.dev/v1alpha1", "trafficsimulations")

    @property
    def leases(self) -> str:
        return self.path("coordination.k8s.io/v1", "leases")

    @property
    def deployments(self) -> str:
        return self.path("apps/v1", "deployments")


@pytest.fixture(scope="module", params=["operator", "operator-namespaced"])
def team(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Team]:
    """One team's namespace, the operator in its own, and another team that has not asked for an operator."""
    api = cluster.api
    with established(api, request.param) as parties:
        operator, worker = (api.impersonating(account) for account in (parties.operator, parties.worker))
        it = Team(parties.team, api, operator, worker, parties.other)
        furnish(it)
        eventually(lambda: operator.get(it.simulations).ok and worker.get(f"{it.leases}/shard").ok)
        yield it


def furnish(team: Team) -> None:
    team.admin.post(team.simulations, simulation(SPEC)).expect()
    team.admin.post(team.leases, {"metadata": {"name": "shard"}, "spec": {}}).expect()
    secret = {"metadata": {"name": "secret"}, "stringData": {"key": "value"}}
    team.admin.post(team.path("v1", "secrets"), secret).expect()
    team.admin.post(team.path("v1", "configmaps"), {"metadata": {"name": "map"}, "data": {}}).expect()


def deployment(name: str) -> dict[str, Any]:
    labels = {"diurnal.dev/simulation": "world"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "worker", "image": "none.invalid/none"}]},
            },
        },
    }


def lease(name: str) -> dict[str, Any]:
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}}


def test_the_operator_sees_simulations_and_writes_their_status(team: Team) -> None:
    path = f"{team.simulations}/world"
    found = team.operator.get(path).expect()
    status = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}, "status": {"shards": 1}}
    team.operator.merge(f"{path}/status", status).expect()
    applied = {k: found[k] for k in ("apiVersion", "kind")} | {
        "metadata": {"name": "world"},
        "status": {"users": 1},
    }
    team.operator.apply(f"{path}/status?force=true", applied).expect()
    team.operator.get(team.simulations).expect()


def test_the_operator_makes_changes_and_deletes_deployments(team: Team) -> None:
    path = f"{team.deployments}/shard"
    team.operator.apply(path, deployment("shard")).expect()
    changed = deployment("shard")
    changed["spec"]["replicas"] = 1
    team.operator.apply(path, changed).expect()
    team.operator.get(path).expect()
    team.operator.get(team.deployments).expect()
    team.operator.delete(path).expect()


def test_the_operator_may_name_the_simulation_as_owner(team: Team) -> None:
    uid = team.admin.get(f"{team.simulations}/world").expect()["metadata"]["uid"]
    owned = lease("owned")
    owner = {"apiVersion": "diurnal.dev/v1alpha1", "kind": "TrafficSimulation", "name": "world", "uid": uid}
    owned["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    team.operator.apply(f"{team.leases}/owned", owned).expect()
    team.operator.delete(f"{team.leases}/owned").expect()


def test_the_operator_makes_lists_seals_and_deletes_leases(team: Team) -> None:
    path = f"{team.leases}/sealed"
    made = team.operator.apply(path, lease("sealed")).expect()
    made["metadata"]["annotations"] = {"diurnal.dev/sealed": "true"}
    team.operator.put(path, made).expect()
    assert team.operator.put(path, made).code == 409
    team.operator.get(f"{team.leases}?labelSelector=diurnal.dev%2Fsimulation").expect()
    team.operator.delete(path).expect()


def test_the_operator_sees_pods_and_tells_events(team: Team) -> None:
    team.operator.get(team.path("v1", "pods")).expect()
    about = {
        "apiVersion": "diurnal.dev/v1alpha1",
        "kind": "TrafficSimulation",
        "name": "world",
        "namespace": team.name,
    }
    event = {
        "metadata": {"generateName": "world-"},
        "involvedObject": about,
        "reason": "Started",
        "type": "Normal",
    }
    team.operator.post(team.path("v1", "events"), event).expect()


def test_the_operator_watches_what_it_acts_on(team: Team) -> None:
    for path in (team.simulations, team.deployments, team.leases, team.path("v1", "pods")):
        answer = team.operator.get(f"{path}?watch=true&timeoutSeconds=1")
        assert answer.code == 200, (path, answer)


def test_a_worker_reads_its_plan_and_holds_its_lease(team: Team) -> None:
    assert team.worker.get(f"{team.simulations}/world").expect()["spec"]["shards"] == 1
    held = team.worker.get(f"{team.leases}/shard").expect()
    held["spec"]["holderIdentity"] = "pod"
    team.worker.put(f"{team.leases}/shard", held).expect()
    assert team.worker.put(f"{team.leases}/shard", held).code == 409


def token(name: str) -> Attempt:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    return ("POST", "v1", f"serviceaccounts/{name}/token", request)


def binding(kind: str, role: str) -> dict[str, Any]:
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    return {
        "metadata": {"name": "up"},
        "roleRef": ref,
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "me"}],
    }


AUTH = "rbac.authorization.k8s.io/v1"
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "p", "image": "none.invalid/none"}]}}
EVERYTHING = {"metadata": {"name": "up"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
CLUSTER_ADMIN = binding("ClusterRole", "cluster-admin")
FINALIZER = {"metadata": {"finalizers": ["x.dev/y"]}}
SHARDS = {"spec": {"shards": 1000}}
# Method, group, what lies below the namespace, body. None of these may the operator or a worker do.
ESCALATIONS: dict[str, Attempt] = {
    "read a secret": ("GET", "v1", "secrets/secret", None),
    "list secrets": ("GET", "v1", "secrets", None),
    "make a secret": ("POST", "v1", "secrets", {"metadata": {"name": "s"}}),
    "read a config map": ("GET", "v1", "configmaps/map", None),
    "get a token of another account": token("default"),
    "make an account": ("POST", "v1", "serviceaccounts", {"metadata": {"name": "a"}}),
    "run in a pod": ("POST", "v1", "pods/p/exec?command=id&stdout=true", None),
    "attach to a pod": ("POST", "v1", "pods/p/attach?stdout=true", None),
    "forward a port of a pod": ("GET", "v1", "pods/p/portforward", None),
    "read a pod's log": ("GET", "v1", "pods/p/log", None),
    "make a bare pod": ("POST", "v1", "pods", POD),
    "put a container into a pod": ("PATCH", "v1", "pods/p/ephemeralcontainers", {"spec": {}}),
    "delete a pod": ("DELETE", "v1", "pods/p", None),
    "evict a pod": ("POST", "v1", "pods/p/eviction", {"metadata": {"name": "p"}}),
    "make a role": ("POST", AUTH, "roles", EVERYTHING),
    "widen its own role": ("PATCH", AUTH, "roles/diurnal-worker", {"rules": EVERYTHING["rules"]}),
    "bind the role of an administrator": ("POST", AUTH, "rolebindings", CLUSTER_ADMIN),
    "change the spec of a simulation": ("PATCH", "diurnal.dev/v1alpha1", "trafficsimulations/world", SHARDS),
    "scale a simulation": ("PATCH", "diurnal.dev/v1alpha1", "trafficsimulations/world/scale", SHARDS),
    "delete a simulation": ("DELETE", "diurnal.dev/v1alpha1", "trafficsimulations/world", None),
    "make a simulation": ("POST", "diurnal.dev/v1alpha1", "trafficsimulations", simulation(SPEC, "new")),
    "set a finalizer": ("PATCH", "diurnal.dev/v1alpha1", "trafficsimulations/world", FINALIZER),
    "make a job": ("POST", "batch/v1", "jobs", {"metadata": {"name": "j"}}),
    "make a daemon set": ("POST", "apps/v1", "daemonsets", {"metadata": {"name": "d"}}),
    "open the network": ("POST", "networking.k8s.io/v1", "networkpolicies", {"metadata": {"name": "n"}}),
    "delete all leases at once": ("DELETE", "coordination.k8s.io/v1", "leases", None),
}  # fmt: skip
# Nor may a worker do these, of which the operator may do most.
OF_A_WORKER: dict[str, Attempt] = {
    **ESCALATIONS,
    "make a lease": ("POST", "coordination.k8s.io/v1", "leases", lease("new")),
    "delete a lease": ("DELETE", "coordination.k8s.io/v1", "leases/shard", None),
    "list leases": ("GET", "coordination.k8s.io/v1", "leases", None),
    "patch a lease past its version": ("PATCH", "coordination.k8s.io/v1", "leases/shard", {"spec": {}}),
    "list simulations": ("GET", "diurnal.dev/v1alpha1", "trafficsimulations", None),
    "write a status": ("PATCH", "diurnal.dev/v1alpha1", "trafficsimulations/world/status", {"status": {}}),
    "make a deployment": ("POST", "apps/v1", "deployments", deployment("evil")),
    "see deployments": ("GET", "apps/v1", "deployments", None),
    "see pods": ("GET", "v1", "pods", None),
    "tell an event": ("POST", "v1", "events", {"metadata": {"generateName": "e"}}),
}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
HOOKS = "/apis/admissionregistration.k8s.io/v1"
BEYOND_NAMESPACES = {
    "make a cluster role": ("POST", f"/apis/{AUTH}/clusterroles", EVERYTHING),
    "bind a cluster role": ("POST", f"/apis/{AUTH}/clusterrolebindings", CLUSTER_ADMIN),
    "list namespaces": ("GET", "/api/v1/namespaces", None),
    "list nodes": ("GET", "/api/v1/nodes", None),
    "reach into a kubelet": ("GET", "/api/v1/nodes/n/proxy/pods", None),
    "change the CRD": ("PATCH", f"{CRDS}/trafficsimulations.diurnal.dev", {}),
    "stand before all requests": ("POST", f"{HOOKS}/validatingwebhookconfigurations", {}),
    "sign a certificate": ("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", {}),
}  # fmt: skip


def attempt(who: KubeApi, team: Team, what: Attempt, namespace: str = "") -> Answer:
    method, group, rest, body = what
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    return who.request(method, team.path(group, rest, namespace=namespace), body, kind)


def denied(answer: Answer) -> None:
    assert answer.code == 403, answer
    assert "cannot" in answer.message


@pytest.mark.parametrize("what", ESCALATIONS)
def test_the_operator_may_not(team: Team, what: str) -> None:
    denied(attempt(team.operator, team, ESCALATIONS[what]))


@pytest.mark.parametrize("what", OF_A_WORKER)
def test_a_worker_may_not(team: Team, what: str) -> None:
    denied(attempt(team.worker, team, OF_A_WORKER[what]))


@pytest.mark.parametrize("what", BEYOND_NAMESPACES)
@pytest.mark.parametrize("who", ["operator", "worker"])
def test_nobody_reaches_beyond_the_namespaces(team: Team, what: str, who: str) -> None:
    method, path, body = BEYOND_NAMESPACES[what]
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    denied(getattr(team, who).request(method, path, body, kind))


@pytest.mark.parametrize("who", ["operator", "worker"])
def test_nobody_may_act_as_somebody_else(cluster: Cluster, team: Team, who: str) -> None:
    """With a real token: an impersonated request cannot impersonate again."""
    account = dict(getattr(team, who).headers)["Impersonate-User"].removeprefix("system:serviceaccount:")
    himself = KubeApi.of(cluster.kubeconfig(account))
    himself.get(f"{team.simulations}/world").expect()
    for headers in (
        {"Impersonate-User": "admin"},
        {"Impersonate-User": "me", "Impersonate-Group": "system:masters"},
    ):
        denied(KubeApi(himself.client, headers).get(team.simulations))


@pytest.mark.parametrize("what", ["read the lease of another team", "read a simulation of another team"])
def test_a_worker_stays_in_its_namespace(team: Team, what: str) -> None:
    asked = {
        "read the lease of another team": ("GET", "coordination.k8s.io/v1", "leases/any", None),
        "read a simulation of another team": ("GET", "diurnal.dev/v1alpha1", "trafficsimulations/any", None),
    }
    denied(attempt(team.worker, team, asked[what], namespace=team.other))


def test_an_operator_of_some_namespaces_stays_in_them(team: Team) -> None:
    answers = [
        team.operator.get(team.path(group, plural, namespace=team.other)).code
        for group, plural in (("diurnal.dev/v1alpha1", "trafficsimulations"), ("apps/v1", "deployments"))
    ]
    everywhere = "diurnal-operator-" in dict(team.operator.headers)["Impersonate-User"]
    assert answers == [200, 200] if everywhere else answers == [403, 403]


RULES_OF_OPERATOR = {
    "diurnal.dev/trafficsimulations": "get list watch",
    "diurnal.dev/trafficsimulations/status": "patch",
    "apps/deployments": "create delete get list patch watch",
    "coordination.k8s.io/leases": "create delete get list patch update watch",
    "/pods": "list watch",
    "/events": "create",
}
RULES_OF_WORKER = {"coordination.k8s.io/leases": "get update", "diurnal.dev/trafficsimulations": "get"}


def granted(api: KubeApi, namespace: str) -> dict[str, str]:
    """All that the API server lets somebody do with resources in a namespace, but for asking who they are."""
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    told = api.post(path, {**review, "spec": {"namespace": namespace}}).expect()["status"]
    assert not told["incomplete"]
    verbs: dict[str, set[str]] = {}
    for rule in told["resourceRules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs.setdefault(f"{group}/{resource}", set()).update(rule["verbs"])
    return {what: " ".join(sorted(found)) for what, found in verbs.items() if "selfsubject" not in what}


def test_the_operator_is_granted_this_and_nothing_else(team: Team) -> None:
    assert granted(team.operator, team.name) == RULES_OF_OPERATOR


def test_a_worker_is_granted_this_and_nothing_else(team: Team) -> None:
    assert granted(team.worker, team.name) == RULES_OF_WORKER
    assert granted(team.worker, team.other) == {}


def test_every_rule_has_its_reason_beside_it() -> None:
    for path in RBAC.glob("*/*.yaml"):
        lines = path.read_text().splitlines()
        for before, line in pairwise(lines):
            assert not line.startswith("- apiGroups") or before.startswith("# "), (path, line)


def test_the_two_operators_have_the_same_rules() -> None:
    everywhere = next(each for each in objects("operator") if each["kind"] == "ClusterRole")
    somewhere = next(each for each in objects("operator-namespaced") if each["kind"] == "Role")
    assert everywhere["rules"] == somewhere["rules"]


def test_people_who_may_edit_may_run_simulations_and_not_forge_their_status(namespace: Namespace) -> None:
    api = namespace.api
    install(api, "users", {"default": namespace.name})
    people = {role: f"{namespace.name}:{role}" for role in ("view", "edit")}
    for role in people:
        bound = {**binding("ClusterRole", role), "metadata": {"name": role}}
        bound["subjects"] = [{"kind": "ServiceAccount", "name": role, "namespace": namespace.name}]
        api.post(COLLECTIONS["RoleBinding"].format(namespace.name), bound).expect()
    editor, viewer = (api.impersonating(people[role]) for role in ("edit", "view"))
    path = f"{namespace.simulations}/world"
    eventually(lambda: editor.post(namespace.simulations, simulation(SPEC)).ok)
    eventually(lambda: viewer.get(path).ok)
    editor.merge(f"{path}/scale", {"spec": {"replicas": 2}}).expect()
    denied(editor.merge(f"{path}/status", {"status": {"shards": 9}}))
    denied(viewer.merge(path, {"spec": {"suspend": True}}))
    editor.delete(path).expect()


def test_manifests_are_found() -> None:
    assert {path.name for path in RBAC.iterdir()} >= {
        "operator",
        "operator-namespaced",
        "worker",
        "users",
        "worker-default",
    }


FOLDERS = sorted(path.parent.name for path in RBAC.glob("*/kustomization.yaml"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_is_a_kustomization_that_kubectl_takes(kubectl: Kubectl, folder: str) -> None:
    rendered = kubectl("kustomize", str(RBAC / folder))
    assert rendered.returncode == 0, rendered.stderr
    found = {(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(rendered.stdout)}
    assert found == {(each["kind"], each["metadata"]["name"]) for each in objects(folder)}


def test_an_overlay_moves_the_workers_and_gives_them_an_identity(kubectl: Kubectl, tmp_path: Path) -> None:
    """As the comment in manifests/rbac/worker says."""
    comment = (RBAC / "worker" / "kustomization.yaml").read_text().split("identity that may publish:\n")[1]
    overlay = "\n".join(line[4:] for line in comment.splitlines() if line.startswith("#   "))
    base = os.path.relpath(RBAC / "worker", tmp_path)
    (tmp_path / "kustomization.yaml").write_text(overlay.replace("manifests/rbac/worker", base))
    rendered = kubectl("kustomize", str(tmp_path))
    assert rendered.returncode == 0, rendered.stderr
    found = {each["kind"]: each for each in yaml.safe_load_all(rendered.stdout)}
    assert {each["metadata"]["namespace"] for each in found.values()} == {"team"}
    assert found["RoleBinding"]["subjects"][0]["namespace"] == "team"
    assert "iam.gke.io/gcp-service-account" in found["ServiceAccount"]["metadata"]["annotations"]
