"""From one epoch to the next: stop the pods, seal each Lease, plan anew from what those say. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from diurnal_api.layout import format_position, latest, parse_position
from diurnal_api.lease import is_sealed, sealed
from diurnal_api.plan import Plan
from diurnal_api.planning import first_plan, needs_new_epoch, next_plan
from diurnal_operator import manifests
from diurnal_operator.expiry import may_be_sealed
from diurnal_operator.observation import Object, SeenLease
from diurnal_operator.settings import Settings
from diurnal_operator.situation import Situation


@dataclass(frozen=True)
class Drain:
    """What is still to be done before the next epoch; ``waiting`` are shards whose Lease is still held."""

    apply: tuple[Object, ...] = ()
    seal: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()
    waiting: tuple[int, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether every Lease of the old epoch is sealed."""
        return not (self.apply or self.seal or self.delete or self.waiting)


def is_due(situation: Situation, plan: Plan, shards: int) -> bool:
    """Whether the plan's epoch has to end: another run, other shards or traffic, or a Lease is sealed."""
    if not situation.is_same_run or situation.is_sealed:
        return True
    return needs_new_epoch(plan, situation.spec, shards)


def drain(situation: Situation, plan: Plan, settings: Settings) -> Drain:
    """The next steps towards a sealed epoch. A Lease that is gone is put back: only a seal is a last word."""
    apply = tuple(_stopped(situation, plan, shard, settings) for shard in _running(situation))
    shards = range(int(plan.shards))
    missing = [shard for shard in shards if shard not in situation.leases]
    open_ = [seen for _, seen in sorted(situation.leases.items()) if not is_sealed(seen.lease)]
    idle = [seen for seen in open_ if _is_free(situation, seen, settings)]
    return Drain(
        apply=(*apply, *(manifests.lease(situation, plan, shard) for shard in missing)),
        seal=tuple(sealed(seen.lease) for seen in idle),
        waiting=tuple(seen.shard for seen in open_ if seen not in idle),
    )


def leftovers(situation: Situation, settings: Settings) -> Drain:
    """What to end first where a status, and with it the plan, was lost: pods go, Leases are sealed."""
    open_ = [seen for seen in situation.seen.leases if not is_sealed(seen.lease)]
    free = [seen for seen in open_ if _is_free(situation, seen, settings)]
    return Drain(
        seal=tuple(sealed(seen.lease) for seen in free),
        delete=tuple(d for d in situation.seen.deployments if "deletionTimestamp" not in d["metadata"]),
        waiting=tuple(seen.shard for seen in open_ if seen not in free),
    )


def begin(situation: Situation, shards: int, settings: Settings) -> Plan:
    """The first plan of a run. Epochs are counted on, so that no name of an object ever comes again."""
    last = max(
        [
            0,
            *(seen.epoch for seen in situation.seen.leases),
            int(situation.plan.epoch) if situation.plan else 0,
        ]
    )
    plan = first_plan(
        situation.spec,
        run=situation.run,
        now=situation.seen.now,
        shards=shards,
        engine=settings.engine,
        tzdata=settings.tzdata,
    )
    return plan.model_copy(update={"epoch": last + 1, "segments": _recovered(situation, plan)})


def advance(situation: Situation, plan: Plan, shards: int) -> Plan:
    """The next epoch of the same run, from where its slots stand; UnchangeableError where that cannot be."""
    position = situation.position
    following = next_plan(plan, situation.spec, shards, position, situation.reach(plan, position))
    return following.model_copy(
        update={
            "epoch": int(plan.epoch) + 1,
            "segments": tuple(format_position(position)),
            "reached": situation.reached,
        }
    )


def _recovered(situation: Situation, plan: Plan) -> tuple[str, ...]:
    """Where a run goes on whose status was lost; for a run that is really new, its start."""
    if situation.plan is not None:
        return plan.segments
    positions = (checkpoint.position for checkpoint in situation.checkpoints_of(plan.run))
    return tuple(format_position(latest(parse_position(plan.segments), *positions)))


def _running(situation: Situation) -> list[int]:
    return [
        shard
        for shard, deployed in sorted(situation.deployments.items())
        if shard >= 0 and deployed["spec"]["replicas"]
    ]


def _stopped(situation: Situation, plan: Plan, shard: int, settings: Settings) -> Object:
    image = manifests.image_of(situation.deployments[shard]) or settings.worker_image
    return manifests.deployment(situation, plan, shard, settings, image=image, replicas=0)


def _is_free(situation: Situation, seen: SeenLease, settings: Settings) -> bool:
    deployed = situation.deployments.get(seen.shard)
    pods = bool(deployed and ((deployed.get("status") or {}).get("replicas") or deployed["spec"]["replicas"]))
    return may_be_sealed(seen, settings.waits.lease, has_pods=pods)
