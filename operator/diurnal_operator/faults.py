"""What a person has to look at: failed workers, pods that cannot be made, Leases that nobody takes. Pure."""

from __future__ import annotations

from typing import Any, Final

from diurnal_api.instants import parse_instant
from diurnal_api.names import LABEL_SHARD
from diurnal_operator.halting import Halt
from diurnal_operator.observation import Object, label_number
from diurnal_operator.settings import Settings
from diurnal_operator.situation import Situation

HOPELESS: Final = frozenset(
    (
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "CrashLoopBackOff",
    )
)


def fault_of(situation: Situation, settings: Settings) -> Halt | None:
    """The worst that is wrong with a simulation that should run, None where nothing is."""
    return (
        _rejected(situation) or _failed(situation) or _no_pods(situation) or _unclaimed(situation, settings)
    )


def suspects(situation: Situation, seconds: float) -> list[int]:
    """Shards whose Deployment has a pod, but for that long nobody who took its Lease, or who is available."""
    return sorted({*_never_taken(situation, seconds), *_unavailable(situation, seconds)})


def _never_taken(situation: Situation, seconds: float) -> list[int]:
    return [
        shard
        for shard, seen in situation.leases.items()
        if not seen.was_held and seen.unchanged >= seconds and _has_pods(situation.deployments.get(shard))
    ]


def _unavailable(situation: Situation, seconds: float) -> list[int]:
    """By the Deployment's condition, for a worker that crashes again and again renews its Lease each time."""
    since = situation.seen.now - round(seconds * 1e6)
    return [
        shard
        for shard, deployed in situation.deployments.items()
        if _has_pods(deployed)
        and any(
            (condition.get("type"), condition.get("status")) == ("Available", "False")
            and parse_instant(str(condition.get("lastTransitionTime"))) <= since
            for condition in (deployed.get("status") or {}).get("conditions") or []
        )
    ]


def _rejected(situation: Situation) -> Halt | None:
    rejected = situation.seen.rejected
    return Halt(rejected.reason, rejected.message, stalled=True) if rejected else None


def _failed(situation: Situation) -> Halt | None:
    failed = [c for _, c in sorted(situation.checkpoints.items()) if c.state == "Failed"]
    if not failed:
        return None
    first = failed[0]
    more = f" (and {len(failed) - 1} more shards)" if len(failed) > 1 else ""
    return Halt(first.reason or "WorkerFailed", f"shard {first.shard}: {first.message}{more}", stalled=True)


def _no_pods(situation: Situation) -> Halt | None:
    for shard, deployed in sorted(situation.deployments.items()):
        for condition in (deployed.get("status") or {}).get("conditions") or []:
            if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
                text = f"shard {shard} gets no pod: {condition.get('message', '')}"
                return Halt(str(condition.get("reason") or "FailedCreate"), text, stalled=True)
    return None


def _unclaimed(situation: Situation, settings: Settings) -> Halt | None:
    seconds = settings.waits.unclaimed
    waiting, never_taken = suspects(situation, seconds), _never_taken(situation, seconds)
    for pod in situation.seen.pods:
        shard = label_number(pod, LABEL_SHARD)
        if shard not in waiting:
            continue
        if reason := _hopeless(pod):
            text = f"shard {shard}: {reason.get('message') or reason['reason']}"
            return Halt(reason["reason"], text, stalled=True)
        if shard in never_taken and (pod.get("status") or {}).get("phase") == "Running":
            return Halt("LeaseNotTaken", _no_binding(situation, shard), stalled=True)
    return None


def _no_binding(situation: Situation, shard: int) -> str:
    account = f"{situation.spec.worker.service_account_name} in namespace {situation.namespace}"
    return (
        f"the worker of shard {shard} runs but does not take its Lease: a RoleBinding of the role "
        f"diurnal-worker to the service account {account} is most likely missing"
    )


def _hopeless(pod: Object) -> dict[str, Any] | None:
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        waiting = (status.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason") in HOPELESS:
            return dict(waiting)
    return None


def _has_pods(deployed: Object | None) -> bool:
    return bool(deployed and (deployed.get("status") or {}).get("replicas"))
