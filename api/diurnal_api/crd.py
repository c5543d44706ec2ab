"""The CustomResourceDefinition, generated from the models: what Kubernetes can refuse, it shall refuse.

Kubernetes wants a structural schema (no references, no unions, every type said), OpenAPI 3.0's form of
exclusive bounds, and its own markers. This module turns pydantic's JSON schema into that; the tests prove
that the committed file in crds/ is what it gives.
"""

from typing import Any

from diurnal_api.model import Rule
from diurnal_api.spec import GROUP, KIND, MAX_NAME, PLURAL, VERSION, TrafficSimulation
from diurnal_api.status import NOT_YET

NAME_RULE = Rule(
    f"size(self.metadata.name) <= {MAX_NAME} && "
    "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    f"metadata.name must have at most {MAX_NAME} of a-z, 0-9 and -, beginning and ending with a letter or "
    "digit: the names of its workers hang on it",
)

Schema = dict[str, Any]


def custom_resource_definition() -> Schema:
    """The whole object, ready to be written as YAML or applied."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["tsim"],
                "categories": ["diurnal"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": open_api_schema()},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.shards",
                            "statusReplicasPath": ".status.shards",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": printer_columns(),
                }
            ],
        },
    }


def printer_columns() -> list[Schema]:
    """What ``kubectl get tsim`` shows: within 80 characters, the rest with -o wide."""

    def column(name: str, kind: str, path: str, description: str, priority: int = 0) -> Schema:
        return {
            "name": name,
            "type": kind,
            "jsonPath": path,
            "description": description,
            **({"priority": priority} if priority else {}),
        }

    return [
        column("Ready", "string", ".status.ready", "Ready shards of all."),
        column("Clock", "string", ".status.clock.short", "Simulated time that every slot has reached."),
        column("Speed", "number", ".status.clock.speed", "Simulated seconds a real second."),
        column("Status", "string", ".status.state", "What the run is doing."),
        column("Age", "date", ".metadata.creationTimestamp", "Time since the object was created."),
        column("Users", "integer", ".status.users", "Simulated users.", 1),
        column("Rate", "number", ".status.rate.achieved", "Messages a real second.", 1),
        column("Messages", "integer", ".status.spent.messages", "Messages sent so far.", 1),
        column("USD", "string", ".status.spent.usd", "Cost of publishing so far.", 1),
        column("Message", "string", ".status.message", "What a person should know.", 1),
    ]


def open_api_schema() -> Schema:
    """The structural schema of a TrafficSimulation."""
    source = TrafficSimulation.model_json_schema(by_alias=True)
    definitions = source["$defs"]
    properties = source["properties"]
    return {
        "type": "object",
        "description": source["description"],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _structural(properties["spec"], definitions),
            "status": _unseen(_observed(_structural(properties["status"], definitions))),
        },
        "x-kubernetes-validations": [NAME_RULE.as_kubernetes()],
    }


def _structural(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """One schema node without references, unions with null, titles and whatever Kubernetes refuses."""
    node = _resolved(node, definitions)
    result = {key: value for key, value in node.items() if key not in _DROPPED}
    if "const" in node:
        result["enum"] = [node["const"]]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in node:
            result |= {bound: node[exclusive], exclusive: True}
    if "default" in node and node["default"] is not None:
        result["default"] = _without_nulls(node["default"])
    if "properties" in node:
        result["properties"] = {
            name: _structural(child, definitions) for name, child in node["properties"].items()
        }
    if "items" in node:
        result["items"] = _structural(node["items"], definitions)
    if isinstance(node.get("additionalProperties"), dict):
        result["additionalProperties"] = _structural(node["additionalProperties"], definitions)
    if node.get("type") == "integer":
        result["format"] = "int64"
    if node.get("type") == "number" and node.get("minimum", 0) % 1:
        # Kubernetes cuts a bound to a whole number before it compares it with one: 0 would pass 1e-9.
        bound = f"{node['minimum']:.9f}".rstrip("0")
        result["x-kubernetes-validations"] = [
            {"rule": f"self >= {bound}", "message": f"must be at least {bound}"}
        ]
    return result


_DROPPED = frozenset(
    {
        "$ref",
        "title",
        "const",
        "default",
        "additionalProperties",
        "properties",
        "items",
        "exclusiveMinimum",
        "exclusiveMaximum",
    }
)


def _resolved(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """The node, its reference filled in, a union with null reduced; what it says itself comes first."""
    alternatives = [each for each in node.get("anyOf", ()) if each.get("type") != "null"]
    if len(alternatives) == 1:
        own = {key: value for key, value in node.items() if key != "anyOf"}
        return {**_resolved(alternatives[0], definitions), **own}
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        return {**_resolved(target, definitions), **node}
    return node


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(child) for key, child in value.items() if child is not None}
    if isinstance(value, list):
        return [_without_nulls(child) for child in value]
    if isinstance(value, str):
        # As a person writes it: CEL compares clock.start as text.
        return value.replace(".000000Z", "Z")
    return value


def _observed(node: Schema) -> Schema:
    """A schema for what the operator writes: no defaults and no rules, which are for users."""
    result = {key: value for key, value in node.items() if key not in {"default", "x-kubernetes-validations"}}
    if "properties" in result:
        result["properties"] = {name: _observed(child) for name, child in result["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = _observed(result[key])
    return result


def _unseen(status: Schema) -> Schema:
    """The status with what it is before the operator's first visit; else kstatus takes that for finished.

    A status that comes with a create is dropped, but whatever is read from the store is filled in.
    """
    field = "observedGeneration"
    properties = {**status["properties"], field: {**status["properties"][field], "default": NOT_YET}}
    return {**status, "properties": properties, "default": {field: NOT_YET}}
