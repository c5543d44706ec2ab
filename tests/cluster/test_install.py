"""What is installed: all ways come to the same objects, which an API server admits where it is strictest.

Helm and kube-score are compiled once, as the control plane is.
"""

from __future__ import annotations

import copy
import os
import re
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from binaries import installed
from diurnal_operator.settings import Settings
from modelled import ModelCluster
from place import ROOT, SPEC, Cluster, Namespace, eventually

HELM = "helm.sh/helm/v3/cmd/helm@v3.19.5"
KUBE_SCORE = "github.com/zegl/kube-score/cmd/kube-score@v1.20.0"
CHART = ROOT / "charts" / "diurnal"
OVERLAYS = ROOT / "manifests" / "overlays"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRD = f"{CRDS}/trafficsimulations.diurnal.dev"
Kubectl = Callable[..., subprocess.CompletedProcess[str]]
Object = dict[str, Any]

pytestmark = pytest.mark.timeout(1800)  # the first run compiles

WAYS = {
    "all namespaces": (ROOT / "manifests" / "default", None),
    "some namespaces": (OVERLAYS / "namespaced", "namespaced.yaml"),
    "Google Kubernetes Engine": (OVERLAYS / "gke", "gke.yaml"),
    "an emulator": (OVERLAYS / "emulator", "emulator.yaml"),
}
"""Each a folder for kubectl, and the chart's values that say the same."""
NEW = ("--kube-version", "v1.35.0")
"""What the cluster is, for commands that do not ask it."""
ACCOUNTS = {"diurnal-system": "diurnal-operator", "traffic": "diurnal-worker"}
LABELS_OF_HELM = {"helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance"}


def fine(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def helm(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """Runs Helm on the cluster."""
    program, home = installed(HELM), tmp_path_factory.mktemp("helm")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(cluster.kubeconfig())
    }  # fmt: skip

    def run(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program), *arguments],
            input=given, capture_output=True, text=True, check=False, env=environment, timeout=120,
        )  # fmt: skip

    return run


def kustomized(kubectl: Kubectl, folder: Path) -> dict[tuple[str, str, str], Object]:
    return named(parsed(fine(kubectl("kustomize", str(folder)))))


def templated(helm: Kubectl, values: str | None, *more: str) -> dict[tuple[str, str, str], Object]:
    given = ["--values", str(CHART / "examples" / values)] if values else []
    told = helm("template", "diurnal", str(CHART), "--namespace", "diurnal-system", *given, *more, *NEW)
    return named(parsed(fine(told)))


class _Numbers(yaml.SafeLoader):
    """Takes 1e-09 for a number, as Kubernetes and YAML 1.2 do."""


_Numbers.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parsed(text: str) -> Iterator[Any]:
    return yaml.load_all(text, _Numbers)


def named(objects: Iterator[Any]) -> dict[tuple[str, str, str], Object]:
    """Objects by kind, namespace and name; no two of them are the same one."""
    found: dict[tuple[str, str, str], Object] = {}
    for each in objects:
        if each is not None:
            meta = each["metadata"]
            key = (each["kind"], meta.get("namespace", ""), meta["name"])
            assert key not in found
            found[key] = each
    return found


def plain(it: Object) -> Object:
    """An object without what Helm adds and with its environment in one order."""
    it = copy.deepcopy(it)
    for part in ("labels", "annotations"):
        kept = {
            key: value
            for key, value in it["metadata"].pop(part, {}).items()
            if key not in LABELS_OF_HELM and key != "helm.sh/resource-policy"
        }
        if kept:
            it["metadata"][part] = kept
    if it["kind"] == "Deployment":
        for container in it["spec"]["template"]["spec"]["containers"]:
            container["env"].sort(key=lambda entry: entry["name"])
    return it


def test_one_file_and_the_folder_install_the_same(kubectl: Kubectl) -> None:
    one_file = named(parsed((ROOT / "manifests" / "install.yaml").read_text("utf-8")))
    assert one_file == kustomized(kubectl, ROOT / "manifests" / "default")


@pytest.mark.parametrize("way", WAYS)
def test_the_chart_and_kustomize_install_the_same(kubectl: Kubectl, helm: Kubectl, way: str) -> None:
    """But for the operator's namespace, which is Helm's to make, and the emulator, which is no part of it."""
    folder, values = WAYS[way]
    by_kustomize = {
        key: plain(it)
        for key, it in kustomized(kubectl, folder).items()
        if key[0] != "Namespace" and "pubsub-emulator" not in key
    }
    by_helm = {key: plain(it) for key, it in templated(helm, values).items()}
    assert set(by_helm) == set(by_kustomize)
    for key, it in by_kustomize.items():
        assert by_helm[key] == it, key


