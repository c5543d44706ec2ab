"""The status: what is, and what lasts. A run resumes from it even if every Lease is gone."""

from typing import Annotated, Literal

from pydantic import Field, Strict

from diurnal_api.instants import Instant
from diurnal_api.model import SAFE_INTEGER, Number, Text, Whole
from diurnal_api.plan import DatasetRef, Pace, Plan, Recorded, Regime, Segments

__all__ = ["Condition", "DatasetRef", "ObservedClock", "Pace", "Plan", "Rates", "Regime", "Spent", "Status"]

NOT_YET = -1
"""The generation of an object that no operator has seen: kstatus and Argo CD wait for another."""

ConditionType = Literal[
    "Ready", "Reconciling", "Stalled", "Throttled", "Completed", "BudgetExhausted", "DatasetDrift"
]
_Word = Annotated[Text, Field(max_length=316)]
_Time = Annotated[Text, Field(max_length=40)]
_Count = Annotated[Whole, Field(ge=0, le=SAFE_INTEGER)]


class Condition(Recorded):
    """One thing that is true, false or unknown of the simulation."""

    type: _Word = Field(
        description="Ready (the summary), Reconciling, Stalled, Throttled, Completed, BudgetExhausted or "
        "DatasetDrift."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    observed_generation: _Count | None = Field(
        default=None, description="Generation of the object that this condition is about."
    )
    last_transition_time: _Time = Field(description="Real time of the last change of status.")
    reason: Annotated[Text, Field(max_length=1024)] = Field(description="The cause in one CamelCase word.")
    message: Annotated[Text, Field(max_length=32768)] = Field(
        default="", description="The cause in words, with the remedy."
    )


class ObservedClock(Recorded):
    """The simulation clock."""

    time: Instant | None = Field(default=None, description="Simulated time that every slot has reached.")
    short: _Word | None = Field(default=None, description="The same in whole seconds, for tables.")
    reach: Instant | None = Field(
        default=None,
        description="Simulated time that no shard was allowed to pass so far: other traffic begins here.",
    )
    observed_at: _Time | None = Field(default=None, description="Real time of this observation.")
    speed: Number | None = Field(default=None, ge=0, description="Simulated seconds a real second, lately.")
    segments: Segments = Field(
        default=(),
        max_length=1024,
        description=(
            "The position: slot ranges, each with the time that all its events before are acknowledged."
        ),
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class Rates(Recorded):
    """Messages a real second."""

    expected: Number | None = Field(
        default=None, ge=0, description="Messages a real second that the plan allows for."
    )
    achieved: Number | None = Field(
        default=None, ge=0, description="Messages a real second that were acknowledged, lately."
    )


class Spent(Recorded):
    """What the run has used of its budget."""

    messages: _Count = Field(
        default=0,
        description="Messages that were sent, repeats included; what a worker sent after its last "
        "checkpoint, when it crashed or lost its Lease, is not known.",
    )
    bytes: _Count = Field(default=0, description="Billed bytes of them.")
    usd: Annotated[Text, Field(max_length=32)] = Field(
        default="0", description="What publishing them costs, in US dollars."
    )


class Status(Recorded):
    """What the operator observed. It alone writes it."""

    observed_generation: Annotated[Whole, Field(ge=NOT_YET, le=SAFE_INTEGER)] | None = Field(
        default=None,
        description="Generation of the object that this status is about; -1 before it was ever seen.",
    )
    conditions: Annotated[tuple[Condition, ...], Strict(False)] = Field(
        default=(),
        max_length=16,
        description="Conditions by type; Ready is the summary.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    clock: ObservedClock | None = Field(default=None, description="The simulation clock.")
    plan: Plan | None = Field(default=None, description="What the workers obey.")
    shards: _Count = Field(default=0, description="Shards that exist.")
    ready_shards: _Count = Field(default=0, description="Shards whose worker is ready.")
    ready: _Word | None = Field(default=None, description="Ready shards of all, such as 4/4, for tables.")
    selector: Annotated[Text, Field(max_length=1024)] | None = Field(
        default=None, description="Label selector of the workers' pods, for the scale subresource."
    )
    rate: Rates | None = Field(default=None, description="Messages a real second, expected and achieved.")
    spent: Spent | None = Field(default=None, description="What the run has used of its budget.")
    users: _Count | None = Field(default=None, description="Simulated users.")
    state: _Word | None = Field(
        default=None,
        description="One word for tables, such as Running, Throttled, Suspended, Completed or Stalled.",
    )
    message: Annotated[Text, Field(max_length=32768)] | None = Field(
        default=None, description="What a person should know, in one sentence."
    )

    def condition(self, kind: str) -> Condition | None:
        """The condition of a type, if it was ever set."""
        return next((condition for condition in self.conditions if condition.type == kind), None)
