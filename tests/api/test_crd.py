"""The CRD: fresh, structural, described, and safe for an API server to evaluate."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from diurnal_api.crd import custom_resource_definition
from diurnal_api.spec import Spec
from diurnal_cli.crd import crd_yaml

COMMITTED = Path(__file__).parents[2] / "crds" / "trafficsimulations.diurnal.dev.yaml"
CRD = custom_resource_definition()
VERSION = CRD["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]

STRUCTURAL = {
    "type", "format", "description", "default", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
    "required", "properties", "items", "additionalProperties", "anyOf", "x-kubernetes-int-or-string",
    "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
}  # fmt: skip


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from nodes(node[key], f"{path}.{key}")


def at(path: str) -> dict[str, Any]:
    return next(node for where, node in nodes(SCHEMA) if where == path)


def test_the_committed_file_is_what_the_models_give() -> None:
    assert COMMITTED.read_text() == crd_yaml(), (
        "run: python -m diurnal_cli.crd > crds/trafficsimulations.diurnal.dev.yaml"
    )


def test_the_file_is_plain_yaml_of_the_object() -> None:
    assert yaml.safe_load(COMMITTED.read_text()) == CRD


def test_every_node_is_structural() -> None:
    for path, node in nodes(SCHEMA):
        assert node.keys() <= STRUCTURAL, path
        if node.get("x-kubernetes-int-or-string"):
            assert node["anyOf"] == [{"type": "integer"}, {"type": "string"}], path
            assert "type" not in node, path
            assert "minimum" not in node, path
        else:
            assert isinstance(node.get("type"), str), path
            assert "anyOf" not in node, path
        assert not ("properties" in node and "additionalProperties" in node), path


def test_every_field_has_a_description() -> None:
    bare = [
        path
        for path, node in nodes(SCHEMA)
        if "description" not in node
        and not path.endswith((".items", ".additionalProperties", ".apiVersion", ".kind"))
    ]
    assert bare == [".metadata"]


def test_descriptions_name_units_and_do_not_promise_python() -> None:
    for path, node in nodes(SCHEMA):
        assert "None" not in node.get("description", ""), path


def test_whatever_a_rule_can_see_is_bounded_so_that_its_cost_is() -> None:
    for path, node in nodes(at(".spec")):
        if node.get("type") == "string" and "enum" not in node:
            assert "maxLength" in node, path
        if node.get("type") == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


def test_bounds_are_written_as_openapi_3_0_has_them() -> None:
    assert all(
        node[key] is True
        for _, node in nodes(SCHEMA)
        for key in ("exclusiveMinimum", "exclusiveMaximum")
        if key in node
    )
    assert at(".spec.traffic.activity.cosine.peakHour") | {"description": ""} == {
        "type": "number", "minimum": 0, "maximum": 24, "exclusiveMaximum": True,
        "default": 16.0, "description": "",
    }  # fmt: skip


def test_a_fractional_minimum_is_a_rule_too_because_kubernetes_cuts_it_for_whole_numbers() -> None:
    rates = at(".spec.traffic.rate.eventsPerSecond")
    assert rates["minimum"] == 1e-9
    assert [rule["rule"] for rule in rates["x-kubernetes-validations"]] == ["self >= 0.000000001"]
    assert all(
        "x-kubernetes-validations" in node for _, node in nodes(at(".spec")) if node.get("minimum", 0) % 1
    )


def test_patterns_stay_within_what_go_can_compile() -> None:
    for path, node in nodes(SCHEMA):
        pattern = node.get("pattern", "")
        assert not re.search(r"\(\?|\\[dwsDWS]", pattern), path
        assert all(int(number) <= 1000 for number in re.findall(r"[{,]([0-9]+)", pattern)), path


def test_defaults_fill_the_smallest_resource_completely() -> None:
    sink: dict[str, Any] = {"discard": {}}
    assert Spec.model_validate({**defaulted(at(".spec"), {"sink": sink})}) == Spec.model_validate(
        {"sink": sink}
    )


def test_a_default_is_of_the_type_of_its_field() -> None:
    types = {
        "integer": int,
        "number": int | float,
        "string": str,
        "boolean": bool,
        "object": dict,
        "array": list,
    }
    for path, node in nodes(SCHEMA):
        if "default" in node and "type" in node:
            assert isinstance(node["default"], types[node["type"]]), path
            assert "pattern" not in node or re.fullmatch(node["pattern"], str(node["default"])), path


def defaulted(schema: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """What the API server makes of an object: defaults filled in, level by level."""
    result = dict(value)
    for name, child in schema.get("properties", {}).items():
        if name not in result and "default" in child:
            result[name] = child["default"]
        if isinstance(result.get(name), dict):
            result[name] = defaulted(child, result[name])
    return result


@pytest.mark.parametrize(
    "given", [{"population": {"users": 5}}, {"traffic": {"activity": {"cosine": {}}}}, {"clock": {}}]
)
def test_defaults_fill_what_is_given_in_part_as_the_models_do(given: dict[str, Any]) -> None:
    value = {"sink": {"stdout": {}}, **given}
    assert Spec.model_validate(defaulted(at(".spec"), value)) == Spec.model_validate(value)


def test_what_may_not_change_within_a_run_is_tied_to_the_restart_nonce() -> None:
    of_spec = at(".spec")["x-kubernetes-validations"]
    rules = {rule["fieldPath"]: rule["rule"] for rule in of_spec if "oldSelf" in rule["rule"]}
    assert set(rules) == {".population", ".clock.start", ".events", ".sink"}
    for field, rule in rules.items():
        assert rule == f"self.restartNonce != oldSelf.restartNonce || self{field} == oldSelf{field}"


def test_what_a_transition_rule_compares_is_never_absent() -> None:
    """Kubernetes skips a rule on oldSelf where the old value is absent."""
    spec = at(".spec")
    for name in ("restartNonce", "population", "clock", "events"):
        assert "default" in spec["properties"][name]
    assert spec["required"] == ["sink"]
    assert "default" in at(".spec.clock.start")


def test_the_field_that_a_rule_points_to_exists() -> None:
    paths = {path for path, _ in nodes(SCHEMA)}
    for path, node in nodes(SCHEMA):
        for rule in node.get("x-kubernetes-validations", []):
            assert path + rule.get("fieldPath", "") in paths
            assert "\n" not in rule["message"]


def test_the_status_has_no_rules_and_no_default_but_that_nobody_has_seen_the_object() -> None:
    defaults = {}
    for path, node in nodes(at(".status")):
        assert "x-kubernetes-validations" not in node, path
        if "default" in node:
            defaults[path] = node["default"]
    assert list(defaults.values()) == [{"observedGeneration": -1}, -1]


def test_conditions_are_a_map_keyed_by_type() -> None:
    conditions = at(".status.conditions")
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert "type" in conditions["items"]["required"]


def test_every_list_says_how_it_is_merged() -> None:
    assert all("x-kubernetes-list-type" in node for _, node in nodes(SCHEMA) if node.get("type") == "array")


def test_scale_and_printer_columns_point_to_fields_that_exist() -> None:
    paths = {path for path, _ in nodes(SCHEMA)} | {".metadata.creationTimestamp"}
    assert set(VERSION["subresources"]["scale"].values()) <= paths
    assert VERSION["subresources"]["status"] == {}
    assert {column["jsonPath"] for column in VERSION["additionalPrinterColumns"]} <= paths


def test_the_columns_of_kubectl_get_fit_into_80_characters() -> None:
    widest = {
        "Ready": "1024/1024",
        "Clock": "2026-01-01T06:12:31Z",
        "Speed": "12345.6",
        "Status": "Reconciling",
        "Age": "100m",
    }
    shown = [column["name"] for column in VERSION["additionalPrinterColumns"] if not column.get("priority")]
    assert shown == list(widest)
    assert len("   ".join(["app-store", *widest.values()])) <= 80


def test_it_can_be_found_by_short_name_and_category() -> None:
    assert CRD["metadata"]["name"] == "trafficsimulations.diurnal.dev"
    assert CRD["spec"]["names"]["shortNames"] == ["tsim"]
    assert CRD["spec"]["names"]["categories"] == ["diurnal"]
