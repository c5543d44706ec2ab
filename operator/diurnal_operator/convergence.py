"""What a plan needs to exist: Leases and Deployments to apply, and what to delete. Pure.

Objects that are right already are left alone. What a change of pods rolls, it rolls a few shards at a time;
a shard that is not ready anyway may always be changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from diurnal_api.names import deployment_name
from diurnal_api.plan import Plan
from diurnal_operator import manifests
from diurnal_operator.difference import contains
from diurnal_operator.observation import Object
from diurnal_operator.settings import Settings
from diurnal_operator.situation import Situation, is_current


@dataclass(frozen=True)
class Changes:
    """Objects to apply, Leases first, and objects to delete; ``held_back`` shards wait for their turn.

    ``keeps_image``: the pods keep the image that they have, for the operator's one would draw another stream.
    """

    apply: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()
    held_back: int = 0
    unrunnable: bool = False
    keeps_image: bool = False


def changes(situation: Situation, plan: Plan, settings: Settings, *, running: bool) -> Changes:
    """What makes the world follow ``plan``, with its pods ``running`` or not."""
    deployments = _wanted_deployments(situation, plan, settings, running=running)
    wrong = [d for d in deployments if not _is_right(situation, d)]
    rolled = _a_few(situation, plan, wrong, settings)
    return Changes(
        apply=(*_leases(situation, plan), *rolled),
        delete=_surplus(situation, plan),
        held_back=len(wrong) - len(rolled),
        unrunnable=len(deployments) < int(plan.shards),
        keeps_image=is_other_engine(plan, settings),
    )


def is_other_engine(plan: Plan, settings: Settings) -> bool:
    """Whether the worker image would draw another stream than the run's."""
    other_zones = bool(settings.tzdata and plan.tzdata) and plan.tzdata != settings.tzdata
    return plan.engine != settings.engine or other_zones


def _wanted_deployments(
    situation: Situation, plan: Plan, settings: Settings, *, running: bool
) -> list[Object]:
    """A run keeps the image that its Deployments have where the new one draws another stream."""
    pinned = is_other_engine(plan, settings)
    known = next(filter(None, map(manifests.image_of, situation.deployments.values())), None)
    image = known if pinned else settings.worker_image
    if image is None:
        return []
    return [
        manifests.deployment(situation, plan, shard, settings, image=image, replicas=1 if running else 0)
        for shard in range(int(plan.shards))
    ]


def _leases(situation: Situation, plan: Plan) -> tuple[Object, ...]:
    wanted = (manifests.lease(situation, plan, shard) for shard in range(int(plan.shards)))
    found = {shard: seen.lease for shard, seen in situation.leases.items()}
    return tuple(w for shard, w in enumerate(wanted) if shard not in found or not contains(found[shard], w))


def _is_right(situation: Situation, wanted: Object) -> bool:
    found = _found(situation, wanted)
    return found is not None and contains(found, wanted)


def _found(situation: Situation, wanted: Object) -> Object | None:
    return situation.by_name.get(wanted["metadata"]["name"])


def _a_few(situation: Situation, plan: Plan, wrong: list[Object], settings: Settings) -> list[Object]:
    """Those of the wrong Deployments whose change may begin now."""
    free = max(settings.roll_at_once - _away(situation, plan), 0)
    begun: list[Object] = []
    for wanted in wrong:
        found = _found(situation, wanted)
        if found is None or not _interrupts(found, wanted, plan):
            begun.append(wanted)
        elif free > 0:
            begun.append(wanted)
            free -= 1
    return begun


def _interrupts(found: Object, wanted: Object, plan: Plan) -> bool:
    """Whether a change takes down a pod that works for this epoch and is to go on working."""
    works = is_current(found, plan) and is_ready(found) and wanted["spec"]["replicas"] > 0
    return works and not contains(found["spec"]["template"], wanted["spec"]["template"])


def _away(situation: Situation, plan: Plan) -> int:
    current = [d for d in situation.deployments.values() if is_current(d, plan) and d["spec"]["replicas"]]
    return sum(not is_ready(d) for d in current)


def is_ready(deployed: Object) -> bool:
    """Whether a Deployment's pod, as it is wanted now, is ready."""
    status = deployed.get("status") or {}
    return bool(
        deployed["spec"]["replicas"]
        and status.get("observedGeneration", 0) >= deployed["metadata"].get("generation", 0)
        and status.get("updatedReplicas", 0) >= 1
        and status.get("readyReplicas", 0) >= 1
    )


def _surplus(situation: Situation, plan: Plan) -> tuple[Object, ...]:
    """Deployments of shards that the plan does not have, and Leases of other epochs."""
    names = {deployment_name(situation.name, situation.uid, s) for s in range(int(plan.shards))}
    deployments = (d for d in situation.deployments.values() if d["metadata"]["name"] not in names)
    leases = (seen.lease for seen in situation.other_leases)
    return tuple(thing for thing in (*deployments, *leases) if "deletionTimestamp" not in thing["metadata"])
