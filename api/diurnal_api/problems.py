"""Validation errors told to people: which field, what is wrong with it, what would be right.

Called by everything that reads a resource of a user. The path is written as the user wrote the fields
(``spec.budget.maxUSD``, ``spec.traffic.activity.hourly[3]``).
"""

import difflib
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]
Teller = Callable[[Any, dict[str, Any]], str]
"""Words for an error from the refused value and the context that pydantic gives."""

_SHOWN = 80
_TINY = 1e-5


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; ``location`` is its path in parts, () for the whole object."""

    location: Location
    message: str

    @property
    def path(self) -> str:
        text = ""
        for part in self.location:
            text += f"[{part}]" if isinstance(part, int) else f".{_plain(part)}"
        return text.removeprefix(".")


def problems_of(error: ValidationError, model: type[BaseModel]) -> tuple[Problem, ...]:
    """Every problem of a failed validation of ``model``, in the order of its fields."""
    found = (problem for detail in error.errors(include_url=False) for problem in _problems(detail, model))
    return tuple(found)


def _problems(detail: ErrorDetails, model: type[BaseModel]) -> Iterator[Problem]:
    location = tuple(detail["loc"])
    context = detail.get("ctx", {})
    if detail["type"] == "rules":
        for at, message in context["broken"]:
            yield Problem((*location, *(at.split(".") if at else ())), message)
    elif detail["type"] == "extra_forbidden":
        yield Problem(location, _unknown(location, model))
    elif detail["type"] == "missing":
        yield Problem(location, _missing(location, model))
    else:
        tell = _MESSAGES.get(detail["type"])
        yield Problem(location, tell(detail["input"], context) if tell else detail["msg"])


def _unknown(location: Location, model: type[BaseModel]) -> str:
    name = str(location[-1])
    here = _model_at(model, location[:-1])
    known = _fields(here) if here is not None else {}
    close = nearest(name, list(known))
    if close:
        return f"is not a field; did you mean {close}?"
    elsewhere = [path for path in _paths(model) if path.rpartition(".")[2].lower() == name.lower()]
    if elsewhere:
        return f"is not a field here; did you mean {elsewhere[0]}?"
    return f"is not a field; the fields here are {', '.join(known) or 'none'}"


def _missing(location: Location, model: type[BaseModel]) -> str:
    here = _model_at(model, location[:-1])
    field = _fields(here).get(str(location[-1])) if here is not None else None
    if field is not None and typing.get_origin(field.annotation) is typing.Literal:
        return f"is missing; it must be {_listed(typing.get_args(field.annotation))}"
    described = f": {field.description}" if field is not None and field.description else ""
    return f"is missing and has no default{described}"


def nearest(name: str, known: list[str]) -> str | None:
    """The known name that a mistyped one most likely stands for."""
    folded = {candidate.lower().replace("_", ""): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower().replace("_", "").replace("-", ""), folded, n=1, cutoff=0.7)
    return folded[close[0]] if close else None


def _paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in _fields(model).items():
        if prefix == "" and name != "spec":
            continue
        yield f"{prefix}{name}"
        inner = _inner_model(field.annotation)
        if inner is not None:
            yield from _paths(inner, f"{prefix}{name}.")


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    here: type[BaseModel] | None = model
    for part in location:
        if here is None:
            return None
        if isinstance(part, str):
            field = _fields(here).get(part)
            here = _inner_model(field.annotation) if field is not None else None
    return here


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if isinstance(typing.get_origin(annotation), type | types.UnionType) or typing.get_args(annotation):
        return next(filter(None, map(_inner_model, typing.get_args(annotation))), None)
    return None


def _plain(text: str) -> str:
    """A key that a user wrote, safe to print: a path must not carry control characters or pages of text."""
    return text if text.isidentifier() and len(text) <= _SHOWN else f"{text[:_SHOWN]!r}"


def shown(value: object) -> str:
    """A value as a person would recognise it, shortened, control characters escaped."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and abs(value) > 10**20:
        return "a number of more than 20 digits"
    return f"{value!r:.80}" if not isinstance(value, str) else f"the text {value[:80]!r}"


def _listed(values: tuple[object, ...]) -> str:
    return str(values[0]) if len(values) == 1 else f"one of {', '.join(map(str, values))}"


def _literal(value: object, context: dict[str, Any]) -> str:
    allowed = context["expected"].replace("'", "").replace(" or ", ", ")
    close = nearest(value, allowed.split(", ")) if isinstance(value, str) else None
    hint = f"; did you mean {close}?" if close and "," in allowed else ""
    if isinstance(value, bool):
        hint = f": {_BOOLEAN_TRAP}"
    return f"{shown(value)} is not {_listed(tuple(allowed.split(', ')))}{hint}"


_BOOLEAN_TRAP = "YAML reads yes, no, on, off, NO as true and false unless they are in quotes"


def _text(value: object, _: dict[str, Any]) -> str:
    if isinstance(value, bool):
        return f"must be text, not {shown(value)}: {_BOOLEAN_TRAP}"
    quoted = f': put it in quotes, "{value}"' if isinstance(value, int | float) else ""
    return f"must be text, not {shown(value)}{quoted}"


def _number(kind: str) -> Teller:
    def tell(value: object, _: dict[str, Any]) -> str:
        hint = (
            ": leave out the quotes" if isinstance(value, str) and value.strip("-.0123456789") == "" else ""
        )
        return f"must be {kind}, not {shown(value)}{hint}"

    return tell


def _bound(words: str, key: str) -> Teller:
    def tell(value: object, context: dict[str, Any]) -> str:
        bound = context[key]
        # A tiny lower bound stands for "above zero", which is what a person has to know.
        above = f"more than 0 (at least {_short(bound)})" if key == "ge" and 0 < bound < _TINY else ""
        return f"must be {above or f'{words} {_short(bound)}'}, not {shown(value)}"

    return tell


def _short(number: float) -> str:
    """The number as a person writes it: 1e-9, 5400000000."""
    return f"{number:.16g}".replace("e-0", "e-")


def _not_json(_: object, context: dict[str, Any]) -> str:
    if "recursion" in str(context.get("error", "")):
        return "is nested too deeply"
    return "contains text that is not Unicode, such as half of a surrogate pair"


_MESSAGES: dict[str, Teller] = {
    **dict.fromkeys(
        ("instant", "shape", "weights", "throttle", "labels"), lambda _, context: context["text"]
    ),
    "json_invalid": _not_json,
    "literal_error": _literal,
    "string_type": _text,
    "string_too_long": lambda value, c: f"must have at most {c['max_length']} characters, not {len(value)}",
    "int_type": _number("a whole number"),
    "int_parsing_size": _number("a whole number"),
    "float_type": _number("a number"),
    "finite_number": lambda _, __: "must be a finite number: NaN and Infinity are not",
    "bool_type": lambda value, _: f"must be true or false, not {shown(value)}",
    "greater_than": _bound("more than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("less than", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "too_long": lambda _, c: (
        f"must have at most {c['max_length']} entries, not {c['actual_length'] or 'more'}"
    ),
    "too_short": lambda _, c: f"must have at least {c['min_length']} entries, not {c['actual_length']}",
    "tuple_type": lambda value, _: f"must be a list, not {shown(value)}",
    "dict_type": lambda value, _: f"must be a mapping of fields, not {shown(value)}",
    "model_type": lambda value, _: f"must be a mapping of fields, not {shown(value)}",
    "model_attributes_type": lambda value, _: f"must be a mapping of fields, not {shown(value)}",
}
