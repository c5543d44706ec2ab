"""A real single-node Kubernetes cluster on this machine, without Docker: `make e2e` brings it up by itself.

The control plane is that of tests/cluster, on an address that pods can reach; beside it run a scheduler, a
kubelet, kube-proxy and containerd. It needs Linux, root, what tests/e2e/packages installs, and kubectl.
Pods run as on any node (restricted Pod Security, seccomp, service accounts, Services, logs, exec). It has no
DNS server, no image registry, and does not enforce NetworkPolicies.

`python tests/e2e/node.py` keeps one up until it is interrupted. One at a time on a machine.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "cluster")]

import containers  # noqa: E402
import network  # noqa: E402
from binaries import COMPILED, OF_A_NODE, NoControlPlaneError, programs  # noqa: E402 (the folder of the tests)
from containers import Containers  # noqa: E402
from controlplane import ControlPlane  # noqa: E402
from images import without_a_registry  # noqa: E402
from kubeapi import KubeApi  # noqa: E402
from network import Network, run  # noqa: E402
from processes import Processes, free_ports  # noqa: E402

NAME = "diurnal-node"
LOCK = Path(tempfile.gettempdir()) / "diurnal-e2e-node.lock"
NEEDED = ("containerd", "runc", "buildah", "iptables", "ip", "conntrack", "debootstrap", "kubectl", "setpriv")
PREFIX = "diurnal-node-"
KEPT_IN = Path("/var/tmp")
PODS = "/api/v1/pods"


class Node:
    """One cluster of one node. Start it, use its kubeconfig, stop it."""

    def __init__(self) -> None:
        check_this_machine()
        self._lock = _lock()
        remove_leftovers()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=KEPT_IN))
        self._network = Network(self.folder)
        self._processes = Processes(self.folder)
        self.plane = ControlPlane(host=self._network.gateway, controllers=("*",))
        self.containers = Containers(self.folder, self._processes, self._network)
        self._programs: dict[str, Path] = {}

    @property
    def address(self) -> str:
        """This machine, as pods and the machine itself see it."""
        return self._network.gateway

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file of the administrator."""
        return self.plane.kubeconfig()

    @property
    def api(self) -> KubeApi:
        """A client with all rights."""
        return self.plane.api

    def start(self, prepare: Callable[[KubeApi], object] = lambda _: None) -> None:
        """The node is Ready. Raises NoControlPlaneError; nothing runs then."""
        try:
            self._programs = programs([*COMPILED, *OF_A_NODE])
            self._network.start()
            self.plane.start(prepare)
            self.containers.start()
            self._start_node()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Pods, processes, mounts, the bridge and rules of this node are gone. May be called at any time."""
        with suppress(Exception):
            self._end_pods()
        for name in ("kube-scheduler", "kubelet"):
            self._processes.end(name, signal.SIGKILL)
        self.containers.stop()
        self._processes.end("kube-proxy", signal.SIGKILL)
        remove_services()
        self.plane.stop()
        self._network.stop()
        _remove_cgroups()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    @property
    def environment(self) -> dict[str, str]:
        """In which `make images push install` and kubectl work on this cluster."""
        return {"KUBECONFIG": str(self.kubeconfig), **without_a_registry(self.containers.socket)}

    def log(self, name: str) -> str:
        """What a process has written: containerd, kubelet, kube-proxy, kube-scheduler."""
        return self._processes.log(name)

    def _start_node(self) -> None:
        scheduler, kubelet, health, proxy, metrics = free_ports(5)
        admin = f"--kubeconfig={self.kubeconfig}"
        self._processes.run(
            "kube-scheduler", self._programs["kube-scheduler"], admin, "--leader-elect=false",
            f"--secure-port={scheduler}", "--bind-address=127.0.0.1", f"--cert-dir={self.folder}/scheduler",
        )  # fmt: skip
        configuration = self.folder / "kubelet.yaml"
        configuration.write_text(yaml.safe_dump(self._kubelet(kubelet, health)))
        self._processes.run(
            "kubelet", self._programs["kubelet"], admin, f"--config={configuration}",
            f"--root-dir={self.folder}/kubelet", f"--cert-dir={self.folder}/kubelet-certificates",
            f"--hostname-override={NAME}", f"--node-ip={self.address}",
        )  # fmt: skip
        self._processes.run(
            "kube-proxy", self._programs["kube-proxy"], admin, f"--hostname-override={NAME}",
            "--proxy-mode=iptables", f"--cluster-cidr={self._network.subnet}", "--conntrack-max-per-core=0",
            "--iptables-localhost-nodeports=false", f"--healthz-bind-address=127.0.0.1:{proxy}",
            f"--metrics-bind-address=127.0.0.1:{metrics}",
        )  # fmt: skip
        self._processes.await_("kubelet", self._is_ready)

    def _kubelet(self, port: int, health: int) -> dict[str, Any]:
        """https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/"""
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.address,
            "port": port,
            "healthzPort": health,
            # Reached from this machine and its pods alone; the API server asks it for logs.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "clusterDNS": name_servers(),
            "failCgroupV1": False,
            "failSwapOn": False,
            "enforceNodeAllocatable": [],
            "containerRuntimeEndpoint": f"unix://{self.containers.socket}",
            "podLogsDir": str(self.folder / "logs"),
            "volumePluginDir": str(self.folder / "volume-plugins"),
            # A machine that tests is often nearly full.
            "evictionHard": dict.fromkeys(("nodefs.available", "imagefs.available"), "1%"),
            "imageGCHighThresholdPercent": 100,
            "localStorageCapacityIsolation": True,
            "makeIPTablesUtilChains": False,
        }

    def _is_ready(self) -> bool:
        found = self.api.get(f"/api/v1/nodes/{NAME}")
        conditions = found.body["status"].get("conditions", []) if found.ok else []
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def _end_pods(self) -> None:
        """Takes all pods down as a node does, with their networks; nothing makes new ones any more."""
        if not (self.folder / "kubelet").exists():
            return
        self.plane.stop_controllers()
        give_up = time.monotonic() + 30
        while (pods := self.api.get(PODS).expect()["items"]) and time.monotonic() < give_up:
            for pod in (each["metadata"] for each in pods):
                path = f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}"
                self.api.delete(path, {"gracePeriodSeconds": 1})
            time.sleep(0.5)


def check_this_machine() -> None:
    """Installs what is missing, of Debian. Raises NoControlPlaneError with what is missing still."""
    if os.geteuid() != 0:
        raise NoControlPlaneError("a node needs root, for containers and their network")
    if shutil.which("dpkg-query"):
        run(HERE / "packages")
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        raise NoControlPlaneError(f"not on the PATH: {', '.join(missing)} (see tests/e2e/packages)")


def name_servers() -> list[str]:
    """Those of this machine, for there is none in the cluster; a loopback one is out of pods' reach."""
    for path in (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf")):
        if path.exists():
            lines = (line.split() for line in path.read_text().splitlines())
            found = [words[1] for words in lines if words[:1] == ["nameserver"]]
            return [each for each in found if not ip_address(each).is_loopback][:3]
    return []


def remove_leftovers() -> None:
    """Of a node whose tests were killed: its processes went with them, its pods did not."""
    for folder in KEPT_IN.glob(f"{PREFIX}*"):
        containers.remove(folder)
        remove_services()
        network.remove()
        _remove_cgroups()
        shutil.rmtree(folder, ignore_errors=True)


def traces() -> list[str]:
    """What is left of nodes on this machine, in words; nothing, once they have stopped."""
    mounts = [point for folder in KEPT_IN.glob(f"{PREFIX}*") for point in containers.mounts_under(folder)]
    rules = run("iptables-save").splitlines()
    left = [rule for rule in rules if "KUBE-SVC" in rule or network.NAME in rule]
    bridges = [network.BRIDGE] if Path(f"/sys/class/net/{network.BRIDGE}").exists() else []
    return [*map(str, KEPT_IN.glob(f"{PREFIX}*")), *mounts, *left, *bridges]


def remove_services() -> None:
    """The rules of kube-proxy."""
    with suppress(subprocess.SubprocessError):
        run(programs(["kube-proxy"])["kube-proxy"], "--cleanup")


def _lock() -> Any:
    """Held while a node lives; the kernel gives it back, however that ends."""
    file = LOCK.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise NoControlPlaneError(f"another node runs on this machine: {LOCK} is locked") from None
    return file


def _remove_cgroups() -> None:
    """kubelet leaves the empty groups of its pods."""
    for folder in sorted(Path("/sys/fs/cgroup").rglob("kubepods*"), key=lambda path: -len(path.parts)):
        for inner in sorted((each for each in folder.rglob("*") if each.is_dir()), reverse=True):
            with suppress(OSError):
                inner.rmdir()
        with suppress(OSError):
            folder.rmdir()


def main() -> None:
    """Keeps a node up until it is interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    node = Node()
    node.start()
    try:
        for name, value in node.environment.items():
            print(f"export {name}='{value}'", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        node.stop()


if __name__ == "__main__":
    main()