def test_the_chart_brings_the_same_monitoring_as_the_folder(kubectl: Kubectl, helm: Kubectl) -> None:
    by_kustomize = kustomized(kubectl, ROOT / "manifests" / "monitoring")
    without = templated(helm, None)
    asked = ("--set", "monitoring.enabled=true", "--set", "monitoring.labels.release=theirs")
    added = {key: it for key, it in templated(helm, None, *asked).items() if key not in without}
    assert set(added) == set(by_kustomize)
    for key, it in added.items():
        chosen = it["metadata"].get("labels", {}).pop("release", None)
        assert (chosen == "theirs") is (key[0] != "ConfigMap"), key
        assert plain(it) == plain(by_kustomize[key]), key


def test_helm_finds_nothing_to_say_of_the_chart(helm: Kubectl) -> None:
    for values in (None, *sorted((CHART / "examples").iterdir())):
        given = ["--values", str(values)] if values else []
        assert "0 chart(s) failed" in fine(helm("lint", "--strict", str(CHART), *given, *NEW))


@pytest.mark.parametrize(
    "wrong",
    [
        "namespace=traffic",
        "images.worker.digest=latest",
        "namespaces[0]=Not_A_Name",
        "settings.DIURNAL_NAMESPACES=team",
        "settings.PATH=/tmp",
        "emulator=somewhere",
        "crds.keep=perhaps",
    ],
)
def test_the_schema_refuses_values_that_would_do_nothing_or_harm(helm: Kubectl, wrong: str) -> None:
    told = helm("template", "diurnal", str(CHART), "--set", wrong, *NEW)
    assert told.returncode != 0
    assert "values don't meet the specifications of the schema" in told.stderr


