"""What is told of a simulation whose object cannot be read. Pure.

The API server refuses such objects; but one may have been stored under an older schema. Its workers are left
alone: they obey the plan, which is valid.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from diurnal_api.instants import format_instant
from diurnal_api.problems import problems_of
from diurnal_api.spec import TrafficSimulation
from diurnal_operator.observation import Object, Observation
from diurnal_operator.reconcile import Decision


def refuse(seen: Observation, error: ValidationError, again: float) -> Decision:
    """A decision that changes nothing but the conditions Stalled, Ready and Reconciling."""
    simulation = seen.simulation
    text = "; ".join(f"{p.path}: {p.message}" for p in problems_of(error, TrafficSimulation))[:4096]
    status = dict(simulation.get("status") or {})
    before = {condition["type"]: condition for condition in status.get("conditions") or []}
    told = {
        "Ready": ("False", "InvalidSpec", text),
        "Reconciling": ("False", "Settled", "nothing is being changed"),
        "Stalled": ("True", "InvalidSpec", text),
    }
    conditions = {
        kind: _condition(simulation, seen.now, kind, *words, before.get(kind)) for kind, words in told.items()
    }
    following: Object = {
        **status,
        "observedGeneration": simulation["metadata"].get("generation", 0),
        "state": "Stalled",
        "message": text,
        "conditions": list({**before, **conditions}.values()),
    }
    return Decision(status=following if following != status else None, after=again)


def _condition(
    simulation: Object, now: int, kind: str, status: str, reason: str, message: str, before: Any
) -> Object:
    same = bool(before) and before.get("status") == status
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": simulation["metadata"].get("generation", 0),
        "lastTransitionTime": before["lastTransitionTime"] if same else f"{format_instant(now)[:19]}Z",
    }
