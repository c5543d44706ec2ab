"""What every part of the contract is built from: frozen models, strict leaves, and rules told twice.

A rule that a type cannot express is written once as a ``Rule`` with two faces: a CEL expression, which the
API server evaluates, and a Python predicate, which ``diurnal validate`` evaluates offline. Both refuse with
the same message. A rule about a change (``oldSelf``) has no predicate: one object alone cannot break it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

SAFE_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact."""


Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict()]


@dataclass(frozen=True)
class Rule:
    """One condition on an object; ``at`` is the field (camelCase) that a person should look at."""

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None
    at: str = ""

    def as_kubernetes(self) -> dict[str, str]:
        place = {"fieldPath": f".{self.at}"} if self.at else {}
        return {"rule": self.cel, "message": self.message, **place}


def exactly_one_of(*fields: str) -> Rule:
    """Exactly one of these optional fields (Python names) is set."""
    names = [camel(field) for field in fields]
    flags = ", ".join(f"has(self.{name})" for name in names)
    return Rule(
        cel=f"[{flags}].filter(given, given).size() == 1",
        message=f"set exactly one of {', '.join(names)}",
        holds=lambda model: sum(getattr(model, field) is not None for field in fields) == 1,
    )


def camel(name: str) -> str:
    """The name of a field as users write it: maxUSDPerDay for max_usd_per_day."""
    return to_camel(name.rstrip("_")).replace("Usd", "USD").replace("Tib", "TiB")


@dataclass(frozen=True)
class Shape:
    """A regular expression (the common subset of RE2 and Python) with the words for what it wants."""

    pattern: str
    expected: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^{self.pattern}$"}

    def check(self, value: Any) -> Any:
        if isinstance(value, str) and re.fullmatch(self.pattern, value) is None:
            text = f"{value[:80]!r} is not {self.expected}"
            raise PydanticCustomError("shape", "{text}", {"text": text})
        return value


def _whole_if_integral(value: Any) -> Any:
    integral = isinstance(value, float) and value.is_integer() and abs(value) <= SAFE_INTEGER
    return int(value) if integral else value


class Model(BaseModel):
    """A frozen part of the contract: unknown fields refused, camelCase outside, snake_case inside."""

    model_config = ConfigDict(
        alias_generator=camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=False,
        validate_default=False,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _as_the_api_server_reads(cls, data: Any) -> Any:
        # An explicit null is an absent field, and 1e6 a whole number: JSON has but one kind of number.
        if isinstance(data, dict):
            return {key: _whole_if_integral(value) for key, value in data.items() if value is not None}
        return data

    @model_validator(mode="after")
    def _obeys_rules(self) -> Self:
        broken = [rule for rule in self.rules if rule.holds is not None and not rule.holds(self)]
        if broken:
            places = [(rule.at, rule.message) for rule in broken]
            text = "; ".join(rule.message for rule in broken)
            raise PydanticCustomError("rules", "{text}", {"text": text, "broken": places})
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        result = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            result["x-kubernetes-validations"] = [rule.as_kubernetes() for rule in cls.rules]
        return result

    def as_json(self) -> dict[str, Any]:
        """The object as users and Kubernetes write it: camelCase, times as text, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
