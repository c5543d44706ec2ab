"""Nodes that only seem to be: kwok says of every pod bound to them that it runs and is ready.

https://kwok.sigs.k8s.io. There is no scheduler beside these tests' control planes, so a thread binds the pods
to the nodes in turn. kwok is compiled once, as the control plane is.
"""

from __future__ import annotations

import signal
import tempfile
import threading
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any, Self

import urllib3

from binaries import installed
from kubeapi import KubeApi
from processes import Processes

KWOK = "sigs.k8s.io/kwok/cmd/kwok@v0.8.0"
STAGES = Path(__file__).with_suffix(".yaml")
UNBOUND = "/api/v1/pods?fieldSelector=spec.nodeName%3D,status.phase%3DPending&limit=200"
LOOKS = 0.2
"""Seconds between two looks at what is to be bound."""


class FakeNodes:
    """So many nodes of a cluster, from entering the context to leaving it."""

    def __init__(self, kubeconfig: Path, number: int) -> None:
        self._kubeconfig, self._api = kubeconfig, KubeApi.of(kubeconfig)
        self._names = [f"fake-{count}" for count in range(number)]
        self._done = threading.Event()
        self._binder = threading.Thread(target=self._bind_all, name="binder", daemon=True)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="diurnal-kwok-")
        self._processes = Processes(Path(self._folder.name))
        for name in self._names:
            self._api.post("/api/v1/nodes", _node(name)).expect()
        self._processes.run(
            "kwok", installed(KWOK), f"--kubeconfig={self._kubeconfig}", f"--config={STAGES}",
            "--manage-all-nodes=true", "--node-lease-duration-seconds=40",
        )  # fmt: skip
        self._binder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._binder.join(30)
        self._processes.end("kwok", signal.SIGTERM)
        self._folder.cleanup()

    def log(self) -> str:
        """What kwok has said."""
        return self._processes.log("kwok")

    def _bind_all(self) -> None:
        nodes = cycle(self._names)
        while not self._done.wait(LOOKS):
            # What this misses while an API server is away, the next look finds.
            with suppress(urllib3.exceptions.HTTPError, AssertionError):
                for pod in self._api.get(UNBOUND).expect()["items"]:
                    self._bind(pod["metadata"], next(nodes))

    def _bind(self, pod: dict[str, Any], node: str) -> None:
        """Does nothing where the pod is gone or bound meanwhile: a conflict is an answer, too."""
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
