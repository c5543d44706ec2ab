"""What a worker obeys: the plan in the simulation's status, where it is meant for this very worker. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from diurnal_api.instants import parse_instant
from diurnal_api.names import lease_name
from diurnal_api.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS_IS_OLD: Final = 60.0


@dataclass(frozen=True)
class Identity:
    """Who this worker is, from its environment."""

    name: str
    namespace: str
    uid: str
    run: str
    epoch: int
    shard: int
    pod: str

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Identity:
        """The identity of a pod; ValueError names the variable that is missing or wrong."""
        try:
            return Identity(
                environment["DIURNAL_NAME"],
                environment["DIURNAL_NAMESPACE"],
                environment["DIURNAL_UID"],
                environment["DIURNAL_RUN"],
                int(environment["DIURNAL_EPOCH"]),
                int(environment["DIURNAL_SHARD"]),
                environment["POD_UID"],
            )
        except KeyError as missing:
            raise ValueError(f"the environment lacks {missing.args[0]}: the operator sets it") from None

    @property
    def lease(self) -> str:
        """The name of this worker's Lease."""
        return lease_name(self.name, self.uid, self.shard, self.epoch)


@dataclass(frozen=True)
class Orders:
    """What the simulation says to this worker: a plan to obey, or why there is none.

    ``observed`` are the segments of the status, ``slowest`` is the earliest of their clocks.
    """

    plan: Plan | None
    why: str = ""
    slowest: int | None = None
    observed: tuple[str, ...] = ()


def orders(simulation: dict[str, Any], me: Identity) -> Orders:
    """Reads the orders of ``me`` out of a TrafficSimulation."""
    if simulation.get("metadata", {}).get("uid") != me.uid:
        return Orders(None, "the simulation of this name is another one now")
    status = simulation.get("status") or {}
    if not status.get("plan"):
        return Orders(None, "the simulation has no plan yet")
    try:
        plan = Plan.model_validate(status["plan"])
    except ValidationError as error:
        return Orders(None, f"the plan cannot be read by this worker: {error.errors()[0]['msg']}")
    if (plan.run, int(plan.epoch)) != (me.run, me.epoch):
        return Orders(
            None, f"the plan is run {plan.run} epoch {plan.epoch}: this worker's is over, or not yet"
        )
    if me.shard >= int(plan.shards):
        return Orders(None, f"the plan has only {plan.shards} shards")
    clock = status.get("clock") or {}
    text = clock.get("time")
    return Orders(
        plan, slowest=parse_instant(text) if text else None, observed=tuple(clock.get("segments") or ())
    )


class OtherEngineError(Exception):
    """The plan is of another engine, or of other time zones, than this worker has; the text says which."""

    reason: Final = "OtherEngine"


def check_engine(plan: Plan, engine: str, tzdata: str) -> None:
    """OtherEngineError where a worker with this engine would not go on with the run's stream."""
    zones = plan.tzdata or tzdata
    if (plan.engine, zones) != (engine, tzdata):
        raise OtherEngineError(
            f"the run needs engine {plan.engine} with tzdata {zones}, this worker image has {engine} with "
            f"{tzdata}: install the worker image of before, or set another spec.restartNonce to begin anew"
        )


class Slowest:
    """The slowest clock as the status says, and how long it has said so: an old one does not count."""

    def __init__(self) -> None:
        self._clock: int | None = None
        self._since = float("-inf")

    def observe(self, clock: int | None, now: float) -> None:
        """Takes what the status says at ``now`` (monotonic seconds)."""
        if clock != self._clock:
            self._clock, self._since = clock, now

    def at(self, now: float) -> int | None:
        """The slowest clock, None where it is unknown or has not moved for a minute."""
        return self._clock if now - self._since < STATUS_IS_OLD else None
