"""One worker pod of one CPU beside the textbook publisher in a pod of the same limits.

Both publish, one after the other, to a server on this machine that acknowledges everything, so that clients
are measured and not the emulator. What they used of their CPU is printed, for a busy machine gives neither of
them the whole of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import page
from clusters import AnyCluster
from diurnal_api.metrics import MESSAGES_PUBLISHED
from installation import admit, install
from kubectl import Kubectl, Simulation, eventually, metric
from place import ROOT

SECONDS = 15
AT_LEAST = 40
LIMITS = {"cpu": "1", "memory": "512Mi"}
BENCHMARKS = ROOT / "benchmarks"
CPU = "process_cpu_seconds_total"


@pytest.fixture
def acknowledging(cluster: AnyCluster) -> Iterator[str]:
    """host:port of a Pub/Sub that does nothing, where pods reach it."""
    command = [sys.executable, str(BENCHMARKS / "noop_server.py"), cluster.address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"{cluster.address}:{server.stdout.readline().strip()}"


def test_a_worker_of_one_cpu_does_the_work_of_forty_textbook_publishers(
    cluster: AnyCluster, images: dict[str, str], acknowledging: str
) -> None:
    install(cluster.kubeconfig, images, PUBSUB_EMULATOR_HOST=acknowledging)
    kubectl = admit(cluster.kubeconfig)
    textbook = by_textbook(kubectl, images["worker"], acknowledging)
    diurnal = by_diurnal(kubectl)
    ratio = rate(diurnal) / rate(textbook)
    told = table(textbook, diurnal, ratio)
    print(f"\n{told}")
    if page.ASKED:
        page.write("throughput", told)
    assert ratio >= AT_LEAST


def table(textbook: dict[str, float], diurnal: dict[str, float], ratio: float) -> str:
    rows = [
        f"| {name} | {rate(it):,.0f} | {it['cpu'] / it['seconds']:.2f} | {it['messages'] / it['cpu']:,.0f} |"
        for name, it in (("textbook publisher", textbook), ("one Diurnal worker", diurnal))
    ]
    head = [
        "| one pod, limited to 1 CPU | messages/s | CPU used | messages per CPU-second |",
        "|---|---:|---:|---:|",
    ]
    return "\n".join([f"{page.this_machine()}: {ratio:.0f} times as many.\n", *head, *rows])


def rate(figures: dict[str, float]) -> float:
    return figures["messages"] / figures["seconds"]


def by_textbook(kubectl: Kubectl, image: str, address: str) -> dict[str, float]:
    programs = [BENCHMARKS / "textbook.py", ROOT / "tests" / "e2e" / "textbook_pod.py"]
    kubectl("create", "configmap", "textbook", *(f"--from-file={program}" for program in programs))
    kubectl("apply", "--filename=-", given=yaml.safe_dump(textbook_pod(image, address)))
    try:
        eventually("it has published", lambda: "messages" in kubectl("logs", "textbook"), 60 + 3 * SECONDS)
        figures: dict[str, float] = json.loads(kubectl("logs", "textbook").splitlines()[-1])
        return figures
    finally:
        kubectl("delete", "pod/textbook", "configmap/textbook", "--grace-period=1")


def textbook_pod(image: str, address: str) -> dict[str, Any]:
    container = {
        "name": "textbook",
        "image": image,
        "command": ["python", "/textbook/textbook_pod.py", str(SECONDS)],
        "env": [{"name": "PUBSUB_EMULATOR_HOST", "value": address}],
        "resources": {"limits": LIMITS},
        "volumeMounts": [{"name": "textbook", "mountPath": "/textbook"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "textbook", "configMap": {"name": "textbook"}}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "textbook"}, "spec": pod}


def by_diurnal(kubectl: Kubectl) -> dict[str, float]:
    manifest = {
        "apiVersion": "diurnal.dev/v1alpha1",
        "kind": "TrafficSimulation",
        "metadata": {"name": "fast"},
        "spec": {
            "population": {"users": 5_400_000},
            "budget": {"maxMessagesPerSecond": "Unlimited"},
            "sink": {"pubsub": {"topic": "projects/demo-project/topics/user-interactions"}},
            "worker": {"serviceAccountName": "diurnal-worker", "resources": {"limits": LIMITS}},
        },
    }
    kubectl("apply", "--filename=-", given=yaml.safe_dump(manifest))
    it = Simulation.of(kubectl, "fast")
    try:
        it.await_settled(1)
        first, began = measured(it), time.monotonic()
        time.sleep(SECONDS)
        last, ended = measured(it), time.monotonic()
    finally:
        kubectl("delete", "tsim", "fast")
    return {
        "messages": last["messages"] - first["messages"],
        "cpu": last["cpu"] - first["cpu"],
        "seconds": ended - began,
    }


def measured(it: Simulation) -> dict[str, float]:
    [pod] = it.pods()
    return {"messages": metric(pod, MESSAGES_PUBLISHED.name), "cpu": metric(pod, CPU)}
