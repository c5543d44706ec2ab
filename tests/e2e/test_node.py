"""The node itself: one at a time, and reached by pods as any cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from containers import PAUSE
from kubectl import Kubectl, eventually
from node import Node

HERE = Path(__file__).parent


def test_a_second_node_is_refused_while_one_runs(node: Node) -> None:
    second = subprocess.run(
        [sys.executable, HERE / "node.py"], capture_output=True, text=True, check=False, timeout=60
    )
    assert second.returncode != 0
    assert "another node runs on this machine" in second.stderr


def test_a_pod_reaches_the_api_server_by_its_service(node: Node) -> None:
    kubectl = Kubectl(node.kubeconfig, "default")
    container = {"name": "it", "image": PAUSE, "imagePullPolicy": "Never"}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asks"}, "spec": spec}
    kubectl("apply", "--filename=-", given=yaml.safe_dump(pod))
    try:
        eventually("it runs", lambda: kubectl.json("get", "pod", "asks")["status"]["phase"] == "Running")
        ask = ("/busybox", "wget", "-q", "-O-", "--no-check-certificate", "https://10.96.0.1/version")
        assert '"gitVersion"' in kubectl("exec", "asks", "--", *ask)
    finally:
        kubectl("delete", "pod", "asks")
