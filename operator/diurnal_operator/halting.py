"""Why a simulation is not running, if so: what was asked for, what is refused, what is over. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from diurnal_api.layout import earliest
from diurnal_api.plan import Pace
from diurnal_operator.admission import Refusal
from diurnal_operator.ceilings import OVER, WAITS, Grant
from diurnal_operator.situation import Situation


@dataclass(frozen=True)
class Halt:
    """Why no worker runs. ``stalled``: a person has to do something."""

    reason: str
    message: str
    stalled: bool = False


def halt_of(situation: Situation, pace: Pace, granted: Grant, refusal: Refusal | None) -> Halt | None:
    """Why the simulation does not run under this pace, None where it does."""
    spec = situation.spec
    if spec.suspend:
        return Halt("Suspended", "spec.suspend is true: the clock is kept; set it to false to go on")
    if spec.shards == 0:
        return Halt("Suspended", "spec.shards is 0: the clock is kept; scale up to go on")
    if refusal is not None:
        return Halt(refusal.reason, refusal.message, stalled=True)
    if granted.rate == 0:
        return Halt(
            WAITS,
            "other simulations use all that the administrator of the operator allows: it goes on when they "
            "end, or when the ceiling is raised",
            stalled=True,
        )
    return _over(situation, pace)


def _over(situation: Situation, pace: Pace) -> Halt | None:
    """A run is over once every shard says so and it is still true: a later end or a larger budget goes on."""
    plan = situation.plan
    if plan is None or not situation.is_same_run or len(situation.checkpoints) < int(plan.shards):
        return None
    ended = situation.checkpoints.values()
    if not all(checkpoint.state in OVER for checkpoint in ended):
        return None
    if pace.end is not None and earliest(situation.position) >= pace.end:
        return Halt("Completed", f"the clock reached the end of the run after {_messages(situation)}")
    if pace.max_messages is not None and all((c.total or 0) >= pace.max_messages for c in ended):
        return Halt(
            "BudgetExhausted",
            f"the budget of the run is used after {_messages(situation)}: raise spec.budget.maxMessages or "
            "spec.budget.maxUSD to go on",
        )
    return None


def _messages(situation: Situation) -> str:
    return f"{situation.spent.messages:,} messages"
