"""The plan: what workers obey, and all that they obey. The operator (or a local run) writes it, nobody else.

Unlike the spec it holds nothing to be resolved: defaults are filled in, Now is an instant, budgets are
messages a second. It is read by workers of another version during an upgrade, hence unknown fields are
ignored.
"""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, Strict, ValidatorFunctionWrapHandler, WrapValidator

from diurnal_api.events import Events
from diurnal_api.instants import Instant
from diurnal_api.layout import SLOTS
from diurnal_api.model import SAFE_INTEGER, Model, Number, Shape, Text, Whole
from diurnal_api.population import MAX_USERS, Countries
from diurnal_api.sink import Sink
from diurnal_api.traffic import Traffic

MAX_EPOCH = 999_999_999
MAX_REGIMES = 256

SegmentText = Annotated[
    Text,
    Field(max_length=40),
    Shape(
        "[0-9]{1,4}-[0-9]{1,4}@[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z",
        "a slot range with its clock, such as 0-255@2026-01-01T06:12:31.004211Z",
    ),
]
Segments = Annotated[tuple[SegmentText, ...], Strict(False)]


class Recorded(Model):
    """A part of plan or status: written by this software, read by other versions of it."""

    model_config = ConfigDict(extra="ignore")


class DatasetRef(Recorded):
    """The exact bytes that every shard reads."""

    uri: Annotated[Text, Field(max_length=1280)] = Field(description="Where the table came from.")
    generation: Whole | None = Field(
        default=None, ge=1, le=SAFE_INTEGER, description="Its generation in Cloud Storage."
    )
    sha256: Annotated[Text, Field(max_length=64)] = Field(
        default="", description="SHA-256 of its bytes, in hexadecimal."
    )


def _with_local_paths(value: Any, handler: ValidatorFunctionWrapHandler) -> Countries:
    """A plan is not a user's word: where a local run put a path of its machine, its workers may read it."""
    recorded = Countries.model_validate(value, context={"local": True}) if isinstance(value, dict) else value
    checked: Countries = handler(recorded)
    return checked


class PlannedPopulation(Recorded):
    """The population of the run."""

    users: Whole = Field(ge=1, le=MAX_USERS, description="Simulated users in the whole world.")
    seed: Whole = Field(ge=0, le=SAFE_INTEGER, description="Seed of everything that is drawn.")
    countries: Annotated[Countries, WrapValidator(_with_local_paths)] = Field(
        description="Where the table of countries comes from."
    )


class Regime(Recorded):
    """What is simulated from a simulated time on."""

    start: Instant = Field(description="Simulated time from which this traffic holds.")
    traffic: Traffic = Field(description="The traffic, with all its defaults.")


class Pace(Recorded):
    """How simulated time follows real time, and where it ends."""

    messages_per_second: Number | None = Field(
        default=None, gt=0, description="Most messages a real second over all shards. Absent: no limit."
    )
    max_speed: Number | None = Field(default=None, gt=0, description="Most simulated seconds a real second.")
    end: Instant | None = Field(
        default=None, description="Simulated time at which the run is complete, exclusive."
    )
    max_messages: Whole | None = Field(
        default=None,
        ge=1,
        le=SAFE_INTEGER,
        description="Messages after which the run ends, in the order of the world.",
    )
    skew_seconds: Number = Field(
        default=900.0, gt=0, description="Most simulated seconds that a shard may be ahead of the slowest."
    )


class Plan(Recorded):
    """What the workers of one epoch of a run obey."""

    run: Annotated[Text, Field(max_length=63)] = Field(
        description="Identifies the run; another one begins anew."
    )
    epoch: Whole = Field(ge=0, le=MAX_EPOCH, description="Counts the plans of a run.")
    shards: Whole = Field(ge=1, le=SLOTS, description="Number of workers that share the slots.")
    engine: Annotated[Text, Field(max_length=63)] = Field(description="Version of the random stream.")
    tzdata: Annotated[Text, Field(max_length=63)] = Field(description="Version of the time zone database.")
    start: Instant = Field(description="Simulated time of the start of the run.")
    dataset: DatasetRef | None = Field(
        default=None, description="The table of countries; absent until shard 0 found it."
    )
    population: PlannedPopulation = Field(description="The population of the run.")
    regimes: Annotated[tuple[Regime, ...], Strict(False)] = Field(
        min_length=1,
        max_length=MAX_REGIMES,
        description="What is simulated, in the order of simulated time.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    pace: Pace = Field(description="How simulated time follows real time.")
    reached: Whole | None = Field(
        default=None,
        ge=1,
        le=SAFE_INTEGER,
        description="Total of messages at which every shard ended before: a larger one goes on after it.",
    )
    segments: Segments = Field(
        max_length=SLOTS,
        description="The position at which this epoch began; covers every slot once.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    events: Events = Field(description="What an event looks like.")
    sink: Sink = Field(description="Where the events go.")
