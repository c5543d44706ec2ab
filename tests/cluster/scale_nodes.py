"""Nodes that only seem to be: kwok says of every pod bound to them that it runs and is ready.

https://kwok.sigs.k8s.io. There is no scheduler beside these tests' control planes, so a watch binds the pods
to the nodes in turn. kwok is compiled once, as the control plane is.
"""

from __future__ import annotations

import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any, Self

from binaries import installed
from kubeapi import KubeApi
from processes import Processes
from scale_watch import Watch

KWOK = "sigs.k8s.io/kwok/cmd/kwok@v0.8.0"
STAGES = Path(__file__).with_suffix(".yaml")
UNBOUND = "/api/v1/pods?fieldSelector=spec.nodeName%3D"
AT_ONCE = 8


class FakeNodes:
    """So many nodes of a cluster, from entering the context to leaving it."""

    def __init__(self, kubeconfig: Path, number: int) -> None:
        self._kubeconfig, self._api = kubeconfig, KubeApi.of(kubeconfig)
        self._names = [f"fake-{count}" for count in range(number)]
        self._turn = cycle(self._names)
        self._hands = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="binder")
        self._binder = Watch(kubeconfig, UNBOUND, self._see)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="diurnal-kwok-")
        self._processes = Processes(Path(self._folder.name))
        for name in self._names:
            self._api.post("/api/v1/nodes", _node(name)).expect()
        self._processes.run(
            "kwok", installed(KWOK), f"--kubeconfig={self._kubeconfig}", f"--config={STAGES}",
            "--manage-all-nodes=true", "--node-lease-duration-seconds=40",
        )  # fmt: skip
        self._binder.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._binder.__exit__()
        self._hands.shutdown(cancel_futures=True)
        self._processes.end("kwok", signal.SIGTERM)
        self._folder.cleanup()

    def log(self) -> str:
        """What kwok has said."""
        return self._processes.log("kwok")

    def _see(self, kind: str, pod: dict[str, Any]) -> None:
        if kind == "ADDED":
            self._hands.submit(self._bind, pod["metadata"], next(self._turn))

    def _bind(self, pod: dict[str, Any], node: str) -> None:
        """Binds a pod to a node; one that is gone meanwhile is no matter."""
        path = f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}/binding"
        body = {"metadata": {"name": pod["name"]}, "target": {"kind": "Node", "name": node}}
        self._api.post(path, body)


def _node(name: str) -> dict[str, Any]:
    room = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"type": "kwok", "kubernetes.io/hostname": name}},
        "status": {"capacity": room, "allocatable": room},
    }
