"""A node is played here, for pods need one: real workers run as processes for the pods of one namespace.

It binds pods to itself, runs for each the worker that the pod asks for, runs it again when it ends by
itself, reports its readiness, and ends it by SIGTERM when the pod is deleted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubeapi import as_in_a_pod
from operators import free_port, is_well
from world import Object, World

BEAT_SECONDS = 5.0
LOOK_SECONDS = 0.15
RESTART_SECONDS = 1.0
FAILURE_THRESHOLD = 2  # as the Deployment's readiness probe says


@dataclass
class Running:
    """A worker's process, the port of its probes, when it was started, and how many it missed in a row."""

    process: subprocess.Popen[bytes]
    port: int
    since: float
    missed: int = 0


class Node(threading.Thread):
    """Plays the kubelet of one node for one namespace; `more` is added to each worker's environment."""

    def __init__(self, world: World, logs: Path, kubeconfig: Path | None = None, **more: str) -> None:
        super().__init__(daemon=True)
        self.world, self.logs = world, logs
        self.environment = {**as_in_a_pod(kubeconfig or world.kubeconfig, logs), **more}
        self.name = f"node-{world.namespace}"
        self.workers: dict[str, Running] = {}
        self._done = threading.Event()
        self._beaten = 0.0
        self._gone: set[str] = set()

    def worker_of(self, pod: Object) -> subprocess.Popen[bytes]:
        """The process that runs for a pod now."""
        return self.workers[pod["metadata"]["uid"]].process

    def log_of(self, pod: Object) -> str:
        """What the pod's workers have written."""
        path = self.logs / f"{pod['metadata']['name']}.log"
        return path.read_text() if path.exists() else ""

    def run(self) -> None:
        self.world.core.create_node({"metadata": {"name": self.name}})
        while not self._done.is_set():
            try:
                self._beat()
                for pod in self.world.pods():
                    self._tend(pod)
            except Exception as error:  # noqa: BLE001 - what a test does to the API server must not end its node
                if not self._done.is_set():
                    print(f"node: {error!r:.300}", file=sys.stderr)
            self._done.wait(LOOK_SECONDS)

    def stop(self) -> None:
        self._done.set()
        self.join(10)
        for worker in self.workers.values():
            if worker.process.poll() is None:
                worker.process.kill()
            worker.process.wait()
        with suppress(self.world.error):
            self.world.core.delete_node(self.name)

    def _beat(self) -> None:
        if time.monotonic() - self._beaten < BEAT_SECONDS:
            return
        self._beaten = time.monotonic()
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ready = {"type": "Ready", "status": "True", "reason": "Test", "message": "", "lastHeartbeatTime": now}
        self.world.core.patch_node_status(self.name, {"status": {"conditions": [ready]}})

    def _tend(self, pod: Object) -> None:
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        if uid in self._gone:
            return
        if pod["metadata"].get("deletionTimestamp"):
            self._end(uid, name)
        elif not pod["spec"].get("nodeName"):
            self._bind(name)
        elif self._should_start(uid):
            self._start(pod)
        else:
            self._report(pod)

    def _bind(self, name: str) -> None:
        body = {"metadata": {"name": name}, "target": {"kind": "Node", "name": self.name}}
        with suppress(self.world.error):
            self.world.core.create_namespaced_binding(self.world.namespace, body, _preload_content=False)

    def _should_start(self, uid: str) -> bool:
        known = self.workers.get(uid)
        if known is None:
            return True
        return known.process.poll() is not None and time.monotonic() - known.since > RESTART_SECONDS

    def _start(self, pod: Object) -> None:
        container = pod["spec"]["containers"][0]
        assert container["command"] == ["diurnal-worker"]
        fields = {"metadata.namespace": self.world.namespace, "metadata.uid": pod["metadata"]["uid"]}
        given = {
            e["name"]: e["value"] if "value" in e else fields[e["valueFrom"]["fieldRef"]["fieldPath"]]
            for e in container["env"]
        }
        port = free_port()
        environment = {**os.environ, **given, **self.environment, "DIURNAL_METRICS_PORT": str(port)}
        with (self.logs / f"{pod['metadata']['name']}.log").open("ab") as log:
            command = [sys.executable, "-m", "diurnal_worker"]
            worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.workers[pod["metadata"]["uid"]] = Running(worker, port, time.monotonic())

    def _report(self, pod: Object) -> None:
        worker = self.workers[pod["metadata"]["uid"]]
        alive = worker.process.poll() is None
        well = alive and is_well(worker.port, "readyz")
        worker.missed = 0 if well else worker.missed + 1
        before = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions") or []}
        ready = well or (alive and before.get("Ready") == "True" and worker.missed < FAILURE_THRESHOLD)
        if before.get("Ready") == str(ready):
            return
        conditions: list[dict[str, Any]] = [
            {"type": kind, "status": str(ready)} for kind in ("Ready", "ContainersReady")
        ]
        status = {"phase": "Running", "conditions": conditions}
        self.world.core.patch_namespaced_pod_status(
            pod["metadata"]["name"], self.world.namespace, {"status": status}
        )

    def _end(self, uid: str, name: str) -> None:
        worker = self.workers.get(uid)
        if worker is not None and worker.process.poll() is None:
            worker.process.send_signal(signal.SIGTERM)
            return
        self._gone.add(uid)
        with suppress(self.world.error):
            self.world.core.delete_namespaced_pod(name, self.world.namespace, grace_period_seconds=0)
