"""The conditions of a simulation, by the conventions that kubectl, kstatus and Argo CD read. Pure.

Ready is the summary: the simulation is as its spec wants it, which for a suspended, completed or exhausted
one is that nothing runs. Reconciling and Stalled follow kstatus
(https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md); Throttled and DatasetDrift
are for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from diurnal_api.status import Condition, ConditionType
from diurnal_operator.halting import Halt
from diurnal_operator.situation import Situation
from diurnal_operator.throttling import Throttle

Truth = Literal["True", "False", "Unknown"]
DATASET_DRIFT: Final = "DatasetDrift"


@dataclass(frozen=True)
class Progress:
    """How far the world is from the plan: shards wanted and ready; ``doing`` says what is changing.

    ``note`` is what a person should know although nothing is wrong.
    """

    shards: int = 0
    ready: int = 0
    reason: str = ""
    doing: str = ""
    note: str = ""


def conditions_of(
    situation: Situation, halt: Halt | None, fault: Halt | None, throttle: Throttle | None, progress: Progress
) -> tuple[Condition, ...]:
    """All seven, each with the time of its last change."""
    stalled = halt if halt is not None and halt.stalled else fault
    rest = halt if halt is not None and not halt.stalled else None
    return (
        _ready(situation, stalled, rest, progress),
        _reconciling(situation, stalled, progress),
        _stalled(situation, stalled),
        _throttled(situation, throttle),
        _over(situation, "Completed", rest),
        _over(situation, "BudgetExhausted", rest),
        _drift(situation),
    )


def _ready(situation: Situation, stalled: Halt | None, rest: Halt | None, progress: Progress) -> Condition:
    if stalled is not None:
        return _condition(situation, "Ready", "False", stalled.reason, stalled.message)
    if progress.doing:
        return _condition(situation, "Ready", "False", progress.reason, progress.doing)
    if rest is not None:
        return _condition(situation, "Ready", "True", rest.reason, rest.message)
    return _condition(situation, "Ready", "True", "Running", _publishes(situation, progress))


def _publishes(situation: Situation, progress: Progress) -> str:
    wanted, text = int(situation.spec.shards), "every shard publishes"
    if wanted > progress.shards:
        text = (
            f"all of {progress.shards} shards publish, the most that the administrator of the operator "
            f"allows (spec.shards: {wanted})"
        )
    return f"{text}, {progress.note}" if progress.note else text


def _reconciling(situation: Situation, stalled: Halt | None, progress: Progress) -> Condition:
    if progress.doing and stalled is None:
        return _condition(situation, "Reconciling", "True", progress.reason, progress.doing)
    return _condition(situation, "Reconciling", "False", "Settled", "nothing is being changed")


def _stalled(situation: Situation, stalled: Halt | None) -> Condition:
    if stalled is None:
        return _condition(situation, "Stalled", "False", "Healthy", "nothing is in the way")
    return _condition(situation, "Stalled", "True", stalled.reason, stalled.message)


def _throttled(situation: Situation, throttle: Throttle | None) -> Condition:
    if throttle is None:
        return _condition(situation, "Throttled", "False", "NotRunning", "nothing runs")
    return _condition(
        situation, "Throttled", "True" if throttle.is_on else "False", throttle.reason, throttle.message
    )


def _over(situation: Situation, kind: ConditionType, rest: Halt | None) -> Condition:
    if rest is not None and rest.reason == kind:
        return _condition(situation, kind, "True", kind, rest.message)
    return _condition(situation, kind, "False", "NotYet", "")


def _drift(situation: Situation) -> Condition:
    """Whether shard 0 found another table where its dataset came from; where it has not looked, as before."""
    if not situation.is_same_run:  # what the last run's shard 0 found is of another table
        return _condition(situation, DATASET_DRIFT, "False", "Unchanged", "")
    first, before = situation.checkpoints.get(0), situation.status.condition(DATASET_DRIFT)
    told = first.drift if first is not None else None
    if told is None and before is not None:
        return _condition(situation, DATASET_DRIFT, before.status, before.reason, before.message)
    if told:
        return _condition(situation, DATASET_DRIFT, "True", "Changed", told)
    return _condition(situation, DATASET_DRIFT, "False", "Unchanged", "")


def _condition(
    situation: Situation, kind: ConditionType, status: Truth, reason: str, message: str
) -> Condition:
    before = situation.status.condition(kind)
    same = before is not None and before.status == status
    return Condition(
        type=kind,
        status=status,
        observed_generation=situation.generation,
        last_transition_time=before.last_transition_time if same and before else situation.real_time,
        reason=camel_case(reason),
        message=message[:32768],
    )


def camel_case(reason: str) -> str:
    """A reason that Kubernetes' conventions accept, whatever a worker wrote."""
    kept = "".join(letter for letter in reason if letter.isascii() and (letter.isalnum() or letter == "_"))
    return kept if kept[:1].isalpha() else f"Failed{kept}"
