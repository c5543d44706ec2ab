"""Events for people: posted on transitions only, never for what merely goes on. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from diurnal_api.status import Status

_TOLD_WHEN_TRUE = {
    "Stalled": "Warning",
    "Completed": "Normal",
    "BudgetExhausted": "Normal",
    "DatasetDrift": "Warning",
}
_WHEN_OVER = {
    "Stalled": ("Recovered", "what was in the way is gone"),
    "DatasetDrift": ("DatasetAsRead", "the run reads what its dataset's address holds"),
}


@dataclass(frozen=True)
class Happening:
    """An Event of Kubernetes: Normal or Warning, a reason, a sentence."""

    kind: str
    reason: str
    message: str


def happenings(before: Status, after: Status) -> tuple[Happening, ...]:
    """What became different from one status to the next."""
    return (*_of_the_plan(before, after), *_of_conditions(before, after), *_of_the_state(before, after))


def counted(shards: int) -> str:
    """How many, in words that agree: 1 shard, 2 shards."""
    return f"{shards} shard" if shards == 1 else f"{shards} shards"


def _of_the_plan(before: Status, after: Status) -> tuple[Happening, ...]:
    old, new = before.plan, after.plan
    if new is None:
        return ()
    if old is None or old.run != new.run:
        return (Happening("Normal", "RunStarted", f"run {new.run} begins with {counted(int(new.shards))}"),)
    if old.epoch == new.epoch:
        return ()
    if old.shards != new.shards:
        text = f"{counted(int(old.shards))} became {new.shards} in epoch {new.epoch}"
        return (Happening("Normal", "Rescaled", text),)
    if len(old.regimes) != len(new.regimes) or old.regimes[-1] != new.regimes[-1]:
        return (Happening("Normal", "TrafficChanged", f"epoch {new.epoch} has other traffic"),)
    return (Happening("Normal", "Replanned", f"epoch {new.epoch} begins"),)


def _of_conditions(before: Status, after: Status) -> tuple[Happening, ...]:
    found = []
    for kind, severity in _TOLD_WHEN_TRUE.items():
        old, new = before.condition(kind), after.condition(kind)
        was, now = (c is not None and c.status == "True" for c in (old, new))
        if now and new is not None and (not was or (old is not None and old.reason != new.reason)):
            reason = kind if kind == "DatasetDrift" else new.reason
            found.append(Happening(severity, reason, new.message))
        elif was and not now:
            found.append(Happening("Normal", *_WHEN_OVER.get(kind, ("Continued", "the run goes on"))))
    return tuple(found)


def _of_the_state(before: Status, after: Status) -> tuple[Happening, ...]:
    if before.state == after.state:
        return ()
    if after.state == "Suspended":
        return (Happening("Normal", "Suspended", after.message or "suspended"),)
    if before.state == "Suspended" and after.plan is not None and before.plan is not None:
        return (Happening("Normal", "Resumed", "the run goes on"),)
    return ()
