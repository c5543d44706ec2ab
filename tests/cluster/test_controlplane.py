"""The control plane of the tests: real controllers, a restart that keeps what is stored, real identities."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from binaries import NoControlPlaneError
from controlplane import ControlPlane
from kubeapi import KubeApi
from place import Cluster, Namespace, eventually
from processes import Processes, free_ports


def own(cluster: Cluster) -> ControlPlane:
    if cluster.own is None:
        pytest.skip("KUBECONFIG names a cluster that is not ours to restart")
    return cluster.own


def command_of(pid: int) -> bytes:
    """The command of a process; empty where it has ended, also while nobody has asked how."""
    path = Path(f"/proc/{pid}/cmdline")
    return path.read_bytes() if path.exists() else b""


def config_map(name: str, **more: object) -> dict[str, object]:
    return {"metadata": {"name": name, **more}, "data": {"key": "value"}}


def deployment(name: str) -> dict[str, object]:
    container = {"name": "it", "image": "none.invalid/none"}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"of": name}},
            "template": {"metadata": {"labels": {"of": name}}, "spec": {"containers": [container]}},
        },
    }


def test_a_deployment_gets_its_pods(namespace: Namespace) -> None:
    base = f"/namespaces/{namespace.name}"
    namespace.api.post(f"/apis/apps/v1{base}/deployments", deployment("two")).expect()
    pods = f"/api/v1{base}/pods?labelSelector=of%3Dtwo"
    eventually(lambda: len(namespace.api.get(pods).expect()["items"]) == 2)


def test_what_an_owner_leaves_behind_is_collected(namespace: Namespace) -> None:
    created = namespace.create({"sink": {"discard": {}}}).expect()
    owner = {"apiVersion": created["apiVersion"], "kind": created["kind"], "name": "world"}
    owner["uid"] = created["metadata"]["uid"]
    maps = f"/api/v1/namespaces/{namespace.name}/configmaps"
    namespace.api.post(maps, config_map("child", ownerReferences=[owner])).expect()
    namespace.api.delete(f"{namespace.simulations}/world").expect()
    eventually(lambda: namespace.api.get(f"{maps}/child").code == 404, within=90)


def test_a_service_account_is_itself_and_may_do_nothing(cluster: Cluster, namespace: Namespace) -> None:
    api = KubeApi.of(cluster.kubeconfig(f"{namespace.name}:default"))
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    told = api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review).expect()
    assert told["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace.name}:default"
    assert api.get(namespace.simulations).code == 403


def test_an_api_server_that_was_restarted_knows_what_it_knew(cluster: Cluster, namespace: Namespace) -> None:
    maps = f"/api/v1/namespaces/{namespace.name}/configmaps"
    before = namespace.api.post(maps, config_map("kept")).expect()
    own(cluster).restart_apiserver()
    assert namespace.api.get(f"{maps}/kept").expect()["metadata"]["uid"] == before["metadata"]["uid"]


def test_two_control_planes_stand_side_by_side_and_end_completely(cluster: Cluster) -> None:
    other = ControlPlane()
    other.start()
    try:
        assert other.url != own(cluster).url
        assert other.api.get("/apis/apps/v1/deployments").expect()["items"] == []
        assert other.api.get("/apis/diurnal.dev/v1alpha1/trafficsimulations").code == 404
    finally:
        other.stop()
    assert not other.folder.exists()
    other.stop()


def test_a_control_plane_never_ends_up_on_an_etcd_that_is_not_its_own(cluster: Cluster) -> None:
    taken = own(cluster).ports[0]
    other = ControlPlane(ports=(taken, *free_ports()[1:]))
    with pytest.raises(NoControlPlaneError, match="etcd ended at once"):
        other.start()
    assert not other.folder.exists()


def test_ports_are_four_different_ones() -> None:
    assert len(set(free_ports())) == 4


def test_processes_end_when_the_tests_are_killed(tmp_path: Path) -> None:
    """A killed run leaves no API server behind, where the system can see to it."""
    if shutil.which("setpriv") is None:
        pytest.skip("without setpriv (util-linux), killed tests leave their processes behind")
    script = "from pathlib import Path; from processes import Processes; import os, sys, time; "
    script += "it = Processes(Path(sys.argv[1])); it.run('sleep', 'sleep', '600'); "
    script += "print(it.pid('sleep'), flush=True); time.sleep(600)"
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        child = int(tests.stdout.readline())
        eventually(lambda: command_of(child).startswith(b"sleep"))
        tests.kill()
    eventually(lambda: command_of(child) == b"")


def test_a_process_that_ignores_sigterm_is_ended_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processes.ENDS_WITHIN", 0.2)
    it = Processes(tmp_path)
    it.run("deaf", "sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done")
    pid = it.pid("deaf")
    eventually(lambda: "deaf" in it.log("deaf"))
    it.end("deaf", signal.SIGTERM)
    assert command_of(pid) == b""