def test_values_reach_the_operator(helm: Kubectl) -> None:
    digest = f"sha256:{'a' * 64}"
    told = templated(
        helm, None,
        "--set", f"images.operator.repository=r.example/op,images.operator.digest={digest}",
        "--set", "images.worker.tag=v9,images.pullSecrets[0]=secret",
        "--set", "settings.DIURNAL_MAX_SHARDS=8,operator.priorityClassName=high",
    )  # fmt: skip
    pod = told["Deployment", "diurnal-system", "diurnal-operator"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert container["image"] == f"r.example/op@{digest}"
    assert environment["DIURNAL_WORKER_IMAGE"] == "localhost/diurnal-worker:v9"
    assert environment["DIURNAL_MAX_SHARDS"] == "8"
    assert pod["imagePullSecrets"] == [{"name": "secret"}]
    assert pod["priorityClassName"] == "high"


def test_a_release_in_another_namespace_is_there_alone(helm: Kubectl) -> None:
    values = ["--values", str(CHART / "examples" / "namespaced.yaml"), "--set", "crds.install=false"]
    told = fine(helm("template", "it", str(CHART), "--namespace", "elsewhere", *values, *NEW))
    assert "diurnal-system" not in told
    assert {namespace for _, namespace, _ in named(parsed(told))} == {"elsewhere", "traffic", ""}


def is_there(cluster: Cluster, path: str) -> bool:
    return cluster.api.get(path).ok


def is_gone(cluster: Cluster, path: str) -> bool:
    return cluster.api.get(path).code == 404


@pytest.fixture(scope="module")
def strict(cluster: Cluster) -> Iterator[None]:
    """The namespaces of operator and workers, in which the strictest profile is enforced."""
    level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    for name, account in ACCOUNTS.items():
        made = {"metadata": {"name": name, "labels": level}}
        cluster.api.post("/api/v1/namespaces", made).expect()
        accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
        cluster.api.post(accounts, {"metadata": {"name": account}}).expect()
        eventually(partial(is_there, cluster, f"{accounts}/default"))
    yield
    for name in ACCOUNTS:
        cluster.api.delete(f"/api/v1/namespaces/{name}").expect()
        eventually(partial(is_gone, cluster, f"/api/v1/namespaces/{name}"))


def workers() -> list[Object]:
    """The operator's Deployments of the plainest simulation, and of one with all that adds to a pod."""
    found = []
    specs: tuple[Object, ...] = (
        {},
        {
            "population": {"countries": {"configMap": {"name": "countries", "key": "countries.csv"}}},
            "worker": {
                "serviceAccountName": "diurnal-worker",
                "nodeSelector": {"disk": "fast"},
                "tolerations": [{"key": "spot", "operator": "Exists"}],
            },
        },
    )
    for spec in specs:
        world = ModelCluster(settings=Settings(worker_image=f"registry.example/worker@sha256:{'a' * 64}"))
        world.create(**spec)
        world.settle()
        [deployment] = world.deployments.values()
        deployment["metadata"] = {
            key: value
            for key, value in deployment["metadata"].items()
            if key in {"name", "labels", "annotations"}
        } | {"namespace": "traffic"}
        found.append(deployment)
    return found


def everything(kubectl: Kubectl) -> list[Object]:
    """All objects of all ways, and the operator's own."""
    found = [it for folder, _ in WAYS.values() for it in kustomized(kubectl, folder).values()]
    return [*found, *workers()]


@pytest.mark.usefixtures("strict")
def test_the_api_server_takes_every_object_without_a_warning(kubectl: Kubectl) -> None:
    for folder, _ in WAYS.values():
        told = kubectl(
            "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-k", str(folder), "-n", ""
        )
        assert told.returncode == 0, told.stderr
        assert "Warning" not in told.stderr
    for deployment in workers():
        applied = yaml.safe_dump(deployment)
        told = kubectl(
            "-n", "traffic", "apply", "--server-side", "--dry-run=server", "-f", "-", given=applied
        )
        assert told.returncode == 0, told.stderr
        assert "Warning" not in told.stderr


@pytest.mark.usefixtures("strict")
def test_every_pod_is_admitted_where_the_strictest_profile_is_enforced(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    """A Deployment is only warned about; its pods would be refused. So they are asked for themselves."""
    for each in everything(kubectl):
        if each["kind"] == "Deployment":
            place = each["metadata"]["namespace"]
            pod = {"metadata": {"name": "it"}, "spec": each["spec"]["template"]["spec"]}
            cluster.api.post(f"/api/v1/namespaces/{place}/pods?dryRun=All", pod).expect()


@pytest.mark.usefixtures("strict")
def test_it_is_enforced(cluster: Cluster) -> None:
    careless = {"metadata": {"name": "it"}, "spec": {"containers": [{"name": "it", "image": "it"}]}}
    for name in ACCOUNTS:
        refused = cluster.api.post(f"/api/v1/namespaces/{name}/pods?dryRun=All", careless)
        assert refused.code == 403
        assert "violates PodSecurity" in refused.message


@pytest.mark.parametrize("way", WAYS)
def test_kube_score_finds_nothing(kubectl: Kubectl, tmp_path: Path, way: str) -> None:
    """With the workers, for whom there are policies. Two rules are left out: an image named by its digest
    need not be asked for at every start, and a worker has no CPU limit unless its simulation says one."""
    installed_objects = kustomized(kubectl, WAYS[way][0])
    team = kustomized(kubectl, OVERLAYS / "team")
    judged = tmp_path / "judged.yaml"
    judged.write_text(yaml.safe_dump_all([*{**team, **installed_objects}.values(), workers()[0]]), "utf-8")
    done = subprocess.run(
        [installed(KUBE_SCORE), "score", "--ignore-test", "container-image-pull-policy",
         "--ignore-container-cpu-limit", "--output-format", "ci", str(judged)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = [line for line in done.stdout.splitlines() if line.startswith(("[CRITICAL]", "[WARNING]"))]
    assert found == [], done.stderr
    assert "[OK]" in done.stdout


def test_helm_upgrades_the_definition_and_leaves_it_and_every_simulation_when_it_goes(
    cluster: Cluster, namespace: Namespace, helm: Kubectl, tmp_path: Path
) -> None:
    """The definition that kubectl has installed is taken over; then it changes; then the release goes."""
    place = ["--namespace", f"helm-{uuid.uuid4().hex[:8]}"]
    upgrade = ["upgrade", "--install", "diurnal"]
    fine(helm(*upgrade, str(CHART), *place, "--create-namespace", "--take-ownership"))
    namespace.create(SPEC).expect()
    newer = tmp_path / "diurnal"
    shutil.copytree(CHART, newer)
    definition = newer / "objects" / "crd.yaml"
    text = definition.read_text("utf-8")
    definition.write_text(text.replace("    - tsim\n", "    - tsim\n    - sim\n"), "utf-8")
    try:
        fine(helm(*upgrade, str(newer), *place))
        assert cluster.api.get(CRD).expect()["spec"]["names"]["shortNames"] == ["tsim", "sim"]
        fine(helm(*upgrade, str(CHART), *place))
        assert cluster.api.get(CRD).expect()["spec"]["names"]["shortNames"] == ["tsim"]
    finally:
        fine(helm("uninstall", "diurnal", *place))
    assert not cluster.api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/diurnal-operator").ok
    assert "deletionTimestamp" not in cluster.api.get(CRD).expect()["metadata"]
    namespace.read()


def test_the_commands_of_the_page_work(cluster: Cluster, helm: Kubectl) -> None:
    """Those of Helm, word for word but for the namespaces, which are the test's own."""
    tag = uuid.uuid4().hex[:8]
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": f"traffic-{tag}"}}).expect()
    commands = re.findall(r"(?m)^helm .*$", (ROOT / "docs" / "install.md").read_text("utf-8"))
    assert [shlex.split(command)[1] for command in commands] == ["upgrade", "upgrade", "uninstall"]
    for command in commands:
        own = command.replace("diurnal-system", f"system-{tag}").replace('"traffic"', f'"traffic-{tag}"')
        first = ["--take-ownership"] if "--install" in own else []
        fine(helm(*shlex.split(own.replace("charts/diurnal", str(CHART)))[1:], *first))
        account = cluster.api.get(f"/api/v1/namespaces/traffic-{tag}/serviceaccounts/diurnal-worker")
        assert account.ok is ("workers" in own), own
