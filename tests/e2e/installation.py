"""Diurnal on a cluster: manifests/install.yaml, as everybody applies it, with the images under test."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from kubeapi import documents
from kubectl import Kubectl
from place import ROOT

SYSTEM = "diurnal-system"
OPERATOR = "diurnal-operator"
INSTALL = ROOT / "manifests" / "install.yaml"
TEAM = "traffic"
"""The namespace of the simulations, as manifests/overlays/team has it."""


def install(kubeconfig: Any, images: dict[str, str], **environment: str) -> None:
    """Applies everything and waits for the operator. With other images or environment it is an upgrade."""
    kubectl = Kubectl(kubeconfig)
    objects = [adapted(each, images, environment) for each in documents(INSTALL)]
    kubectl("apply", "--server-side", "--filename=-", given=yaml.safe_dump_all(objects))
    await_operator(kubectl)


def admit(kubeconfig: Any) -> Kubectl:
    """The team's namespace, under the restricted profile, with the workers' account; returns its kubectl."""
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": TEAM, "labels": restricted},
    }
    kubectl = Kubectl(kubeconfig)
    kubectl("apply", "--server-side", "--filename=-", given=yaml.safe_dump(namespace))
    kubectl("apply", "--server-side", "--kustomize", str(ROOT / "manifests" / "overlays" / "team"))
    return Kubectl(kubeconfig, TEAM)


def await_operator(kubectl: Kubectl) -> None:
    """The operator is rolled out."""
    kubectl(
        "rollout", "status", f"deployment/{OPERATOR}", f"--namespace={SYSTEM}", "--timeout=180s", timeout=200
    )


def adapted(manifest: dict[str, Any], images: dict[str, str], environment: dict[str, str]) -> dict[str, Any]:
    """An object of the installation with other images and more environment for the operator."""
    it = copy.deepcopy(manifest)
    if it["kind"] == "Deployment":
        [container] = it["spec"]["template"]["spec"]["containers"]
        container["image"] = images["operator"]
        wanted = {"DIURNAL_WORKER_IMAGE": images["worker"], **environment}
        kept = [each for each in container["env"] if each["name"] not in wanted]
        container["env"] = [*kept, *({"name": name, "value": value} for name, value in wanted.items())]
    return it
