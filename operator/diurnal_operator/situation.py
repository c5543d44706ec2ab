"""An observation, understood: spec, status and checkpoints as models, where every slot stands. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from diurnal_api.checkpoint import Checkpoint, Spent
from diurnal_api.instants import format_instant
from diurnal_api.layout import Segment, earliest, furthest, latest, parse_position, parse_segment
from diurnal_api.lease import checkpoint_of, is_sealed
from diurnal_api.names import LABEL_SHARD, uid_part
from diurnal_api.plan import Plan
from diurnal_api.spec import GROUP, Spec, TrafficSimulation
from diurnal_api.status import Status
from diurnal_operator.observation import Object, Observation, SeenLease, label_number

SPENT_BEFORE: Final = f"{GROUP}/spent-before"
"""Annotation of shard 0's Lease: what earlier epochs of the run spent, as JSON."""

_MICROSECONDS: Final = 1e6
_QUARTER: Final = 900_000_000


@dataclass(frozen=True)
class Situation:
    """A simulation and its world. ``spec`` is valid; a status that is not there is an empty one."""

    seen: Observation
    name: str
    namespace: str
    uid: str
    generation: int
    spec: Spec
    status: Status

    @staticmethod
    def of(seen: Observation) -> Situation:
        """Parses an observation; pydantic's ValidationError where the object is not valid."""
        raw = seen.simulation
        found = TrafficSimulation.model_validate({**raw, "status": raw.get("status") or {}})
        metadata = raw["metadata"]
        return Situation(
            seen,
            metadata["name"],
            metadata["namespace"],
            metadata["uid"],
            int(metadata.get("generation", 0)),
            found.spec,
            found.status or Status(),
        )

    @property
    def plan(self) -> Plan | None:
        """What the workers obey now."""
        return self.status.plan

    @property
    def run(self) -> str:
        """The run that the spec asks for: another restartNonce is another one."""
        return f"{uid_part(self.uid)}-{int(self.spec.restart_nonce)}"

    @property
    def is_same_run(self) -> bool:
        """Whether the plan is of the run that the spec asks for."""
        return self.plan is not None and self.plan.run == self.run

    @cached_property
    def deployments(self) -> dict[int, Object]:
        """Deployments by shard; those with an odd shard label come last under negative numbers."""
        found: dict[int, Object] = {}
        for number, deployment in enumerate(self.seen.deployments):
            shard = label_number(deployment, LABEL_SHARD)
            found[shard if shard >= 0 else -1 - number] = deployment
        return found

    @cached_property
    def by_name(self) -> dict[str, Object]:
        """Deployments by name."""
        return {deployed["metadata"]["name"]: deployed for deployed in self.seen.deployments}

    @cached_property
    def leases(self) -> dict[int, SeenLease]:
        """Leases of the plan's epoch and shards."""
        if self.plan is None:
            return {}
        plan = self.plan
        return {
            seen.shard: seen
            for seen in self.seen.leases
            if seen.epoch == int(plan.epoch) and 0 <= seen.shard < int(plan.shards)
        }

    @cached_property
    def other_leases(self) -> tuple[SeenLease, ...]:
        """Leases of other epochs, or of shards that the plan does not have."""
        ours = {id(seen) for seen in self.leases.values()}
        return tuple(seen for seen in self.seen.leases if id(seen) not in ours)

    @cached_property
    def checkpoints(self) -> dict[int, Checkpoint]:
        """What the shards last wrote down, by shard."""
        found = {shard: checkpoint_of(seen.lease) for shard, seen in self.leases.items()}
        return {shard: checkpoint for shard, checkpoint in found.items() if checkpoint is not None}

    @cached_property
    def position(self) -> tuple[Segment, ...]:
        """Where every slot of the run stands: the latest of plan, status, checkpoints. () without a plan."""
        if self.plan is None:
            return ()
        observed = self.status.clock.segments if self.status.clock else ()
        return latest(
            parse_position(self.plan.segments),
            map(parse_segment, observed),
            *(checkpoint.position for checkpoint in self.checkpoints.values()),
        )

    @property
    def reach(self) -> int:
        """The furthest simulated time that any shard may have sent.

        A shard without a checkpoint promised something that is lost; it was not further ahead of the status
        than the plan's bound on skew lets a leader be, counted in whole quarters of an hour.
        """
        assert self.plan is not None  # asked only of a run
        promised = [checkpoint.reach for checkpoint in self.checkpoints.values()]
        known = max([*promised, furthest(self.position)])
        if len(self.checkpoints) == int(self.plan.shards) or not self.has_begun:
            return known
        bound = earliest(self.position) + round(self.plan.pace.skew_seconds * _MICROSECONDS)
        return max(known, -(-bound // _QUARTER) * _QUARTER)

    @property
    def has_begun(self) -> bool:
        """Whether any worker of this epoch ever took its Lease, or moved the clock."""
        assert self.plan is not None  # asked only of a run
        taken = any(seen.was_held for seen in self.leases.values())
        return taken or self.position != parse_position(self.plan.segments)

    @property
    def is_sealed(self) -> bool:
        """Whether any Lease of the epoch is closed: then the epoch cannot go on."""
        return any(is_sealed(seen.lease) for seen in self.leases.values())

    @property
    def spent_before(self) -> Spent:
        """What earlier epochs, and shards whose Leases are lost, spent in this run."""
        first = self.leases.get(0)
        text = (first.lease["metadata"].get("annotations") or {}).get(SPENT_BEFORE) if first else None
        noted = _spent(text)
        if self.plan is None or len(self.leases) == int(self.plan.shards):
            return noted
        total, now = self._spent_by_status, self._spent_by_checkpoints
        return Spent(
            messages=max(noted.messages, total.messages - now.messages),
            billed_bytes=max(noted.billed_bytes, total.billed_bytes - now.billed_bytes),
        )

    @property
    def spent(self) -> Spent:
        """What the run spent: never less than the status said."""
        total, now = self._spent_by_status, self.spent_before.plus(self._spent_by_checkpoints)
        return Spent(
            messages=max(total.messages, now.messages), billed_bytes=max(total.billed_bytes, now.billed_bytes)
        )

    @property
    def _spent_by_checkpoints(self) -> Spent:
        total = Spent()
        for checkpoint in self.checkpoints.values():
            total = total.plus(checkpoint.spent)
        return total

    @property
    def _spent_by_status(self) -> Spent:
        spent = self.status.spent
        return Spent(messages=int(spent.messages), billed_bytes=int(spent.bytes)) if spent else Spent()

    @property
    def real_time(self) -> str:
        """Now, as conditions write it."""
        return f"{format_instant(self.seen.now)[:19]}Z"


def _spent(text: str | None) -> Spent:
    try:
        return Spent.model_validate_json(text) if text else Spent()
    except ValueError:
        return Spent()
