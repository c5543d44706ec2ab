"""The objects of a simulation as data: a Deployment a shard, a Lease a shard and epoch. Pure.

Recreate, because two pods of one shard would only wait for each other's Lease. The pods fit the restricted
profile (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from diurnal_api.lease import PUT_BACK
from diurnal_api.names import deployment_name, labels, lease_name
from diurnal_api.plan import Plan
from diurnal_api.population import COUNTRIES_FOLDER, ConfigMapKey
from diurnal_api.spec import API_VERSION, GROUP, KIND
from diurnal_operator.observation import Object
from diurnal_operator.settings import Settings
from diurnal_operator.situation import LABEL_RUN, SPENT_BEFORE, Situation

CONTAINER: Final = "worker"
METRICS_PORT: Final = 9090
APPLIED: Final = f"{GROUP}/applied"
"""Annotation with the digest of what was applied, so that a field that is no longer wanted is noticed."""
USER: Final = 65532
_DISK: Final = {"requests": "64Mi", "limits": "512Mi"}
"""A worker's disk: /tmp, and the log that its node keeps and rotates, which the stdout sink fills."""
_DRAIN_SHARE: Final = 2 / 3
"""Of the grace; the rest is for starting up to stop, and for the last checkpoint."""


def deployment(
    situation: Situation, plan: Plan, shard: int, settings: Settings, *, image: str, replicas: int
) -> Object:
    """The Deployment of a shard under a plan."""
    epoch = int(plan.epoch)
    selector = labels(situation.name, situation.uid, shard)
    wanted: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": deployment_name(situation.name, situation.uid, shard),
            "namespace": situation.namespace,
            "labels": {**_common(situation), **labels(situation.name, situation.uid, shard, epoch)},
            "ownerReferences": [owner(situation)],
        },
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 1,
            "progressDeadlineSeconds": 600,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {
                    "labels": {**_common(situation), **labels(situation.name, situation.uid, shard, epoch)}
                },
                "spec": _pod(situation, plan, shard, settings, image),
            },
        },
    }
    wanted["metadata"]["annotations"] = {APPLIED: digest(wanted)}
    return wanted


def lease(situation: Situation, plan: Plan, shard: int) -> Object:
    """The operator's part of a Lease, its metadata; the rest is its holder's."""
    epoch = int(plan.epoch)
    wanted: Object = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": lease_name(situation.name, situation.uid, shard, epoch),
            "namespace": situation.namespace,
            "labels": {
                **_common(situation),
                **labels(situation.name, situation.uid, shard, epoch),
                LABEL_RUN: plan.run,
            },
            "ownerReferences": [owner(situation)],
        },
    }
    annotations = {}
    if shard in situation.lost:
        annotations[PUT_BACK] = "true"
    spent = situation.spent_before
    if shard == 0 and spent.messages:
        annotations[SPENT_BEFORE] = json.dumps(
            {"messages": spent.messages, "billed_bytes": spent.billed_bytes}
        )
    if annotations:
        wanted["metadata"]["annotations"] = annotations
    return wanted


def owner(situation: Situation) -> dict[str, Any]:
    """The owner reference; it does not block the owner's deletion, so nothing hangs on a finalizer."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": situation.name,
        "uid": situation.uid,
        "controller": True,
    }


def digest(wanted: Object) -> str:
    """A short fingerprint of an object as it is applied."""
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]


def image_of(deployed: Object | None) -> str | None:
    """The worker image of a Deployment as it is, None where it has none."""
    if deployed is None:
        return None
    containers = deployed["spec"]["template"]["spec"]["containers"]
    return next((str(c["image"]) for c in containers if c["name"] == CONTAINER), None)


def _common(situation: Situation) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "diurnal-worker",
        "app.kubernetes.io/instance": situation.name,
        "app.kubernetes.io/component": "worker",
        "app.kubernetes.io/part-of": "diurnal",
        "app.kubernetes.io/managed-by": "diurnal-operator",
    }


def _pod(situation: Situation, plan: Plan, shard: int, settings: Settings, image: str) -> dict[str, Any]:
    worker = situation.spec.worker
    pod: dict[str, Any] = {
        "serviceAccountName": worker.service_account_name,
        "automountServiceAccountToken": True,  # the worker reads its plan and writes its Lease
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _seconds(settings.waits.grace),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(situation, plan, shard, settings, image)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}, *_countries_volume(plan)],
    }
    if worker.node_selector:
        pod["nodeSelector"] = dict(worker.node_selector)
    if worker.tolerations:
        pod["tolerations"] = [toleration.as_json() for toleration in worker.tolerations]
    return pod


def _container(
    situation: Situation, plan: Plan, shard: int, settings: Settings, image: str
) -> dict[str, Any]:
    return {
        "name": CONTAINER,
        "image": image,
        "command": ["diurnal-worker"],
        "env": _environment(situation, plan, shard, settings),
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
        "resources": _resources(situation),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "livenessProbe": {**_probe("/healthz"), "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**_probe("/readyz"), "periodSeconds": 2, "failureThreshold": 2},
        "startupProbe": {**_probe("/healthz"), "periodSeconds": 1, "failureThreshold": 120},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *_countries_mount(plan)],  # noqa: S108
    }


def _resources(situation: Situation) -> dict[str, Any]:
    wanted = situation.spec.worker.resources.as_json()
    return {part: {**wanted.get(part, {}), "ephemeral-storage": size} for part, size in _DISK.items()}


def _environment(situation: Situation, plan: Plan, shard: int, settings: Settings) -> list[dict[str, Any]]:
    waits = settings.waits
    fixed = {
        "DIURNAL_UID": situation.uid,
        "DIURNAL_NAME": situation.name,
        "DIURNAL_RUN": plan.run,
        "DIURNAL_EPOCH": str(int(plan.epoch)),
        "DIURNAL_SHARD": str(shard),
        "DIURNAL_LEASE_SECONDS": f"{waits.lease:g}",
        "DIURNAL_CHECKPOINT_SECONDS": f"{waits.checkpoint:g}",
        "DIURNAL_DRAIN_SECONDS": f"{waits.grace * _DRAIN_SHARE:g}",
        "DIURNAL_DATASET_SECONDS": f"{waits.dataset:g}",
        "DIURNAL_METRICS_PORT": str(METRICS_PORT),
        **dict(settings.emulators),
    }
    if settings.country_metrics:
        fixed["DIURNAL_COUNTRY_METRICS"] = "1"
    return [
        *({"name": name, "value": value} for name, value in fixed.items()),
        _downward("DIURNAL_NAMESPACE", "metadata.namespace"),
        _downward("POD_UID", "metadata.uid"),
    ]


def _downward(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _probe(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "metrics", "scheme": "HTTP"}, "timeoutSeconds": 2}


def _config_map(plan: Plan) -> ConfigMapKey | None:
    return plan.population.countries.config_map


def _countries_volume(plan: Plan) -> list[dict[str, Any]]:
    table = _config_map(plan)
    if table is None:
        return []
    items = [{"key": table.key, "path": table.key}]
    # Optional, so that the worker starts without it and says what is missing; the kubelet adds it later.
    return [{"name": "countries", "configMap": {"name": table.name, "items": items, "optional": True}}]


def _countries_mount(plan: Plan) -> list[dict[str, Any]]:
    if _config_map(plan) is None:
        return []
    return [{"name": "countries", "mountPath": COUNTRIES_FOLDER, "readOnly": True}]


def _seconds(seconds: float) -> int:
    return max(round(seconds), 1)
