"""What may be sent and spent. A budget slows the simulation clock or ends the run; it never thins events."""

from typing import Annotated, Final, Literal

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from diurnal_api.model import SAFE_INTEGER, Model, Rule, Shape, Text, Whole

MAX_RATE: Final = 1_000_000_000

USD = Annotated[
    Text,
    Field(max_length=16),
    Shape(
        "(0|[1-9][0-9]{0,8})([.][0-9]{1,6})?", 'an amount of US dollars as a string, such as "5" or "0.25"'
    ),
]
"""US dollars as text with at most six decimals, so that no float ever rounds money."""


def _throttle(value: object) -> int | Literal["Unlimited"]:
    if value == "Unlimited":
        return "Unlimited"
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_RATE:
        return value
    text = f"{value!r:.60} is not a whole number of messages a second, 1 to 1000000000, or Unlimited"
    raise PydanticCustomError("throttle", "{text}", {"text": text})


Throttle = Annotated[
    int | Literal["Unlimited"],
    PlainValidator(_throttle),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "maxLength": 10,
            "x-kubernetes-validations": [
                {
                    "rule": f"type(self) == int ? self >= 1 && self <= {MAX_RATE} : self == 'Unlimited'",
                    "message": "must be a whole number of messages a second, 1 to 1000000000, or Unlimited",
                }
            ],
        }
    ),
]


def _positive(name: str, attribute: str) -> Rule:
    return Rule(
        f"!has(self.{name}) || double(self.{name}) > 0.0",
        f"{name} must be more than 0; to stop a run, set suspend",
        lambda budget: getattr(budget, attribute) is None or float(getattr(budget, attribute)) > 0,
        name,
    )


class Budget(Model):
    """Limits over all shards together. Where two bind, the tighter one does."""

    rules = (
        _positive("maxUSDPerDay", "max_usd_per_day"),
        _positive("maxUSD", "max_usd"),
        _positive("usdPerTiB", "usd_per_tib"),
    )

    max_messages_per_second: Throttle = Field(
        default=1000,
        description="Most messages a real second over all shards, 1 to 1000000000, or Unlimited. Slows the "
        "simulation clock, never changes which events occur. 1000 a second is about one US dollar a day.",
    )
    max_usd_per_day: USD | None = Field(
        default=None,
        description='The same as a price: US dollars a real day for publishing, a string such as "5". '
        "Converted by the largest billed message and usdPerTiB.",
    )
    max_messages: Whole | None = Field(
        default=None,
        ge=1,
        le=SAFE_INTEGER,
        description="Messages of the whole run; then it ends, BudgetExhausted. Default: no limit.",
    )
    max_usd: USD | None = Field(
        default=None,
        description='US dollars of the whole run for publishing, a string such as "25"; converted to '
        "messages by the largest billed message; then it ends, BudgetExhausted. Default: no limit.",
    )
    usd_per_tib: USD = Field(
        default="40",
        description='Price of publishing in US dollars a TiB (2^40 bytes), a string such as "40".',
    )
