"""What an event looks like: its schema, its encoding and how often which kind occurs."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from diurnal_api.model import Model

AttributeField = Literal[
    "event_id", "user_id", "session_id", "event_type", "app_id", "device_type", "os_version", "country_code"
]

EVENT_TYPE_WEIGHTS: Final[dict[str, float]] = {
    "app_open": 0.40,
    "app_close": 0.04,
    "search": 0.30,
    "app_install": 0.15,
    "app_uninstall": 0.01,
    "review_submit": 0.05,
    "in_app_purchase": 0.05,
}
DEVICE_TYPE_WEIGHTS: Final[dict[str, float]] = {"phone": 0.80, "tablet": 0.15, "desktop": 0.05}

MAX_WEIGHT: Final = 1e6
LEAST_WEIGHT: Final = 0.000001


def _refuse(text: str) -> PydanticCustomError:
    return PydanticCustomError("weights", "{text}", {"text": text})


def _weights(names: tuple[str, ...]) -> Any:
    """A validator of weights by name: names of the schema, 0 to 1e6, at least one above zero."""
    listed = ", ".join(names)

    def validate(value: object) -> dict[str, float]:
        if not isinstance(value, dict):
            raise _refuse(f"must be a mapping of weights by name, of {listed}")
        for name, weight in value.items():
            if name not in names:
                raise _refuse(f"{name!r:.60} is not one of {listed}")
            if (
                isinstance(weight, bool)
                or not isinstance(weight, int | float)
                or not 0 <= weight <= MAX_WEIGHT
            ):
                raise _refuse(
                    f"the weight of {name} is {weight!r:.40}; it must be a number from 0 to 1000000"
                )
        if not any(weight >= LEAST_WEIGHT for weight in value.values()):
            raise _refuse(
                f"at least one weight must be {LEAST_WEIGHT:f} or more: with no weight nothing can occur"
            )
        # In the order of the schema, so that the same weights are the same object however they were written.
        return {name: float(value[name]) for name in names if name in value}

    return validate


def _schema(names: tuple[str, ...]) -> dict[str, Any]:
    quoted = ", ".join(f"'{name}'" for name in names)
    return {
        "type": "object",
        "additionalProperties": {"type": "number", "minimum": 0, "maximum": MAX_WEIGHT},
        "minProperties": 1,
        "maxProperties": len(names),
        "x-kubernetes-map-type": "atomic",
        "x-kubernetes-validations": [
            {
                "rule": f"self.all(name, name in [{quoted}])",
                "message": f"names must be of {', '.join(names)}",
            },
            {
                "rule": f"self.exists(name, self[name] >= {LEAST_WEIGHT:f})",
                "message": (
                    f"at least one weight must be {LEAST_WEIGHT:f} or more: with no weight nothing can occur"
                ),
            },
        ],
    }


_EVENT_TYPES = tuple(EVENT_TYPE_WEIGHTS)
_DEVICE_TYPES = tuple(DEVICE_TYPE_WEIGHTS)
EventTypeWeights = Annotated[
    dict[str, float], PlainValidator(_weights(_EVENT_TYPES)), WithJsonSchema(_schema(_EVENT_TYPES))
]
DeviceTypeWeights = Annotated[
    dict[str, float], PlainValidator(_weights(_DEVICE_TYPES)), WithJsonSchema(_schema(_DEVICE_TYPES))
]


class Weights(Model):
    """Relative frequencies. They need not add up to 1; a name that is left out never occurs."""

    event_types: EventTypeWeights = Field(
        default=EVENT_TYPE_WEIGHTS,
        description=(
            "Relative frequency by event type, 0 to 1e6 each. What is left out of a mapping never occurs."
        ),
    )
    device_types: DeviceTypeWeights = Field(
        default=DEVICE_TYPE_WEIGHTS,
        description=(
            "Relative frequency by device type, 0 to 1e6 each. What is left out of a mapping never occurs."
        ),
    )


class Events(Model):
    """The events themselves. They do not change within a run."""

    schema_: Literal["AppStore"] = Field(
        default="AppStore",
        description="Schema of the events: AppStore, a user's interaction with an app store.",
    )
    encoding: Literal["JSON", "Avro"] = Field(
        default="JSON", description="Encoding of a message: JSON, or Avro in its binary encoding."
    )
    weights: Weights = Field(
        default=Weights(), description="Relative frequencies of event types and device types."
    )
