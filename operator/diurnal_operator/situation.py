"""An observation, understood: spec, status and checkpoints as models, where every slot stands. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from diurnal_api.checkpoint import Checkpoint, Spent
from diurnal_api.instants import format_instant, parse_instant
from diurnal_api.layout import Segment, furthest, latest, parse_position, parse_segment
from diurnal_api.lease import checkpoint_of, is_sealed
from diurnal_api.names import LABEL_EPOCH, LABEL_SHARD, uid_part
from diurnal_api.plan import Plan
from diurnal_api.planning import total_reached
from diurnal_api.spec import GROUP, Spec, TrafficSimulation
from diurnal_api.status import Status
from diurnal_operator.observation import Object, Observation, SeenLease, label_number

SPENT_BEFORE: Final = f"{GROUP}/spent-before"
"""Annotation of shard 0's Lease: what earlier epochs of the run spent, as JSON."""

LABEL_RUN: Final = f"{GROUP}/run"

_MICROSECONDS: Final = 1e6
_QUARTER: Final = 900_000_000
_SKEW_LASTS: Final = 15.0
"""Real seconds in which a run surely moves by no more than its bound on skew, a minute at its mean speed."""


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

    def checkpoints_of(self, run: str) -> tuple[Checkpoint, ...]:
        """What the shards of all epochs of a run wrote down, as far as their Leases are still there."""
        of_run = (s.lease for s in self.seen.leases if s.lease["metadata"]["labels"].get(LABEL_RUN) == run)
        return tuple(filter(None, map(checkpoint_of, of_run)))

    def reach(self, plan: Plan, position: tuple[Segment, ...]) -> int:
        """The furthest simulated time that any shard, of any epoch of the plan's run, may have sent."""
        promised = [int(checkpoint.reach) for checkpoint in self.checkpoints_of(plan.run)]
        known = max([furthest(position), *promised])
        if self.plan is None or self.plan.run != plan.run:
            return known
        return max(known, self._noted_reach, self._lost_reach)

    @property
    def lost(self) -> tuple[int, ...]:
        """Shards whose Lease of this epoch is gone, and with it what they promised last."""
        if self.plan is None or not self.has_begun:
            return ()
        return tuple(shard for shard in range(int(self.plan.shards)) if shard not in self.leases)

    @property
    def has_unnoted_loss(self) -> bool:
        """Whether the status does not yet allow for what lost Leases may have promised.

        It has to before they are put back: an empty Lease looks like one that nobody ever took.
        """
        if not self.lost or not self._is_moving:
            return False
        assert self.plan is not None  # where a shard is lost
        half = round(float(self.plan.pace.skew_seconds) * _MICROSECONDS / 2)
        return self._noted_reach < furthest(self.position) + half

    @property
    def _noted_reach(self) -> int:
        clock = self.status.clock
        return int(clock.reach) if clock is not None and clock.reach is not None else 0

    @property
    def _lost_reach(self) -> int:
        """A bound on what lost Leases promised since the last status, in whole quarters of an hour."""
        clock = self.status.clock
        if not self.lost or not self._is_moving or clock is None or clock.observed_at is None:
            return 0
        assert self.plan is not None  # where a shard is lost
        seconds = max(self.seen.now - parse_instant(clock.observed_at), 0) / _MICROSECONDS
        unseen = seconds / _SKEW_LASTS if clock.speed != 0 else 0.0
        ahead = float(self.plan.pace.skew_seconds) * (1 + unseen)
        bound = furthest(self.position) + round(ahead * _MICROSECONDS)
        return -(-bound // _QUARTER) * _QUARTER

    @property
    def _is_moving(self) -> bool:
        """Whether workers ran when the status was written: what rests has promised nothing new since."""
        settling = self.status.condition("Reconciling")
        return int(self.status.shards) > 0 or (settling is not None and settling.status == "True")

    @property
    def reached(self) -> int | None:
        """The total of messages at which every shard of the run ended, now or before."""
        if self.plan is None or not self.is_same_run:
            return None
        return total_reached(self.plan, [self.checkpoints.get(s) for s in range(int(self.plan.shards))])

    @property
    def has_begun(self) -> bool:
        """Whether any worker of this epoch was ever started, took its Lease, or moved the clock.

        A Deployment of the epoch is made only after all its Leases.
        """
        assert self.plan is not None  # asked only of a run
        taken = any(seen.was_held for seen in self.leases.values())
        started = any(is_current(deployed, self.plan) for deployed in self.seen.deployments)
        return taken or started or self.position != parse_position(self.plan.segments)

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


def is_current(deployed: Object, plan: Plan) -> bool:
    """Whether a Deployment is of the plan's epoch."""
    return label_number(deployed, LABEL_EPOCH) == int(plan.epoch)


def _spent(text: str | None) -> Spent:
    try:
        return Spent.model_validate_json(text) if text else Spent()
    except ValueError:
        return Spent()
