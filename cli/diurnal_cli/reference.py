"""``python -m diurnal_cli.reference`` prints docs/reference.md: every field of the resource, by its schema.

It reads the CustomResourceDefinition rather than the models, so that it says what a cluster says.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from diurnal_api.crd import open_api_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

RESOLVED: Final = "status.plan"
"""The spec again, with everything resolved: its fields are not listed a second time."""

HEAD: Final = """\
<!-- Generated from api/diurnal_api by `python -m diurnal_cli.reference`. Do not edit. -->
# Reference of the resource
Every field of a `TrafficSimulation` (`diurnal.dev/v1alpha1`) with its bounds and default, and every rule that
ties fields together. `diurnal validate FILE` checks all of it offline. A field without a default is left out
unless it is marked as needed.
"""


def reference() -> str:
    """The text of docs/reference.md."""
    properties = open_api_schema()["properties"]
    parts = [HEAD]
    for name, schema in properties["spec"]["properties"].items():
        parts.append(_section(f"spec.{name}", schema, needed=name in properties["spec"]["required"]))
    parts.append("## Rules of spec as a whole\n" + _rules("spec", properties["spec"], deep=False))
    parts.append(_section("status", properties["status"], needed=False))
    return "\n".join(parts)


def _section(path: str, schema: Schema, *, needed: bool) -> str:
    """One field of spec: itself, what lies in it, and its rules."""
    fields = [(path, schema, needed), *_inner(path, schema)]
    rows = "".join(_row(*field) for field in fields)
    rules = _rules(path, schema, deep=True)
    table = f"| field | type | default | |\n|---|---|---|---|\n{rows}"
    return f"## {path}\n{table}" + (f"\n{rules}" if rules else "")


def _inner(path: str, schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """The fields below a field, depth first; ``[]`` stands for an item of a list."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field, name in schema.get("required", ())
        if path != RESOLVED:
            yield from _inner(f"{path}.{name}", field)
    if "properties" in schema.get("items", {}):
        yield from _inner(f"{path}[]", schema["items"])


def _row(path: str, schema: Schema, needed: bool) -> str:  # noqa: FBT001 - a column of the table
    default = f"`{json.dumps(schema['default'])}`" if "default" in schema else "needed" if needed else ""
    description = schema.get("description", "").replace("|", "\\|").replace("\n", " ")
    return f"| `{path}` | {_type(schema)} | {default} | {description} |\n"


def _type(schema: Schema) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"mapping to {_type(schema['additionalProperties'])}"
    return str(schema.get("type", "any"))


def _rules(path: str, schema: Schema, *, deep: bool) -> str:
    """The messages of a field's rules, and where ``deep`` of those in it, each once."""
    owners = [(path, schema), *((where, inner) for where, inner, _ in _inner(path, schema) if deep)]
    messages = [
        f"- `{where}`: {rule['message']}\n"
        for where, owner in owners
        for rule in owner.get("x-kubernetes-validations", ())
        if "message" in rule
    ]
    return "".join(dict.fromkeys(messages))


if __name__ == "__main__":
    sys.stdout.write(reference())
