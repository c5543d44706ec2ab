"""What was read of the world, as values: all that a reconcile may look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diurnal_api.lease import holder
from diurnal_api.names import LABEL_EPOCH, LABEL_SHARD

Object = dict[str, Any]


@dataclass(frozen=True)
class SeenLease:
    """A Lease, and for how many seconds this operator has seen it unchanged."""

    lease: Object
    unchanged: float = 0.0

    @property
    def shard(self) -> int:
        """Its shard, -1 where the label is not a number."""
        return label_number(self.lease, LABEL_SHARD)

    @property
    def epoch(self) -> int:
        """Its epoch, -1 where the label is not a number."""
        return label_number(self.lease, LABEL_EPOCH)

    @property
    def was_held(self) -> bool:
        """Whether any worker ever took it."""
        spec = self.lease.get("spec") or {}
        return bool(holder(self.lease) or spec.get("renewTime") or spec.get("leaseTransitions"))


@dataclass(frozen=True)
class Claim:
    """What a simulation wants of the operator's ceilings and what it was granted, messages a second.

    ``wanted`` None is as much as there is; ``usd`` is what one message costs at most.
    """

    uid: str
    wanted: float | None
    granted: float
    usd: float


@dataclass(frozen=True)
class Rejected:
    """An object that could not be made: a CamelCase reason and words."""

    reason: str
    message: str


@dataclass(frozen=True)
class Observation:
    """One look at a simulation and what belongs to it; ``now`` is wall time in microseconds since 1970.

    ``pods`` are those of shards that do not come up (faults.suspects); ``claims`` are those of the other
    simulations, read only where a ceiling is set. ``rejected`` is what the API server last refused to make.
    """

    simulation: Object
    deployments: tuple[Object, ...] = ()
    leases: tuple[SeenLease, ...] = ()
    pods: tuple[Object, ...] = ()
    claims: tuple[Claim, ...] = ()
    now: int = 0
    rejected: Rejected | None = None


def label_number(thing: Object, label: str) -> int:
    """The number in a label, -1 where there is none."""
    text = str((thing["metadata"].get("labels") or {}).get(label, ""))
    return int(text) if text.isascii() and text.isdigit() else -1


def is_leaving(simulation: Object) -> bool:
    """Whether the object is being deleted: then the garbage collector does the rest."""
    return bool(simulation["metadata"].get("deletionTimestamp"))
