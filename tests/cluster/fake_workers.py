"""Workers that only hold Leases, on a node that is played: cheap, and where they stand follows from the plan.

So the end of a story can be compared with the end of the same story told again. Every worker takes its Lease,
stands some hours further than its plan began, promises one more, and gives the Lease back when its pod goes.
"""

from __future__ import annotations

import sys
import threading
import time
import uuid
from typing import Any, Final

from diurnal_api.checkpoint import Checkpoint, Spent
from diurnal_api.layout import Segment, cut, format_position, furthest, parse_position, slots_of
from diurnal_api.lease import holder, is_sealed, released, renewed, taken
from diurnal_api.names import LABEL_SIMULATION, LABEL_UID, lease_name
from diurnal_api.plan import DatasetRef, Plan
from kubeapi import KubeApi

Object = dict[str, Any]
HOUR: Final = 3_600_000_000
LOOK_SECONDS: Final = 0.1
RENEW_SECONDS: Final = 1.0
LEASE_SECONDS: Final = 3
DATASET: Final = DatasetRef(uri="world-2025", generation=None, sha256="0" * 64)


class FakeWorkers(threading.Thread):
    """One node, and a worker on it for every pod of some namespaces."""

    def __init__(self, api: KubeApi, namespaces: list[str]) -> None:
        super().__init__(daemon=True)
        self._api, self._namespaces = api, namespaces
        self._name = f"node-{uuid.uuid4().hex[:8]}"
        self._done = threading.Event()
        self._renewed: dict[str, float] = {}
        self._beaten = float("-inf")

    def run(self) -> None:
        self._api.post("/api/v1/nodes", {"metadata": {"name": self._name}}).expect()
        while not self._done.wait(LOOK_SECONDS):
            try:
                self._beat()
                for pod in self._pods():
                    self._tend(pod)
            except Exception as error:  # noqa: BLE001 - what a test does to the API server must not end its node
                print(f"fake workers: {error!r:.300}", file=sys.stderr)

    def stop(self) -> None:
        self._done.set()
        self.join(10)
        self._api.delete(f"/api/v1/nodes/{self._name}")

    def _pods(self) -> list[Object]:
        found = self._api.get(f"/api/v1/pods?labelSelector={LABEL_UID}").expect()["items"]
        return [pod for pod in found if pod["metadata"]["namespace"] in self._namespaces]

    def _beat(self) -> None:
        if time.monotonic() - self._beaten < 5:
            return
        self._beaten = time.monotonic()
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ready = {"type": "Ready", "status": "True", "reason": "Test", "message": "", "lastHeartbeatTime": now}
        self._api.merge(f"/api/v1/nodes/{self._name}/status", {"status": {"conditions": [ready]}})

    def _tend(self, pod: Object) -> None:
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        if pod["metadata"].get("deletionTimestamp"):
            self._leave(pod)
            self._api.delete(path, {"gracePeriodSeconds": 0})
        elif not pod["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Node", "name": self._name}
            self._api.post(f"{path}/binding", {"metadata": pod["metadata"], "target": target})
        elif not _is_ready(pod):
            if self._hold(pod):
                self._report_ready(path)
        elif time.monotonic() - self._renewed.get(pod["metadata"]["uid"], 0.0) > RENEW_SECONDS:
            self._hold(pod)

    def _report_ready(self, path: str) -> None:
        conditions = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady")]
        self._api.merge(f"{path}/status", {"status": {"phase": "Running", "conditions": conditions}})

    def _hold(self, pod: Object) -> bool:
        """Takes or renews the pod's Lease; whether it is held."""
        path, uid = _lease_path(pod), pod["metadata"]["uid"]
        found = self._api.get(path)
        if not found.ok or is_sealed(found.body) or holder(found.body) not in {"", uid}:
            return False
        plan = self._plan(pod)
        if plan is None:
            return False
        now = time.time_ns() // 1000
        lease = found.body if holder(found.body) == uid else taken(found.body, uid, now, LEASE_SECONDS)
        shard = int(_environment(pod)["DIURNAL_SHARD"])
        self._renewed[uid] = time.monotonic()
        return self._api.put(path, renewed(lease, checkpoint(plan, shard), now)).ok

    def _leave(self, pod: Object) -> None:
        found = self._api.get(_lease_path(pod))
        if found.ok and holder(found.body) == pod["metadata"]["uid"]:
            self._api.put(_lease_path(pod), released(found.body, time.time_ns() // 1000))

    def _plan(self, pod: Object) -> Plan | None:
        """The plan that the pod's worker would obey."""
        given, namespace = _environment(pod), pod["metadata"]["namespace"]
        name = pod["metadata"]["labels"][LABEL_SIMULATION]
        path = f"/apis/diurnal.dev/v1alpha1/namespaces/{namespace}/trafficsimulations/{name}"
        found = self._api.get(path)
        if not found.ok or not found.body.get("status", {}).get("plan"):
            return None
        plan = Plan.model_validate(found.body["status"]["plan"])
        mine = (given["DIURNAL_RUN"], given["DIURNAL_EPOCH"]) == (plan.run, str(int(plan.epoch)))
        return plan if mine else None


def checkpoint(plan: Plan, shard: int) -> Checkpoint:
    """Where a shard of this plan always stands."""
    own = cut(parse_position(plan.segments), slots_of(shard, int(plan.shards)))
    moved = [Segment(s.first, s.last, s.clock + (shard + 1) * HOUR) for s in own]
    return Checkpoint(
        epoch=int(plan.epoch),
        shard=shard,
        segments=tuple(format_position(moved)),
        reach=furthest(moved) + HOUR,
        spent=Spent(messages=100, bytes=20_000, billed_bytes=100_000),
        dataset=DATASET if shard == 0 else None,
    )


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _environment(pod: Object) -> dict[str, str]:
    return {e["name"]: e.get("value", "") for e in pod["spec"]["containers"][0]["env"]}


def _lease_path(pod: Object) -> str:
    given, namespace = _environment(pod), pod["metadata"]["namespace"]
    name = lease_name(
        pod["metadata"]["labels"][LABEL_SIMULATION],
        given["DIURNAL_UID"],
        int(given["DIURNAL_SHARD"]),
        int(given["DIURNAL_EPOCH"]),
    )
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
