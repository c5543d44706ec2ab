"""The resource: what a user asks for. The models are the source of the CRD and of its reference.

Every field carries its default, bounds, unit and description. What types cannot say is a ``Rule`` (model.py).
"""

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from diurnal_api.budget import Budget
from diurnal_api.clock import Clock
from diurnal_api.events import Events, Weights
from diurnal_api.layout import SLOTS
from diurnal_api.model import SAFE_INTEGER, Flag, Model, Rule, Shape, Text, Whole
from diurnal_api.pods import Quantities, Resources, Toleration, Worker
from diurnal_api.population import ConfigMapKey, Countries, Population
from diurnal_api.sink import Discard, PubSub, Sink, Stdout
from diurnal_api.status import Status
from diurnal_api.traffic import Activity, Cosine, Rate, Traffic

__all__ = [
    "Activity",
    "Budget",
    "Clock",
    "ConfigMapKey",
    "Cosine",
    "Countries",
    "Discard",
    "Events",
    "Metadata",
    "Population",
    "PubSub",
    "Quantities",
    "Rate",
    "Resources",
    "Sink",
    "Spec",
    "Stdout",
    "Toleration",
    "Traffic",
    "TrafficSimulation",
    "Weights",
    "Worker",
]

GROUP: Final = "diurnal.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "diurnal.dev/v1alpha1"
KIND: Final = "TrafficSimulation"
PLURAL: Final = "trafficsimulations"
MAX_NAME: Final = 40


def _only_with_a_new_nonce(field: str, at: str) -> Rule:
    return Rule(
        f"self.restartNonce != oldSelf.restartNonce || self.{field} == oldSelf.{field}",
        f"{field} does not change within a run: set another restartNonce too, which starts a new run",
        at=at,
    )


class Spec(Model):
    """What is wanted."""

    rules = (
        _only_with_a_new_nonce("population", "population"),
        _only_with_a_new_nonce("clock.start", "clock.start"),
        _only_with_a_new_nonce("events", "events"),
        _only_with_a_new_nonce("sink", "sink"),
        Rule(
            "!has(self.sink.stdout) || !has(self.events) || !has(self.events.encoding) || "
            "self.events.encoding != 'Avro'",
            "Avro has no lines: use encoding JSON, or another sink than stdout",
            lambda spec: spec.sink.stdout is None or spec.events.encoding != "Avro",
            "events.encoding",
        ),
    )

    shards: Whole = Field(
        default=1,
        ge=0,
        le=SLOTS,
        description="Number of workers, 0 to 1024. More workers send more a second; which events occur "
        "stays the same. 0 stops and keeps the clock. May change at any time, also by kubectl scale.",
    )
    suspend: Flag = Field(
        default=False,
        description="Stops the run and keeps the clock, with shards as it is. May change at any time.",
    )
    restart_nonce: Whole = Field(
        default=0,
        ge=0,
        le=SAFE_INTEGER,
        description="Any other number starts a new run from clock.start. Needed to change population, "
        "clock.start, events or sink.",
    )
    population: Population = Field(
        default=Population(), description="Who sends. Changes only together with restartNonce."
    )
    traffic: Traffic = Field(
        default=Traffic(),
        description="How much they send and when. A change holds from then on, in the same run.",
    )
    clock: Clock = Field(
        default=Clock(),
        description="The simulated time. start changes only together with restartNonce; the rest at once.",
    )
    budget: Budget = Field(
        default=Budget(), description="What may be sent and spent. May change at any time."
    )
    events: Events = Field(
        default=Events(), description="What an event looks like. Changes only together with restartNonce."
    )
    sink: Sink = Field(
        description="Where the events go: exactly one of pubsub, stdout, discard. Changes only together with "
        "restartNonce."
    )
    worker: Worker = Field(default=Worker(), description="The pods of the workers. A change rolls them.")


class Metadata(Model):
    """The part of Kubernetes' object metadata that this software reads; the rest is left alone."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[
        Text,
        Shape(
            "[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?",
            f"a name: at most {MAX_NAME} of a-z, 0-9 and -, beginning and ending with a letter or digit",
        ),
    ]
    namespace: Annotated[Text, Field(max_length=63)] | None = None
    uid: Annotated[Text, Field(max_length=63)] | None = None
    generation: Whole | None = None
    resource_version: Text | None = None
    labels: dict[str, Any] | None = None
    annotations: dict[str, Any] | None = None


class TrafficSimulation(Model):
    """The traffic of a world of app users, day and night, as a stream of events."""

    api_version: Literal["diurnal.dev/v1alpha1"]
    kind: Literal["TrafficSimulation"]
    metadata: Metadata
    spec: Spec = Field(description="What is wanted.")
    status: Status | None = Field(default=None, description="What is. Written by the operator.")
