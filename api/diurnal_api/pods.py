"""What a user may say about the pods of a simulation.

Deliberately no image, command, environment, volumes or namespace: whoever may create a simulation could then
run anything as any service account of the namespace.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, PlainValidator, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError

from diurnal_api.model import Model, Rule, Shape, Text, Whole

MAX_LABELS: Final = 16
MAX_LABEL: Final = 63

_QUANTITY = Shape(
    "[0-9]{1,16}([.][0-9]{1,3})?(m|k|Ki|M|Mi|G|Gi|T|Ti)?",
    "a quantity of Kubernetes such as 250m (CPU) or 256Mi (memory)",
)


def _quantity(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise PydanticCustomError("shape", "{text}", {"text": f"{value!r:.60} is not {_QUANTITY.expected}"})
    return str(_QUANTITY.check(value))


Quantity = Annotated[
    str,
    PlainValidator(_quantity),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "maxLength": 20,
            "pattern": f"^{_QUANTITY.pattern}$",
            # A pattern is not asked about integers.
            "x-kubernetes-validations": [
                {"rule": "type(self) != int || self >= 0", "message": "must not be negative"}
            ],
        }
    ),
]

LabelValue = Annotated[
    Text,
    Field(max_length=MAX_LABEL),
    Shape(
        "([a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?)?", "a label value: at most 63 letters, digits, -, _ and ."
    ),
]


class Quantities(Model):
    """CPU and memory."""

    cpu: Quantity | None = Field(default=None, description="CPU, such as 250m or 1.")
    memory: Quantity | None = Field(default=None, description="Memory, such as 256Mi.")


class Resources(Model):
    """What a worker asks for and what it may use."""

    requests: Quantities = Field(
        default=Quantities(cpu="250m", memory="192Mi"), description="What is kept free for each worker."
    )
    limits: Quantities = Field(
        default=Quantities(memory="384Mi"),
        description="What a worker may use at most. No CPU limit by default.",
    )


class Toleration(Model):
    """A taint of nodes that the workers tolerate."""

    rules = (
        Rule(
            "!has(self.value) || !has(self.operator) || self.operator != 'Exists'",
            "value has no meaning with operator Exists: leave it out, or use operator Equal",
            lambda t: t.value is None or t.operator != "Exists",
            "value",
        ),
        Rule(
            "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            "a toleration without key needs operator Exists, and then tolerates every taint",
            lambda t: t.key is not None or t.operator == "Exists",
            "operator",
        ),
    )

    key: Annotated[Text, Field(max_length=316)] | None = Field(
        default=None, description="Key of the taint. Default: every key."
    )
    operator: Literal["Equal", "Exists"] | None = Field(
        default=None, description="Equal (the default) compares the value, Exists does not."
    )
    value: LabelValue | None = Field(default=None, description="Value of the taint, for operator Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint. Default: every effect."
    )
    toleration_seconds: Whole | None = Field(
        default=None,
        ge=0,
        le=86_400,
        description="How long NoExecute is tolerated, in seconds. Default: for ever.",
    )


def _labels(value: object) -> Any:
    if not isinstance(value, dict) or not all(
        isinstance(k, str) and isinstance(v, str) for k, v in value.items()
    ):
        text = "must be a mapping of node labels to strings (quote true, no and numbers)"
        raise PydanticCustomError("labels", "{text}", {"text": text})
    if len(value) > MAX_LABELS:
        raise PydanticCustomError("labels", "{text}", {"text": f"must have at most {MAX_LABELS} labels"})
    long = [key for key in value if len(value[key]) > MAX_LABEL]
    if long:
        text = f"the value of {long[0]!r:.60} must have at most {MAX_LABEL} characters"
        raise PydanticCustomError("labels", "{text}", {"text": text})
    return dict(value)


NodeSelector = Annotated[
    dict[str, str],
    PlainValidator(_labels),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"type": "string", "maxLength": MAX_LABEL},
            "maxProperties": MAX_LABELS,
            "x-kubernetes-map-type": "atomic",
        }
    ),
]


class Worker(Model):
    """The pods of the workers. A change rolls them."""

    service_account_name: Annotated[
        Text,
        Field(max_length=253),
        Shape("[a-z0-9]([-a-z0-9.]*[a-z0-9])?", "the name of a service account: a-z, 0-9, - and ."),
    ] = Field(
        default="default",
        description="Service account of the workers, in the same namespace; the administrator of the "
        "operator may allow only some.",
    )
    resources: Resources = Field(default=Resources(), description="CPU and memory of each worker.")
    node_selector: NodeSelector | None = Field(
        default=None, description="Labels that a node must have to run a worker."
    )
    tolerations: Annotated[tuple[Toleration, ...], Strict(False)] = Field(
        default=(),
        max_length=16,
        description="Taints of nodes that the workers tolerate.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
